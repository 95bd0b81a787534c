#!/usr/bin/env python3
"""Windows of event time equal an independent count, wherever the messages go."""

import collections
import datetime
import json
import os
import subprocess

from flyover_run import CONFIG, FLYOVER, REPO, eq, has, main, test


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def count_views(lines, every=10):
    """{(page, start): [views, ms in all]} of events."""
    table = collections.defaultdict(lambda: [0, 0])
    for line in lines:
        event = json.loads(line)
        entry = table[event["page"], seconds(event["at"]) // every * every]
        entry[0] += 1
        entry[1] += event["ms"]
    return dict(table)


def found_views(objects, aggregate=None):
    """The same of results; no window of a key comes twice."""
    table = {}
    for entry in objects:
        name = (entry["key"], seconds(entry["window_start"]))
        eq(name in table, False, f"{name} comes twice")
        eq(seconds(entry["window_end"]) - name[1], 10)
        table[name] = [entry["count"], entry[aggregate]] if aggregate else entry["count"]
    return table


def make(place, lines):
    subprocess.run([REPO / "examples/make-text", "events", place / "events.jsonl", str(lines)], check=True,
                   capture_output=True)
    return place.lines("events.jsonl")


@test
def example_as_written(place):
    release = REPO / "build/release/controlplane/flyover"
    if not os.path.samefile(release, FLYOVER) if release.exists() else True:
        # The command builds the release; a test of another build does not.
        command = [FLYOVER, "run", REPO / "examples/windows.yaml"]
        subprocess.run([REPO / "examples/windows.prepare"], check=True, capture_output=True)
    else:
        command = [REPO / "scripts/flyover", "run", REPO / "examples/windows.yaml"]
    done = subprocess.run(command, cwd=place.path, capture_output=True, timeout=600, check=False)
    eq(done.returncode, 0, done.stderr.decode())
    expected = count_views((REPO / "build/text/events.jsonl").read_text().splitlines())
    found = [json.loads(line) for line in (REPO / "build/views.jsonl").read_text().splitlines()]
    eq(found_views(found), {name: entry[0] for name, entry in expected.items()})
    eq((REPO / "build/late.jsonl").read_text(), "", "late events")


@test
def sums_over_every_way_through(place):
    """Shuffled and keyed, one and two cores, one and two sources: nothing is late, nothing is lost."""
    expected = count_views(make(place, 60000))
    for cores, tasks, grouping in (("0", 1, "local"), ("0-1", 1, "local"), ("0-1", 2, "shuffle")):
        result = place.run(f"""
  lines: {{type: file, path: events.jsonl, tasks: {tasks}}}
  timed: {{type: timestamps, inputs: [{{from: lines, grouping: {grouping}}}], time: at, late_by: {
      '1h' if grouping == 'shuffle' else '100ms'}}}
  pages: {{type: select, inputs: [timed], key: page}}
  views: {{type: window, inputs: [{{from: pages, grouping: key}}], every: 10s, time: at, aggregate: sum, field: ms}}
  out:   {{type: file, inputs: [views], path: views.jsonl, codec: json}}
  late:  {{type: file, inputs: [views.late], path: late.jsonl}}
""", "--cores", cores)
        eq(place.read("late.jsonl"), b"")
        eq(found_views(place.objects("views.jsonl"), "sum"), expected)
        eq(result.summary["stages"]["views"]["acked"], len(expected))


def line_of(run):
    """The next line of standard output, and nothing beyond it."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(run.process.stdout.fileno(), 1)
        if not byte:
            raise AssertionError(f"no line came: {run.err()}")
        line += byte
    return json.loads(line)


def feed(place, window="", late=""):
    """Events of 5 and 12 s, and one of 3 s after the first window has come (with a window that waits longer: at once).
    What came, and the result."""
    run = place.start(f"""
  lines: {{type: stdin}}
  timed: {{type: timestamps, inputs: [lines], time: t, time_format: unix_s, late_by: 1s}}
  views: {{type: window, inputs: [{{from: timed, grouping: global}}], every: 10s, time: t, time_format: unix_s{window}}}
  out:   {{type: stdout, inputs: [views]}}
{late}
""", "--cores", "0-1", stdin=subprocess.PIPE)
    run.process.stdin.write(b'{"t":5}\n{"t":12}\n')
    run.process.stdin.flush()
    found = [] if window else [line_of(run)]
    run.process.stdin.write(b'{"t":3}\n{"t":25}\n')
    run.process.stdin.close()
    run.process.stdin = None
    result = run.wait().expect(0)
    found += [json.loads(line) for line in result.lines()]
    return [(entry["window_start"], entry["count"]) for entry in found], result


@test
def windows_come_before_the_end(place):
    """And late events go where they are wanted."""
    found, result = feed(place, late="  late:  {type: file, inputs: [views.late], path: late.jsonl}")
    eq(found, [(0, 1), (10, 1), (20, 1)])
    eq(place.lines("late.jsonl"), ['{"t":3}'])
    eq(result.node("views")["errors"], 0)


@test
def late_events_that_nobody_wants_are_counted(place):
    found, result = feed(place)
    eq(found, [(0, 1), (10, 1), (20, 1)])
    eq(result.node("views")["errors"], 1)
    eq(result.source()["acked"], 4)


@test
def allowed_lateness_waits(place):
    found, result = feed(place, window=", allowed_lateness: 20s")
    eq(found, [(0, 2), (10, 1), (20, 1)])
    eq(result.node("views")["errors"], 0)


@test
def an_idle_source_holds_nobody_up(place):
    """One of two sources says nothing: with idle_after the other one's windows come nevertheless."""
    os.mkfifo(place / "quiet")
    quiet = os.open(place / "quiet", os.O_RDWR)
    place.write("events.jsonl", "".join(f'{{"t": {t}}}\n' for t in range(100)))
    run = place.start("""
  lines: {type: stdin}
  other: {type: file, path: events.jsonl}
  fast:  {type: timestamps, inputs: [other], time: t, time_format: unix_s, late_by: 0s}
  slow:  {type: timestamps, inputs: [lines], time: t, time_format: unix_s, late_by: 0s, idle_after: 200ms}
  views: {type: window, inputs: [{from: fast, grouping: global}, {from: slow, grouping: global}], every: 10s,
          time: t, time_format: unix_s}
  out:   {type: stdout, inputs: [views]}
""", "--cores", "0-1", json=False, stdin=quiet)
    os.close(quiet)
    first = run.process.stdout.readline()
    run.signal(2)
    run.wait()
    has(first.decode(), '"window_start":0,"window_end":10,"count":10}')


@test
def what_is_wrong_is_named(place):
    place.write("in.txt", "")
    for window, text in ((", every: 10s", "time"), (", time: at", "every"), (", time: a..b, every: 1s", "not a path"),
                         (", time: at, every: 1s, field: x", "field")):
        result = place.run(f"""
  lines: {{type: file, path: in.txt}}
  views: {{type: window, inputs: [{{from: lines, grouping: key}}]{window}}}
  out:   {{type: drop, inputs: [views]}}
""", code=CONFIG)
        has(result.err, text)


if __name__ == "__main__":
    main()
