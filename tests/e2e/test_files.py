#!/usr/bin/env python3
"""Files in and files out: framings, strange inputs, large records, many records, pipes."""

import json
import os
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from flyover_run import FLYOVER, FULL, IO, OK, REPO, eq, has, main, test, wait_for

COPY = """
  lines: {type: file, path: in.txt%s}
  out:   {type: file, inputs: [lines], path: out.txt}
"""


def copy(place, content, more="", *options):
    place.write("in.txt", content)
    return place.run(COPY % more, *options)


@test
def filter_and_map_keep_order_with_one_task(place):
    lines = place.numbered("in.txt", 50000)
    place.run("""
  lines: {type: file, path: in.txt}
  some:  {type: filter, inputs: [lines], contains: '7', tasks: 1}
  big:   {type: map, inputs: [some], case: upper, prefix: '>', tasks: 1}
  out:   {type: file, inputs: [big], path: out.txt}
""", "--cores", "0-1")
    eq(place.lines("out.txt"), [">" + line.upper() for line in lines if "7" in line])


@test
def empty_input(place):
    result = copy(place, b"")
    eq(result.source()["in"], 0)
    eq(place.read("out.txt"), b"")


@test
def one_line_without_newline(place):
    eq(copy(place, b"alone").source()["in"], 1)
    eq(place.read("out.txt"), b"alone\n")


@test
def empty_lines_are_messages(place):
    eq(copy(place, b"\n\na\n\n").source()["in"], 4)
    eq(place.read("out.txt"), b"\n\na\n\n")


@test
def carriage_returns_stay(place):
    copy(place, b"a\r\nb\r\n")
    eq(place.read("out.txt"), b"a\r\nb\r\n")


@test
def binary_input(place):
    content = place.random.randbytes(3000000)
    result = copy(place, content)
    eq(place.read("out.txt"), content + (b"" if content.endswith(b"\n") else b"\n"))
    eq(result.source()["in"], content.count(b"\n") + (not content.endswith(b"\n")))


@test
def binary_words_are_counted(place):
    place.write("in.txt", bytes(range(256)) * 10)
    place.run("""
  lines:  {type: file, path: in.txt}
  words:  {type: split, inputs: [lines]}
  counts: {type: count, inputs: [{from: words, grouping: key}]}
  out:    {type: file, inputs: [counts], path: out.txt, codec: json}
""")
    found = place.objects("out.txt")
    eq([entry["count"] for entry in found], [10])
    has(found[0], "key_base64")


@test
def framing_length_prefixed(place):
    parts = [place.random.randbytes(place.random.choice([0, 1, 7, 300, 70000])) for _ in range(300)]
    content = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    eq(copy(place, content, ", framing: length_prefixed").source()["acked"], 300)
    eq(place.read("out.txt"), b"".join(part + b"\n" for part in parts))


@test
def framing_length_prefixed_cut_off(place):
    place.write("in.txt", struct.pack(">I", 3) + b"abc" + struct.pack(">I", 300) + b"cut off")
    result = place.run("""
  lines: {type: file, path: in.txt, framing: length_prefixed, dead_letters: dead}
  out:   {type: file, inputs: [lines], path: out.txt}
  dead:  {type: file, path: dead.jsonl, codec: json}
""")
    eq(place.read("out.txt"), b"abc\n")
    eq(result.source()["failed_by"], {"bad_input": 1})
    dead = place.objects("dead.jsonl")
    eq([entry["reason"] for entry in dead], ["bad_input"])


@test
def framing_whole_file(place):
    for name in "abc":
        place.write(f"in/{name}.txt", f"{name}\nof two lines")
    result = place.run("""
  lines: {type: file, path: in/*.txt, framing: whole_file}
  out:   {type: file, inputs: [lines], path: out.jsonl, codec: msgpack}
""")
    eq(result.source()["in"], 3)
    written = place.read("out.jsonl")
    for name in "abc":
        has(written, f"{name}\nof two lines".encode())


@test
def framing_fixed(place):
    content = place.random.randbytes(64 * 1000)
    eq(copy(place, content, ", framing: fixed, record_bytes: 64").source()["in"], 1000)
    eq(place.read("out.txt"), b"".join(content[i:i + 64] + b"\n" for i in range(0, len(content), 64)))


@test
def several_paths_in_their_order(place):
    for name in ("z/1.log", "z/2.log", "a.txt", "m.txt"):
        place.write(name, f"{name} first\n{name} last")
    place.run("""
  lines: {type: file, path: [m.txt, 'z/*.log', a.txt]}
  out:   {type: file, inputs: [lines], path: out.txt}
""", "--cores", "0")
    eq(place.lines("out.txt"), [f"{name} {which}" for name in ("m.txt", "z/1.log", "z/2.log", "a.txt")
                                for which in ("first", "last")])


@test
def two_tasks_read_each_line_once(place):
    lines = place.numbered("in.txt", 300000)
    result = place.run(COPY % ", tasks: 2", "--cores", "0-1")
    eq(result.source()["in"], len(lines))
    eq(sorted(place.lines("out.txt")), sorted(lines))


def huge_line(place, megabytes):
    with open(place / "in.txt", "wb") as file:
        file.write(b"first\n" + b"0123456789abcdef" * 65536 * megabytes + b"\nlast\n")


@test
def huge_line_is_a_dead_letter(place):
    huge_line(place, 100)
    run = place.start("""
  lines: {type: file, path: in.txt, dead_letters: dead}
  out:   {type: file, inputs: [lines], path: out.txt}
  dead:  {type: file, path: dead.jsonl, codec: json}
""")
    dataplane, most = run.dataplane(), 0
    while run.is_running():
        try:
            status = Path(f"/proc/{dataplane}/status").read_text()
            most = max([most] + [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")])
        except OSError:
            break
        time.sleep(0.01)
    result = run.wait().expect(OK)
    eq(place.lines("out.txt"), ["first", "last"])
    dead = place.objects("dead.jsonl")
    eq(len(dead), 1)
    eq({key: dead[0][key] for key in ("reason", "node", "attempts")},
       {"reason": "too_large", "node": "lines", "attempts": 1})
    eq(dead[0]["id"], 6, "offset")
    eq(dead[0]["bytes"], 100 << 20)
    eq(dead[0]["payload"], "0123456789abcdef" * 256)
    eq(result.source()["failed_by"], {"too_large": 1})
    if most > 80 << 10:
        raise AssertionError(f"{most} KiB of memory taken for a line of 100 MiB")


@test
def huge_line_without_dead_letters_is_dropped(place):
    huge_line(place, 8)
    result = place.run(COPY % "")
    eq(place.lines("out.txt"), ["first", "last"])
    eq(result.source()["dropped_by"], {"too_large": 1})


@test
def large_messages_travel_between_workers(place):
    lines = [chr(97 + i % 26) * (i * 40009 % 900000) for i in range(60)]
    place.write("in.txt", "\n".join(lines))
    place.run("""
  lines: {type: file, path: in.txt}
  same:  {type: identity, inputs: [{from: lines, grouping: shuffle}]}
  out:   {type: file, inputs: [{from: same, grouping: global}], path: out.txt}
""", "--cores", "0-1")
    eq(sorted(place.lines("out.txt")), sorted(lines))


@test
def ten_million_tiny_lines(place):
    cnt = 100000000 if FULL else 10000000
    with open(place / "in.txt", "wb") as file:
        for _ in range(cnt // 1000000):
            file.write(b"a\n" * 1000000)
    result = place.run("""
  lines: {type: file, path: in.txt}
  count: {type: count, inputs: [{from: lines, grouping: global}], tasks: 1}
  out:   {type: file, inputs: [count], path: out.txt}
""", timeout=250)
    eq(result.source()["acked"], cnt)
    eq(place.objects("out.txt"), [{"key": "a", "count": cnt}])


@test
def shell_pipe(place):
    file = place.pipeline("""
  lines: {type: stdin}
  some:  {type: filter, inputs: [lines], matches: '^[0-9]*7$'}
  out:   {type: stdout, inputs: [some]}
""")
    command = f"seq 200000 | {FLYOVER} run {file} | wc -l"
    done = subprocess.run(command, shell=True, cwd=place.path, capture_output=True, timeout=60, check=False)
    eq((done.returncode, done.stdout.strip(), done.stderr), (0, b"20000", b""))


@test
def lines_of_a_slow_pipe_come_through_at_once(place):
    run = place.start("  lines: {type: stdin}\n  out: {type: stdout, inputs: [lines]}", stdin=subprocess.PIPE, json=False)
    for text in (b"one\n", b"two\n"):
        run.process.stdin.write(text)
        run.process.stdin.flush()
        eq(run.process.stdout.readline(), text)
    run.process.stdin.write(b"without a newline")
    eq(run.wait().expect(OK).out, b"without a newline\n")


@test
def reader_that_goes_away(place):
    """Nobody reads standard output any more: an error with a message, not a hang or a silent end."""
    place.numbered("in.txt", 200000)
    run = place.start("""
  lines: {type: file, path: in.txt, retry: {attempts: 1}}
  out:   {type: stdout, inputs: [lines]}
""", json=False)
    run.process.stdout.read(10)
    run.process.stdout.close()
    run.process.stdout = None
    result = run.wait(30)
    eq(result.code, IO, repr(result))
    has(result.err, "node 'out' (stdout) cannot write: Broken pipe", "messages of 'lines' were dropped", "hint:")


@test
def output_replaces_only_at_the_end(place):
    place.write("in.txt", "new\n" * 100)
    place.write("out.txt", "old\n")
    run = place.start("""
  lines: {type: file, path: in.txt}
  slow:  {type: throttle, inputs: [lines], rate: 200}
  out:   {type: file, inputs: [slow], path: out.txt}
""")
    wait_for((place / "out.txt.part").exists, "out.txt.part")
    eq(place.read("out.txt"), b"old\n")
    run.wait().expect(OK)
    eq(place.read("out.txt"), b"new\n" * 100)
    eq(os.path.exists(place / "out.txt.part"), False)


@test
def append_goes_on_at_the_end(place):
    place.write("in.txt", "a\nb\n")
    for _ in range(2):
        place.run("""
  lines: {type: file, path: in.txt}
  out:   {type: file, inputs: [lines], path: out.txt, mode: append, fsync: always}
""", "--cores", "0")
    eq(place.lines("out.txt"), ["a", "b", "a", "b"])


@test
def codecs(place):
    place.write("in.txt", '{"a": 1}\n')
    place.run("""
  lines:  {type: file, path: in.txt}
  parsed: {type: parse_json, inputs: [lines]}
  text:   {type: file, inputs: [lines], path: text.jsonl, codec: json}
  json:   {type: file, inputs: [parsed], path: json.jsonl, codec: json}
  pack:   {type: file, inputs: [lines], path: pack.bin, codec: msgpack}
""")
    eq(place.objects("json.jsonl"), [{"a": 1}])
    eq(place.objects("text.jsonl")[0]["payload"], '{"a": 1}')
    eq(place.read("pack.bin")[0] & 0xF0, 0x80, "a msgpack map")


@test
def state_goes_on_where_an_earlier_run_ended(place):
    text = """
  lines: {type: file, path: in.txt, state: state/}
  out:   {type: file, inputs: [lines], path: out.txt, mode: append}
"""
    first = place.numbered("in.txt", 1000)
    place.run(text, "--cores", "0")
    eq(place.run(text, "--cores", "0").source()["in"], 0)
    with open(place / "in.txt", "a", encoding="ascii") as file:
        file.write("more\n")
    place.run(text, "--cores", "0")
    eq(place.lines("out.txt"), first + ["more"])


@test
def a_pipe_as_input_file(place):
    os.mkfifo(place / "in.txt")
    result = place.run(COPY % "", code=None)
    eq(result.code != OK, True)
    has(result.err, "in.txt")


if __name__ == "__main__":
    main()
