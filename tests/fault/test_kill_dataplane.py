#!/usr/bin/env python3
"""kill -9 of the dataplane at random moments: nothing lost, little repeated, nothing torn, nothing leaked."""

import os
import signal
import time
from pathlib import Path

from flyover_run import FULL, OK, Ended, counts, eq, is_alive, main, test, words

KILLS = 200 if FULL else 30
MAX_IN_FLIGHT = 2048

COPY = f"""
pipeline: killed
max_in_flight: {MAX_IN_FLIGHT}
nodes:
  lines: {{type: file, path: in.txt, state: state%s}}
  some:  {{type: filter, inputs: [lines], contains: '7'}}
  big:   {{type: map, inputs: [some], case: upper, prefix: '>'}}
  out:   {{type: file, inputs: [big], path: out.txt%s}}
"""


def leaks():
    """What runs could leave on the machine."""
    return {str(file) for folder in ("/dev/shm", "/dev/hugepages", "/run/dpdk", "/tmp/dpdk")
            for file in Path(folder).glob("*flyover*")}


def kill_until_it_ends(place, run, wanted, longest=0.25):
    """Kills each dataplane after a random time, at most `wanted` of them; returns how many."""
    killed = 0
    while killed < wanted and run.is_running():
        try:
            pid = run.dataplane()
        except Ended:
            break
        time.sleep(place.random.uniform(0, longest) ** 2 / longest)
        if not run.is_running() or not is_alive(pid):
            continue
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed += 1
        while run.is_running() and is_alive(pid):
            time.sleep(0.001)
    return killed


def expected_of(lines):
    return [">" + line.upper() for line in lines if "7" in line]


def check_copy(place, lines, killed):
    """Every line came through, each kill repeated max_in_flight of them at most, and all are whole."""
    expected = set(expected_of(lines))
    data = place.read("out.txt").decode()
    eq(data.endswith("\n"), True)
    found = data.splitlines()
    eq(len(expected - set(found)), 0, "lines lost")
    eq([line for line in found if line not in expected][:3], [], "torn lines")
    repeated = len(found) - len(expected)
    eq(repeated <= killed * MAX_IN_FLIGHT, True, f"{repeated} repeated by {killed} kills")


def kill_copies(place, source="", sink="", options=("--cores", "0-1")):
    before, killed = leaks(), 0
    lines = place.numbered("in.txt", 1500000, width=8)
    while killed < KILLS:
        for name in os.listdir(place.path):
            if name.startswith("state") or name.startswith("out"):
                os.unlink(place / name)
        run = place.start(COPY % (source, sink), *options)
        now = kill_until_it_ends(place, run, KILLS - killed)
        result = run.wait(120).expect(OK)
        eq(result.summary["restarts"] >= now - 1, True, result.summary["restarts"])
        check_copy(place, lines, now)
        eq(os.path.exists(place / "out.txt.part"), False)
        killed += now
    eq(leaks() - before, set(), "leaked")


@test
def killed_copies_lose_nothing(place):
    kill_copies(place)


@test
def killed_counts_are_exactly_right(place):
    """It has state and no checkpoints: each time it starts again from the beginning."""
    text = "".join(f"{i % 1000} {i % 77}\n" for i in range(400000))
    place.write("in.txt", text)
    killed = 0
    while killed < KILLS // 3:
        run = place.start("""
  lines:  {type: file, path: in.txt}
  words:  {type: split, inputs: [lines]}
  counts: {type: count, inputs: [{from: words, grouping: key}]}
  out:    {type: file, inputs: [counts], path: out.jsonl}
""", "--cores", "0-1")
        # Not for ever: one that is killed before its end again and again never ends.
        now = kill_until_it_ends(place, run, 5)
        result = run.wait(60).expect(OK)
        eq(counts(place, "out.jsonl"), dict(words(text.encode())))
        eq(result.source()["in"], 400000, "counted once")
        killed += max(now, 1)


@test
def killed_once_near_the_end(place):
    """The sink may have its final name already when the dataplane dies."""
    lines = place.numbered("in.txt", 20000, width=8)
    for _ in range(KILLS // 3):
        for name in ("out.txt", "state.0", "state.1"):
            (place / name).unlink(missing_ok=True)
        run = place.start(COPY % ("", ""), "--cores", "0")
        killed = kill_until_it_ends(place, run, 1, longest=0.15)
        run.wait(30).expect(OK)
        check_copy(place, lines, killed)


@test
def killed_while_retrying_and_dead_lettering(place):
    """Messages that fail keep their attempts; each ends in one of the two sinks."""
    lines = place.numbered("in.txt", 200000, width=8)
    run = place.start(f"""
pipeline: retried
max_in_flight: {MAX_IN_FLIGHT}
retry: {{attempts: 3, backoff: 5ms}}
nodes:
  lines:  {{type: file, path: in.txt, state: state, dead_letters: dead}}
  faults: {{type: inject_fault, inputs: [lines], mode: fail, contains: '55'}}
  out:    {{type: file, inputs: [faults], path: out.txt}}
  dead:   {{type: file, path: dead.jsonl, codec: json}}
""", "--cores", "0-1")
    killed = kill_until_it_ends(place, run, 8)
    result = run.wait(60).expect(OK)
    good, bad = [line for line in lines if "55" not in line], {line for line in lines if "55" in line}
    found, dead = place.lines("out.txt"), place.objects("dead.jsonl")
    eq(set(found), set(good))
    eq({entry["payload"] for entry in dead}, bad)
    # A last attempt may have ended with the dataplane.
    eq({entry["reason"] for entry in dead} - {"crash"}, {"injected_fault"})
    eq(len(found) - len(good) + len(dead) - len(bad) <= killed * MAX_IN_FLIGHT, True)
    eq(result.source()["failed"] >= len(bad), True)


@test
def killed_standard_input_is_abandoned_and_said(place):
    """Nobody can send standard input again: what was under way is in the ledger as abandoned."""
    read, write = os.pipe()
    run = place.start("""
  lines: {type: stdin}
  slow:  {type: throttle, inputs: [lines], rate: 1000}
  out:   {type: file, inputs: [slow], path: out.txt}
""", stdin=read)
    os.close(read)
    os.write(write, b"".join(b"line %d\n" % i for i in range(2000)))
    pid = run.dataplane()
    time.sleep(0.7)
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
    os.write(write, b"after\n")
    os.close(write)
    result = run.wait(30)
    source = result.source()
    eq(source["abandoned"] > 0, True, source)
    eq("were lost with the dataplane" in result.err, True, result.err)
    eq("after" in place.lines("out.txt"), True)
    eq(source["in"], source["acked"] + source["abandoned"])


if __name__ == "__main__":
    main()
