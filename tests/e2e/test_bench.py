#!/usr/bin/env python3
"""flyover bench as people and machines use it, and the programs by hand that measurements are held against."""

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

from flyover_run import FAILED, LATER, REPO, USAGE, Run, Skip, counts, eq, has, main, test, wait_for, words

BUILD = Path(os.environ.get("FLYOVER_BUILD") or REPO / "build/release")
SERIES = {"median", "min", "max"}


def two_cores():
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Skip("two cores are needed")
    return f"{cores[0]},{cores[1]}"


def bench(place, *args, code=0, **more):
    """A short bench that leaves nothing in the folder for temporary files."""
    temporary = place / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(temporary), **more}
    result = place.call("bench", "--seconds", "1", *args, code=code, env=environment)
    eq(list(temporary.iterdir()), [], "left behind")
    return result


@test
def the_json_report_has_every_figure(place):
    cores = two_cores()
    report = json.loads(bench(place, "--format", "json", "--cores", cores).out)
    eq(report["cores"], [int(core) for core in cores.split(",")])
    eq((report["verified"], report["rounds"] >= 1), (True, True))
    eq(set(report["machine"]), {"clock_ghz", "cache_line_round_trip_ns", "copy_bytes_per_second"})
    eq(list(report["workloads"]), ["identity_one_core", "identity_all_cores", "identity_across_cores", "word_count"])
    eq(set(report["latency"]), {"per_second", "p50_ns", "p99_ns", "p999_ns"})
    series = [*report["machine"].values()]
    for workload in report["workloads"].values():
        series += [workload[name] for name in ("per_second", "ceiling_per_second", "share")]
    for entry in series:
        eq(set(entry), SERIES)
        eq(0 < entry["min"] <= entry["median"] <= entry["max"], True, entry)


@test
def the_report_says_where_the_rate_stands(place):
    result = bench(place, "--cores", two_cores())
    has(result.out.decode(), "GHz", "cache line and back", "memory copied", "identity, one core", "identity, across cores",
        "word count, all cores", "messages/s on a core", "of the loop without an engine")
    eq(result.err, "")


@test
def one_core_is_enough(place):
    core = min(os.sched_getaffinity(0))
    report = json.loads(bench(place, "--format", "json", "--cores", core).out)
    eq(list(report["workloads"]), ["identity_one_core", "word_count"])
    eq(report["latency"], None)


@test
def progress_goes_to_standard_error(place):
    core = min(os.sched_getaffinity(0))
    result = bench(place, "--format", "json", "--cores", core, "--progress", "always")
    has(result.err, "round 1: identity on one core", "round 1: word count")
    json.loads(result.out)


@test
def wrong_options_are_refused(place):
    for args, text in ((("--cores", "none"), "is not a list of cores"), (("--seconds", "0"), "out of range"),
                       (("--format", "xml"), "format"), (("--second", "x"), "second"), (("more",), "too much")):
        has(place.call("bench", *args, code=USAGE).err, text)
    result = place.call("bench", "--seconds", "1", "--cores", "1023", code=None)
    eq((result.code != 0, result.out), (True, b""), repr(result))
    has(result.err, "core 1023")


@test
def a_signal_ends_it_without_a_report(place):
    temporary = place / "tmp"
    temporary.mkdir()
    run = Run(place, ["bench", "--seconds", "60", "--progress", "always"], None,
              env={**os.environ, "TMPDIR": str(temporary)})
    place.running.append(run)
    wait_for(lambda: "identity on one core" in run.err(), "a pipeline", 60)
    run.signal(signal.SIGINT)
    result = run.wait().expect(LATER, "interrupted: no report")
    eq((result.out, list(temporary.iterdir())), (b"", []))


@test
def words_that_are_not_counted_as_by_hand_make_it_void(place):
    """The dataplane finds another word in the text than the loop by hand."""
    dataplane = BUILD / "dataplane/flyover-dataplane"
    wrapper = place.write("dataplane.sh", f"""#!/bin/sh
for fd in /proc/$PPID/fd/*; do
    case $(readlink "$fd") in *memfd:text*) echo more >>"$fd" ;; esac
done
exec {dataplane} "$@"
""")
    wrapper.chmod(0o755)
    core = min(os.sched_getaffinity(0))
    result = bench(place, "--cores", core, code=FAILED, FLYOVER_DATAPLANE=str(wrapper))
    has(result.err, "not counted as by hand")
    eq(result.out, b"")


@test
def a_dataplane_that_fails_gives_no_report(place):
    result = bench(place, "--cores", min(os.sched_getaffinity(0)), code=None, FLYOVER_DATAPLANE="/bin/false")
    eq((result.code != 0, result.out), (True, b""), repr(result))


def by_hand(name, *args):
    """The lines that a program by hand prints; it checks its own results."""
    program = BUILD / "perf/baselines" / ("baseline_" + name)
    done = subprocess.run([program, *map(str, args)], check=True, capture_output=True, text=True, timeout=60)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for row in rows:
        has(row, "items", "seconds", "per_second", "cpu_seconds", "checksum")
        eq(row["checksum"], rows[0]["checksum"], "checksums of the rounds")
    return rows


@test
def loops_by_hand_print_a_line_per_round(place):
    rings = ["-c", two_cores(), "-n", 100000, "-r", 2]
    for name, args in (("identity", ["-n", 100000, "-r", 2]), ("keyed_count", ["-n", 100000, "-k", 1000, "-r", 2]),
                       ("keyed_count", ["-n", 100000, "-k", 1000, "-z", "0.99", "-r", 2]), ("rings", rings),
                       ("rings", ["-a", *rings]), ("echo", rings), ("echo", ["-R", 1000000, *rings])):
        rows = by_hand(name, *args)
        eq((len(rows), 100000 <= rows[0]["items"] < 100064), (2, True), name)
        if name == "echo":
            eq(0 < rows[0]["p50_ns"] <= rows[0]["p99_ns"] <= rows[0]["max_ns"], True)
    place.numbered("lines", 1000)
    eq(by_hand("copy", place / "lines", place / "copy")[0]["items"], 1000)
    eq(place.read("copy"), place.read("lines"))


@test
def words_by_hand_are_those_of_the_pipeline(place):
    text = b"one two  two\tthree-is-longer-than-sixteen-bytes\nthree-is-longer-than-sixteen-bytes"
    place.write("text", text)
    eq(by_hand("wordcount", "-o", place / "counts", place / "text")[0]["items"], 5)
    eq(counts(place, "counts"), dict(words(text)))


@test
def keys_by_hand_are_those_that_generate_makes(place):
    """100,000 messages with 100 keys, drawn alike by both, uniform and skewed."""
    for kind, args in (("uniform", []), ("zipf, exponent: 0.99", ["-z", "0.99"])):
        place.run(f"""
  load:   {{type: generate, count: 100000, size: 8, keys: {{kind: {kind}, distinct: 100}}}}
  counts: {{type: count, inputs: [{{from: load, grouping: key}}]}}
  out:    {{type: file, inputs: [counts], path: ours.jsonl, codec: json}}
""")
        by_hand("keyed_count", "-n", 100000, "-k", 100, *args, "-o", place / "by_hand.jsonl")
        eq(counts(place, "ours.jsonl"), counts(place, "by_hand.jsonl"), kind)
        (place / "ours.jsonl").unlink()


@test
def events_by_hand_are_counted_right(place):
    """Against a count that knows nothing but JSON; the maker of events makes the same ones again."""
    maker = REPO / "perf/workloads/make-events"
    for name in ("a", "b"):
        subprocess.run([maker, place / name, place / "ads.csv", "3000"], check=True, capture_output=True)
    eq(place.read("a"), place.read("b"), "events made twice")
    campaign = dict(line.split(",") for line in place.lines("ads.csv")[1:])
    wanted = Counter()
    for event in place.objects("a"):
        eq(len(event), 7)
        if event["event_type"] == "view":
            wanted[campaign[event["ad_id"]], int(event["event_time"]) // 10000 * 10000] += 1
    row = by_hand("events", "-j", place / "ads.csv", "-o", place / "counts", place / "a")[0]
    eq((row["items"], row["views"]), (3000, sum(wanted.values())))
    eq({(line["key"], line["window_start"]): line["count"] for line in place.objects("counts")}, dict(wanted))


@test
def micro_measures_the_steps_that_are_named(_place):
    micro = BUILD / "perf/micro/micro"
    core = min(os.sched_getaffinity(0))
    done = subprocess.run([micro, "--cores", f"{core},{core}", "--rounds", "2", "--format", "json", "frame", "tracker", "wheel",
                           "router", "histogram", "count-1000", "newline"],
                          check=True, capture_output=True, text=True, timeout=60)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    eq(len({row["name"] for row in rows}) >= 11, True, rows)
    for row in rows:
        eq((0 < row["ns_min"] <= row["ns"] <= row["ns_max"], row["rounds"]), (True, 2), row)
    eq(subprocess.run([micro, "nope"], check=False, capture_output=True).returncode, USAGE)


if __name__ == "__main__":
    main()
