#!/usr/bin/env python3
"""The command line as people and machines use it: help, plans, signals, progress, summaries, many runs at once."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

from flyover_run import CONFIG, FLYOVER, INSTANCES, LATER, OK, USAGE, Skip, eq, has, main, test, wait_for

VERBS = ("run", "validate", "plan", "graph", "bench", "list", "describe", "schema", "new", "completion", "version", "help")
ENDLESS = """
  load: {type: generate, rate: %s, payload: 'message {seq}', tasks: 1}
  out:  {type: file, inputs: [load], path: out.txt}
"""


@test
def help_of_every_verb_has_an_example(place):
    text = place.call("--help").out.decode()
    for verb in VERBS:
        has(text, f"  {verb} ")
        help_text = place.call(verb, "--help").out.decode()
        has(help_text, f"usage: flyover {verb}", f"flyover {verb}".rstrip())
        eq(place.call("help", verb).out.decode(), help_text)
    has(place.call("run", "--help").out.decode(), "--cores", "--set", "--duration", "--drain-timeout", "--instance",
        "flyover run --cores 0-1")


@test
def version_and_wrong_calls(place):
    has(place.call("version").out.decode(), "flyover 0.1.0")
    for args in ((), ("runn",), ("run",), ("run", "--nope", "x"), ("describe",), ("describe", "nope"), ("completion", "fish")):
        result = place.call(*args, code=None)
        eq(result.code in (USAGE, CONFIG), True, repr(result))
        eq(bool(result.err), True, args)
    has(place.call("runn", code=USAGE).err, "did you mean 'run'?")


@test
def every_type_is_described(place):
    listed = json.loads(place.call("list", "--format", "json").out)
    names = {entry["type"] for entry in listed}
    eq({"file", "stdin", "generate", "split", "filter", "route", "count", "parse_json", "select", "map", "batch",
        "throttle", "delay", "inject_fault", "identity", "stdout", "drop"} <= names, True, names)
    for name in names:
        text = place.call("describe", name).out.decode()
        has(text, name, "type: " + name)
        for entry in json.loads(place.call("describe", "--format", "json", name).out):
            for parameter in entry["parameters"]:
                has(text, parameter["name"])


@test
def schema_is_json(place):
    schema = json.loads(place.call("schema").out)
    has(schema, "$schema", "properties")
    has(json.dumps(schema), "framing", "length_prefixed", "ack_timeout")


@test
def graphs(place):
    file = place.pipeline(ENDLESS % 1)
    has(place.call("graph", file).out.decode(), 'digraph "test"', '"load" -> "out"')
    has(place.call("graph", "--format", "mermaid", file).out.decode(), "flowchart", "-->")


@test
def a_new_pipeline_is_valid_and_runs(place):
    for chain in ("generate/count/stdout", "generate/split/filter/map/drop"):
        place.write("new.yaml", place.call("new", chain).out)
        has(place.call("validate", "new.yaml").out.decode(), "ok")
        place.call("run", "--duration", "1s", "new.yaml")
    eq(place.call("new", "generate/nope", code=None).code != OK, True)


@test
def completion_scripts_parse(place):
    for shell in ("bash", "zsh"):
        script = place.call("completion", shell).out
        has(script.decode(), "flyover", "--drain-timeout")
        if shutil.which(shell):
            subprocess.run([shell, "-n", place.write(f"complete.{shell}", script)], check=True)
    place.write("try.sh", f"""source {place.path}/complete.bash
COMP_WORDS=(flyover va) COMP_CWORD=1
fn=$(complete -p flyover | sed 's/.*-F \\([^ ]*\\) .*/\\1/'); $fn flyover va flyover; echo "${{COMPREPLY[@]}}"
""")
    done = subprocess.run(["bash", place / "try.sh"], capture_output=True, check=False)
    has(done.stdout.decode(), "validate")


def shared_bytes(pid):
    """Bytes of the workspace that a process maps."""
    found = 0
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if "flyover" in line and "memfd:" in line:
            low, high = line.split()[0].split("-")
            found += int(high, 16) - int(low, 16)
    return found


@test
def the_plan_is_what_the_workspace_takes(place):
    file = place / place.pipeline(ENDLESS % 1000)
    plan = json.loads(place.call("plan", "--cores", "0-1", "--format", "json", file).out)
    eq(sum(plan["memory"]["parts"].values()), plan["memory"]["total_bytes"])
    run = place.start(file, "--cores", "0-1")
    pid = run.dataplane()
    found = wait_for(lambda: shared_bytes(pid), "the workspace's mapping")
    page = os.sysconf("SC_PAGE_SIZE")
    eq(found, -(-plan["memory"]["total_bytes"] // page) * page)
    files = [link for link in Path(f"/proc/{pid}/fd").iterdir() if "memfd:" in os.readlink(link)]
    eq([os.stat(link).st_size for link in files], [found])
    run.signal(signal.SIGINT)
    run.wait().expect(OK)


@test
def memory_stays_what_was_planned(place):
    """Resident memory beside the workspace does not grow with the input."""
    run = place.start("  load: {type: generate, size: 1000}\n  out: {type: drop, inputs: [load]}\n", "--duration", "3s")
    pid, seen = run.dataplane(), []
    while run.is_running():
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            break
        found = re.search(r"RssAnon:\s+(\d+)", status)
        if found:
            seen.append(int(found.group(1)))
        time.sleep(0.1)
    run.wait().expect(OK)
    middle = len(seen) // 3
    eq(max(seen[middle:]) - min(seen[middle:]) < 4096, True, f"{seen} KiB")


@test
def starts_within_150_ms(place):
    place.numbered("in.txt", 10)
    seconds = min(place.run("""
  lines: {type: file, path: in.txt}
  words: {type: split, inputs: [lines]}
  c:     {type: count, inputs: [{from: words, grouping: key}]}
  out:   {type: file, inputs: [c], path: out.txt}
""", "--cores", "0-1").summary["start_seconds"] for _ in range(8))
    if seconds >= 0.15 and os.getloadavg()[0] > len(os.sched_getaffinity(0)):
        raise Skip(f"{seconds:.3f} s, but the machine is busy: its load is {os.getloadavg()[0]:.1f}")
    eq(seconds < 0.15, True, seconds)


@test
def ends_at_once(place):
    runs = [place.run("""
  one:     {type: generate, count: 1}
  nowhere: {type: drop, inputs: [one]}
""", "--cores", cores).summary["seconds"] for _ in range(4) for cores in ("0", "0-1")]
    eq(min(runs[0::2]) < 0.015, True, runs)
    eq(min(runs[1::2]) < 0.015, True, runs)


@test
def a_latency_is_that_of_its_own_ack(place):
    """Not the time until the next message comes, 5 ms later, or until the worker looks around."""
    source = place.run("""
  some:    {type: generate, count: 100, rate: 200}
  nowhere: {type: drop, inputs: [some]}
""", "--cores", "0", "--idle", "spin").source("some")
    eq(source["latency_ns"]["p50"] < 100 * 10**3, True, source["latency_ns"])


@test
def summary_for_machines(place):
    place.numbered("in.txt", 100)
    result = place.run("  lines: {type: file, path: in.txt}\n  out: {type: file, inputs: [lines], path: out.txt}\n")
    eq(result.err, "")
    eq(result.out, b"", "one object on standard output")
    eq(result.summary["pipeline"], "test")
    eq(isinstance(result.summary["seconds"], float), True)
    eq(0 < result.summary["cpu_seconds"] < 60, True, result.summary["cpu_seconds"])
    eq(1 << 20 < result.summary["rss_bytes"] < 1 << 34, True, result.summary["rss_bytes"])
    source = result.source("lines")
    for key in ("in", "acked", "failed", "dropped", "abandoned", "in_flight", "retried", "dead_letters", "per_second"):
        eq(isinstance(source[key], (int, float)), True, key)
    latency = source["latency_ns"]
    values = [latency[key] for key in ("p50", "p90", "p99", "p999", "p9999", "max")]
    eq(values, sorted(values))
    eq(0 < values[0] < 10**10, True, values)
    for name in ("lines", "out"):
        eq(set(result.node(name)), {"in", "out", "bytes_in", "bytes_out", "errors"})
    eq(result.node("out")["in"], 100)


@test
def silence_without_a_terminal(place):
    place.numbered("in.txt", 100)
    result = place.run("  lines: {type: file, path: in.txt}\n  out: {type: file, inputs: [lines], path: out.txt}\n",
                       json=False)
    eq((result.out, result.err), (b"", ""))


def on_terminal(place, args, columns=100, while_running=None):
    """Runs flyover with a terminal as standard error; returns (exit code, what was shown, standard output)."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    process = subprocess.Popen([FLYOVER, *args], cwd=place.path, stderr=theirs, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
    os.close(theirs)
    shown = b""
    end = time.monotonic() + 30
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    shown += os.read(ours, 65536)
                except OSError:
                    break
            if while_running:
                while_running = while_running(process, shown)
        out, _ = process.communicate(timeout=10)
    finally:
        os.close(ours)
        process.kill()
    return process.returncode, shown.decode(), out


@test
def progress_on_a_terminal(place):
    place.numbered("in.txt", 3000)
    file = place.pipeline("""
  lines: {type: file, path: in.txt, max_in_flight: 64}
  slow:  {type: throttle, inputs: [lines], rate: 2000}
  out:   {type: file, inputs: [slow], path: out.txt}
""")
    code, shown, out = on_terminal(place, ["run", file])
    eq((code, out), (OK, b""))
    has(shown, "messages/s", "B/s", "%", "left", "in flight", "retried", "dead")
    has(shown, "test: ended after", "messages from", "source to ack", "p9999")
    lines = [line for line in re.split(r"[\r\n]+", shown) if "messages/s  " in line and "left" in line]
    eq(len(lines) > 2, True, shown)
    eq(any(re.search(r" (1\.[5-9]|2\.[0-4])\d? k messages/s", line) for line in lines), True, lines)
    eq(max(len(line) for line in lines) <= 100 + len("\033[K"), True, lines)


@test
def progress_fits_a_narrow_terminal(place):
    file = place.pipeline(ENDLESS % 1000)
    _, shown, _ = on_terminal(place, ["run", "--duration", "1s", file], columns=40)
    lines = [re.sub(r"\x1b\[K", "", line) for line in shown.split("\n\n")[0].split("\r") if "in fl" in line or "/s" in line]
    lines = [line for line in lines if "\n" not in line]
    eq(bool(lines) and max(map(len, lines)) < 40, True, lines)


@test
def progress_can_be_asked_for_and_refused(place):
    file = place.pipeline(ENDLESS % 1000)
    has(place.call("run", "--duration", "1s", "--progress", "always", file).err, "messages/s")
    _, shown, _ = on_terminal(place, ["run", "--duration", "500ms", "--progress", "never", file])
    eq("messages/s" in shown, False, shown)


@test
def control_c_on_a_terminal_drains(place):
    def interrupt(process, shown):
        if b"messages/s" not in shown:
            return interrupt
        process.send_signal(signal.SIGINT)
        return None

    code, shown, _ = on_terminal(place, ["run", place.pipeline(ENDLESS % 5000)], while_running=interrupt)
    eq(code, OK, shown)
    has(shown, "Interrupt", "drained after")


@test
def logs_as_json(place):
    run = place.start(ENDLESS % 1000, "--log-format", "json")
    run.dataplane()
    time.sleep(0.3)
    run.signal(signal.SIGTERM)
    entries = [json.loads(line) for line in run.wait().expect(OK).err.splitlines()]
    eq({"time_ms", "level", "message"} <= set(entries[0]), True, entries)


@test
def a_signal_drains(place):
    for number in (signal.SIGINT, signal.SIGTERM):
        run = place.start(ENDLESS % 20000)
        wait_for((place / "out.txt.part").exists, "output")
        time.sleep(0.3)
        run.signal(number)
        result = run.wait(10).expect(OK)
        source = result.source()
        eq(source["in"] > 100, True, source)
        eq(source["acked"], source["in"])
        eq(len(place.lines("out.txt")), source["in"])
        eq(result.summary["outcome"], "drained")


@test
def a_second_signal_stops_at_once(place):
    run = place.start("""
  load: {type: generate, rate: 1000}
  late: {type: delay, inputs: [load], for: 1h}
  out:  {type: file, inputs: [late], path: out.txt}
""")
    run.dataplane()
    time.sleep(0.4)
    run.signal(signal.SIGINT)
    time.sleep(0.3)
    eq(run.is_running(), True)
    start = time.monotonic()
    run.signal(signal.SIGINT)
    result = run.wait(10)
    eq(time.monotonic() - start < 3, True)
    eq(result.code, LATER, repr(result))
    eq(result.source()["in_flight"], result.source()["in"])
    has(result.err, "messages of 'load' were left unfinished")


@test
def the_drain_timeout_ends_a_drain(place):
    text = """
  load: {type: generate, rate: 1000}
  late: {type: delay, inputs: [load], for: 1h}
  out:  {type: drop, inputs: [late]}
"""
    run = place.start(text, "--drain-timeout", "500ms")
    run.dataplane()
    time.sleep(0.3)
    start = time.monotonic()
    run.signal(signal.SIGINT)
    result = run.wait(20)
    eq(0.4 < time.monotonic() - start < 5, True)
    eq(result.code, LATER, repr(result))
    has(result.err, "the drain timeout is over")


@test
def a_drain_finishes_what_waits_for_a_retry(place):
    place.numbered("in.txt", 200)
    run = place.start("""
pipeline: retrying
retry: {attempts: 3, backoff: 400ms}
nodes:
  lines:  {type: file, path: in.txt}
  faults: {type: inject_fault, inputs: [lines], mode: fail, every_nth: 2, times: 50}
  out:    {type: file, inputs: [faults], path: out.txt}
""", "--cores", "0")
    run.dataplane()
    time.sleep(0.3)
    run.signal(signal.SIGINT)
    result = run.wait(10).expect(OK)
    eq(result.source()["acked"], result.source()["in"])


@test
def a_duration_ends_a_run(place):
    start = time.monotonic()
    result = place.run(ENDLESS % 1000, "--duration", "700ms")
    eq(0.7 < time.monotonic() - start < 5, True)
    eq(0.6 < result.summary["seconds"] < 2, True, result.summary["seconds"])
    eq(result.source()["acked"], result.source()["in"])


@test
def many_pipelines_at_once(place):
    place.numbered("in.txt", 20000)
    runs = [place.start(f"""
  lines: {{type: file, path: in.txt}}
  words: {{type: split, inputs: [{{from: lines, grouping: shuffle}}]}}
  c:     {{type: count, inputs: [{{from: words, grouping: key}}]}}
  out:   {{type: file, inputs: [c], path: out-{i}.txt}}
""", "--cores", "0-1") for i in range(5)]
    for i, run in enumerate(runs):
        run.wait(100).expect(OK)
        eq(len(place.lines(f"out-{i}.txt")), 20001)


@test
def the_same_pipeline_twice_gets_a_name_each(place):
    text = f"pipeline: twice{os.getpid()}\nnodes:" + ENDLESS % 100
    file = place / place.pipeline(text)
    first = subprocess.Popen([FLYOVER, "run", "--format", "json", file], stdout=subprocess.PIPE, cwd=place.path)
    wait_for((INSTANCES / f"twice{os.getpid()}.json").exists, "the first instance")
    done = subprocess.run([FLYOVER, "run", "--format", "json", "--duration", "200ms", "--set", "nodes.out.path=other.txt",
                           file], capture_output=True, check=True, cwd=place.path)
    first.send_signal(signal.SIGINT)
    names = [json.loads(text)["instance"] for text in (first.communicate(timeout=20)[0], done.stdout)]
    eq(names, [f"twice{os.getpid()}", f"twice{os.getpid()}-2"])
    eq([name for name in os.listdir(INSTANCES) if name.startswith(f"twice{os.getpid()}")], [])


@test
def idle_policies(place):
    """Adaptive workers sleep when there is nothing to do; spinning ones never do."""
    text = "  load: {type: generate, rate: 20}\n  out: {type: drop, inputs: [load]}\n"

    def cpu_seconds(*options):
        run = place.start(text, "--cores", "0", "--duration", "1500ms", *options)
        pid, ticks = run.dataplane(), 0
        while run.is_running():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks = int(fields[11]) + int(fields[12])
            except OSError:
                break
            time.sleep(0.02)
        run.wait().expect(OK)
        return ticks / os.sysconf("SC_CLK_TCK")

    lazy, busy = cpu_seconds(), cpu_seconds("--idle", "spin")
    eq(lazy < 0.6, True, f"{lazy} s adaptive")
    eq(busy > lazy, True, f"{busy} s spinning, {lazy} s adaptive")


@test
def huge_pages_hold_the_workspace(place):
    text = "  load: {type: generate, count: 1000}\n  out: {type: drop, inputs: [load]}\n"
    setting = Path("/proc/sys/vm/nr_hugepages")
    before = setting.read_text()
    try:
        setting.write_text(str(int(before) + 256))
        if int(setting.read_text()) < int(before) + 256:
            raise Skip("this machine gives no huge pages")
        eq(place.run(text, "--huge-pages", "always").code, OK)
        eq(place.run(text).code, OK)
    except OSError as error:
        raise Skip(f"huge pages cannot be set up: {error}") from error
    finally:
        if os.access(setting, os.W_OK):
            setting.write_text(before)


@test
def huge_pages_when_there_are_some(place):
    text = "  load: {type: generate, count: 1000}\n  out: {type: drop, inputs: [load]}\n"
    free = int(re.search(r"HugePages_Free:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1))
    place.run(text, "--huge-pages", "never")
    place.run(text, "--huge-pages", "auto")
    if free:
        raise Skip("this machine has huge pages; the refusal is not seen")
    has(place.run(text, "--huge-pages", "always", code=LATER).err, "huge pages", "hint:")


if __name__ == "__main__":
    main()
