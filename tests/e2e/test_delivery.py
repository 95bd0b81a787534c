#!/usr/bin/env python3
"""At least once: retries, timeouts, dead letters, and the ledger that accounts for every message."""

import base64
import collections
import re
import struct

from flyover_run import IO, eq, has, main, test

PIPELINE = """
pipeline: delivery
%s
nodes:
  lines:  {type: file, path: in.txt%s}
  faults: {type: inject_fault, inputs: [lines], %s, tasks: 1}
  out:    {type: file, inputs: [faults], path: out.txt}
  dead:   {type: file, path: dead.jsonl, codec: json%s}
"""
TO_DEAD = ", dead_letters: dead"
FAST = "retry: {attempts: 3, backoff: 5ms}"


def faulty(place, fault, *options, top=FAST, source=TO_DEAD, sink="", cnt=1000, **more):
    """Runs lines through inject_fault; returns (result, lines)."""
    lines = place.numbered("in.txt", cnt, width=6)
    text = PIPELINE % (top, source, fault, sink)
    if "dead_letters" not in top + source:
        text = re.sub(r"\n  dead: .*", "", text)
    return place.run(text, "--cores", "0", *options, **more), lines


def unpack(data):
    """Yields the objects of a msgpack stream of maps, strings, binaries and whole numbers."""
    at = 0

    def take(cnt):
        nonlocal at
        at += cnt
        return data[at - cnt:at]

    def value():
        kind = take(1)[0]
        if kind < 0x80:
            return kind
        if kind < 0x90:
            return {value(): value() for _ in range(kind & 15)}
        if 0xA0 <= kind < 0xC0:
            return take(kind & 31).decode()
        fixed = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
        if kind in fixed:
            return struct.unpack(fixed[kind], take(struct.calcsize(fixed[kind])))[0]
        sized = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
        length = struct.unpack(sized[kind], take(struct.calcsize(sized[kind])))[0]
        return take(length) if kind < 0xC7 else take(length).decode()

    while at < len(data):
        yield value()


@test
def failed_messages_are_tried_again(place):
    result, lines = faulty(place, "mode: fail, probability: 0.3, seed: 5", top="retry: {attempts: 50, backoff: 1ms}")
    eq(sorted(place.lines("out.txt")), lines)
    eq(result.source()["acked"], 1000)
    eq(300 < result.source()["retried"] < 600, True, result.source()["retried"])
    eq(result.node("faults")["errors"], result.source()["retried"])
    eq(place.read("dead.jsonl"), b"")


@test
def exhausted_attempts_make_a_dead_letter(place):
    result, lines = faulty(place, "mode: fail, contains: '7'")
    bad = [line for line in lines if "7" in line]
    eq(sorted(place.lines("out.txt")), [line for line in lines if "7" not in line])
    dead = place.objects("dead.jsonl")
    eq(sorted(entry["payload"] for entry in dead), bad)
    entry = dead[0]
    eq({key: entry[key] for key in ("reason", "node", "source", "attempts")},
       {"reason": "injected_fault", "node": "faults", "source": "lines", "attempts": 3})
    eq(bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])), True, entry["time"])
    eq({entry["id"] for entry in dead}, {i * 12 for i, line in enumerate(lines) if "7" in line}, "offsets")
    eq(result.source()["failed"], len(bad))
    eq(result.source()["dead_letters"], len(bad))
    eq(result.source()["failed_by"], {"injected_fault": len(bad)})
    eq(result.source()["retried"], 2 * len(bad))


@test
def dead_letters_of_the_whole_pipeline(place):
    place.numbered("in.txt", 10)
    result = place.run("""
pipeline: whole
dead_letters: dead
retry: {attempts: 1}
nodes:
  one:  {type: file, path: in.txt}
  two:  {type: generate, count: 10, payload: 'two'}
  bad:  {type: inject_fault, inputs: [one, two], mode: fail}
  out:  {type: file, inputs: [bad], path: out.txt}
  dead: {type: file, path: dead.bin, codec: msgpack}
""")
    dead = list(unpack(place.read("dead.bin")))
    eq(collections.Counter(entry["source"] for entry in dead), {"one": 10, "two": 10})
    eq({entry["reason"] for entry in dead}, {"injected_fault"})
    eq({bytes(entry["payload"]) for entry in dead if entry["source"] == "two"}, {b"two"})
    eq(sum(source["failed"] for source in result.summary["sources"].values()), 20)


@test
def without_dead_letters_they_are_dropped_and_counted(place):
    result, _ = faulty(place, "mode: fail, every_nth: 1", source="", top=FAST, cnt=100)
    eq(result.source()["dropped"], 100)
    eq(result.source()["dropped_by"], {"injected_fault": 100})
    eq(place.read("out.txt"), b"")


@test
def lost_acks_time_out_and_come_again(place):
    result, lines = faulty(place, "mode: drop_ack, contains: '5', times: 20",
                           top="ack_timeout: 200ms\nretry: {attempts: 5, backoff: 1ms}")
    found = collections.Counter(place.lines("out.txt"))
    eq(sorted(found), lines)
    eq(result.source()["timeouts"] >= 20, True)
    eq(result.source()["acked"], 1000)


@test
def timeouts_end_as_dead_letters(place):
    result, _ = faulty(place, "mode: drop_ack, contains: '00007'",
                       top="ack_timeout: 100ms\nretry: {attempts: 2, backoff: 1ms}")
    dead = place.objects("dead.jsonl")
    eq({entry["reason"] for entry in dead}, {"timeout"})
    eq({entry["attempts"] for entry in dead}, {2})
    eq(result.source()["failed_by"], {"timeout": len(dead)})
    eq(len(dead), 11)


@test
def late_acks_are_ignored(place):
    """The ack of a first attempt comes after its timeout: the second one counts, once."""
    result, lines = faulty(place, "mode: drop_ack, contains: '5', times: 30, duration: 300ms",
                           top="ack_timeout: 100ms\nretry: {attempts: 9, backoff: 1ms}", cnt=200)
    eq(result.source()["acked"], 200)
    eq(sorted(set(place.lines("out.txt"))), lines)


@test
def slow_stages_are_not_failed_before_their_time(place):
    result, lines = faulty(place, "mode: slow, every_nth: 100, duration: 20ms", top="ack_timeout: 10s")
    eq(result.source()["retried"], 0)
    eq(sorted(place.lines("out.txt")), lines)


@test
def large_messages_are_tried_again(place):
    lines = ["%06d" % i + "x" * 500000 for i in range(8)]
    place.write("in.txt", "\n".join(lines))
    result = place.run(PIPELINE % ("retry: {attempts: 20, backoff: 1ms}", TO_DEAD, "mode: fail, probability: 0.5", ""),
                       "--cores", "0-1")
    eq(sorted(place.lines("out.txt")), lines)
    eq(result.source()["retried"] > 0, True)


@test
def a_split_root_fails_as_a_whole(place):
    place.write("in.txt", "good good good\ngood bad good\n")
    result = place.run("""
  lines:  {type: file, path: in.txt, retry: {attempts: 2, backoff: 1ms}, dead_letters: dead}
  words:  {type: split, inputs: [lines]}
  faults: {type: inject_fault, inputs: [{from: words, grouping: shuffle}], mode: fail, contains: bad}
  out:    {type: file, inputs: [faults], path: out.txt}
  dead:   {type: file, path: dead.jsonl, codec: json}
""", "--cores", "0-1")
    eq([entry["payload"] for entry in place.objects("dead.jsonl")], ["good bad good"])
    eq(place.lines("out.txt").count("good"), 3 + 2 * 2)
    eq(result.source()["acked"], 1)


@test
def batches_fail_all_their_messages(place):
    place.numbered("in.txt", 100, width=3)
    result = place.run("""
  lines:  {type: file, path: in.txt, retry: {attempts: 2, backoff: 1ms}, dead_letters: dead}
  pages:  {type: batch, inputs: [lines], limit: 10, wait_ms: 20}
  faults: {type: inject_fault, inputs: [pages], mode: fail, contains: 'line 055'}
  out:    {type: file, inputs: [faults], path: out.txt}
  dead:   {type: file, path: dead.jsonl, codec: json}
""", "--cores", "0")
    dead = {entry["payload"] for entry in place.objects("dead.jsonl")}
    eq("line 055" in dead, True)
    eq(len(dead) <= 19, True, len(dead))
    eq(sorted(dead | set(place.lines("out.txt"))), [f"line {i:03}" for i in range(100)])
    eq(result.source()["acked"] + result.source()["failed"], 100)


@test
def stdin_retries_from_copies(place):
    lines = [f"line {i}" for i in range(2000)]
    result = place.run("""
  lines:  {type: stdin, retry: {attempts: 40, backoff: 1ms}}
  faults: {type: inject_fault, inputs: [lines], mode: fail, probability: 0.3}
  out:    {type: file, inputs: [faults], path: out.txt}
""", stdin=open(place.write("in.txt", "\n".join(lines)), "rb"))
    eq(sorted(place.lines("out.txt")), sorted(lines))
    eq(result.source()["retried"] > 100, True)


@test
def output_of_count_is_tried_again(place):
    """What a stage sends at the end is a root of its own, with retries of its own."""
    place.write("in.txt", " ".join(f"word{i}" for i in range(500)))
    result = place.run("""
pipeline: own
retry: {attempts: 40, backoff: 1ms}
nodes:
  lines:  {type: file, path: in.txt}
  words:  {type: split, inputs: [lines]}
  counts: {type: count, inputs: [{from: words, grouping: key}]}
  faults: {type: inject_fault, inputs: [counts], mode: fail, probability: 0.3}
  out:    {type: file, inputs: [faults], path: out.txt}
""", "--cores", "0-1")
    eq(sorted(entry["key"] for entry in place.objects("out.txt")), sorted(f"word{i}" for i in range(500)))
    stage = result.summary["stages"]["counts"]
    eq(stage["acked"], 500)
    eq(stage["retried"] > 50, True)


@test
def a_full_state_fails_the_message(place):
    place.write("in.txt", "\n".join(f"key{i}" for i in range(5000)))
    result = place.run("""
  lines:  {type: file, path: in.txt, retry: {attempts: 1}, dead_letters: dead}
  counts: {type: count, inputs: [{from: lines, grouping: global}], tasks: 1, state_bytes: 64KiB}
  out:    {type: file, inputs: [counts], path: out.txt}
  dead:   {type: file, path: dead.jsonl, codec: json}
""")
    eq({entry["reason"] for entry in place.objects("dead.jsonl")}, {"state_full"})
    eq(len(place.lines("out.txt")) + len(place.lines("dead.jsonl")), 5000)
    eq(set(result.source()["failed_by"]), {"state_full"})


@test
def dead_letters_whose_sink_fails(place):
    """The dead-letter sink cannot write either: the run says so, and counts them as dropped."""
    lines = place.numbered("in.txt", 50)
    result = place.run(PIPELINE % (FAST, TO_DEAD, "mode: fail, every_nth: 2", ""),
                       "--set", "nodes.dead.path=/dev/full", code=None, timeout=30)
    eq(result.code, IO, repr(result))
    has(result.err, "node 'dead' (file) cannot write /dev/full: No space left on device")
    source = result.source()
    eq(source["acked"] + source["dropped"], len(lines))
    eq(source["failed"], 0)


@test
def dead_letters_replay_as_they_were(place):
    """The original bytes come through, also those that are not UTF-8."""
    payload = bytes(byte for byte in range(256) if byte != 10)
    place.write("in.txt", payload + b"\n")
    text = PIPELINE % ("retry: {attempts: 1}", TO_DEAD, "mode: fail", "")
    place.run(text)
    eq(base64.b64decode(place.objects("dead.jsonl")[0]["payload_base64"]), payload)
    place.run(text, "--set", "nodes.dead.codec=msgpack")
    eq(bytes(next(unpack(place.read("dead.jsonl")))["payload"]), payload)


@test
def two_sources_have_a_ledger_each(place):
    place.numbered("in.txt", 100)
    result = place.run("""
pipeline: two
retry: {attempts: 2, backoff: 1ms}
nodes:
  one:    {type: file, path: in.txt}
  two:    {type: generate, count: 200, payload: 'fine'}
  faults: {type: inject_fault, inputs: [one, two], mode: fail, contains: line}
  out:    {type: drop, inputs: [faults]}
""")
    eq(result.source("one")["dropped"], 100)
    eq(result.source("two")["acked"], 200)


if __name__ == "__main__":
    main()
