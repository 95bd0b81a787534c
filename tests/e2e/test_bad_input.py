#!/usr/bin/env python3
"""What cannot work is refused: one clear sentence with a hint, the right exit code, and nothing left behind."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from flyover_run import CONFIG, DENIED, FLYOVER, IO, LATER, OK, USAGE, Skip, eq, has, main, test

GOOD = """
  lines: {type: file, path: in.txt}
  out:   {type: file, inputs: [lines], path: out.txt}
"""
DATAPLANE = Path(FLYOVER).resolve().parent.parent / "dataplane/flyover-dataplane"


def refused(place, nodes, code, *parts, options=(), top="", **more):
    """The pipeline is refused before anything starts: nothing is made in its folder."""
    if not (place / "in.txt").exists():
        place.write("in.txt", "a\nb\n")
    file = place.write("bad.yaml", f"pipeline: bad\n{top}nodes:\n{nodes}")
    before = sorted(os.listdir(place.path))
    result = place.run(file, *options, code=None, timeout=20, **more).expect(code, *parts)
    eq(result.out, b"", "standard output")
    eq(sorted(os.listdir(place.path)), before, "files")
    return result


def node(value):
    return f"  lines: {{{value}}}\n  out: {{type: drop, inputs: [lines]}}\n"


@test
def missing_input_file(place):
    refused(place, node("type: file, path: nope.txt"), IO, "bad.yaml:3:29: error: cannot read",
            "nope.txt: No such file or directory", "^~~~", "hint: relative paths start at the pipeline file's folder")
    refused(place, node("type: file, path: 'none/*.txt'"), IO, "no file matches", "none/*.txt")


@test
def directory_as_input(place):
    (place / "folder").mkdir()
    refused(place, node("type: file, path: folder"), IO, "folder: Is a directory")


@test
def unreadable_input(place):
    """Root may read everything, so this is done as nobody."""
    if os.geteuid() != 0:
        raise Skip("needs root to become another user")
    secret = place / "secret"
    secret.mkdir()
    place.write("secret/in.txt", "a\n")
    place.write("closed.txt", "a\n").chmod(0)
    secret.chmod(0o700)
    place.path.chmod(0o755)
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    if subprocess.run([FLYOVER, "version"], capture_output=True, check=False, **nobody).returncode:
        raise Skip("the build folder is not open to other users")
    for path in ("secret/in.txt", "closed.txt"):
        refused(place, node(f"type: file, path: {path}"), DENIED, path, "Permission denied", **nobody)
    refused(place, node("type: file, path: 'secret/*.txt'"), DENIED, "Permission denied", **nobody)
    refused(place, GOOD, DENIED, "out.txt", "Permission denied", **nobody)


@test
def full_disk(place):
    """A sink on 1 MiB of space: nothing is acked that is not in the file, and the run says what happened."""
    mount = place / "mount"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], capture_output=True,
                      check=False).returncode:
        raise Skip("tmpfs cannot be mounted here")
    try:
        lines = place.numbered("in.txt", 200000, width=6)
        text = """
  lines: {type: file, path: in.txt, retry: {attempts: 2, backoff: 10ms}%s}
  out:   {type: file, inputs: [lines], path: mount/out.txt}
  dead:  {type: file, path: dead.jsonl, codec: json}
"""
        result = place.run(text.rsplit("\n", 2)[0] % "", code=IO)
        has(result.err, "error: node 'out' (file) cannot write", "mount/out.txt: No space left on device",
            "messages of 'lines' were dropped: they could not be written", "hint: make room")
        written = place.lines("mount/out.txt")
        eq(len(written), result.source()["acked"])
        eq(len(set(written)), len(written), "written twice")
        eq(set(written) <= set(lines), True, "torn records")
        eq(result.source()["dropped_by"], {"io": len(lines) - len(written)})
        eq(os.listdir(mount), ["out.txt"])
        os.unlink(mount / "out.txt")
        result = place.run(text % ", dead_letters: dead", code=IO)
        dead = place.objects("dead.jsonl")
        eq({entry["reason"] for entry in dead}, {"io"})
        eq(sorted(place.lines("mount/out.txt") + [entry["payload"] for entry in dead]), lines)
        has(result.err, "No space left on device")
    finally:
        subprocess.run(["umount", mount], check=True)


@test
def output_folder_that_is_not_there(place):
    refused(place, GOOD.replace("out.txt", "nowhere/out.txt"), IO, "nowhere", "No such file or directory")


@test
def output_that_another_sink_writes(place):
    refused(place, GOOD + "  more: {type: file, inputs: [lines], path: out.txt}\n", CONFIG, "out.txt")


def shared_object(place, name, source):
    """A plugin from C, built against the headers of the tree."""
    place.write(f"{name}.c", source)
    headers = Path(__file__).resolve().parent.parent.parent / "include"
    subprocess.run(["cc", "-shared", "-fPIC", "-I", headers, "-o", place / f"{name}.so", place / f"{name}.c"], check=True)
    return f"plugins: [{name}.so]\n"


@test
def plugins_that_do_not_load(place):
    place.write("text.so", "no shared object")
    refused(place, GOOD, CONFIG, "bad.yaml:2:10: error: cannot load plugin", "nope.so: No such file or directory",
            top="plugins: [nope.so]\n")
    refused(place, GOOD, CONFIG, "cannot load plugin", "text.so", top="plugins: [text.so]\n")
    refused(place, GOOD, CONFIG, "empty.so", "fly_plugin", top=shared_object(place, "empty", "int nothing;\n"))


@test
def plugin_of_another_abi(place):
    top = shared_object(place, "old", """
#include <flyover/stage.h>
static const struct fly_node *const nodes[] = {NULL};
const struct fly_plugin fly_plugin = {FLY_PLUGIN_ABI, "old", "1.0", nodes};
""".replace("FLY_PLUGIN_ABI", "9999, sizeof(struct fly_plugin), 1, 1, 1"))
    result = refused(place, GOOD, CONFIG, "old.so", top=top)
    has(result.err, "hint:")
    eq(bool(re.search(r"9999|ABI|version", result.err)), True, result.err)


@test
def no_memory_for_the_plan(place):
    nodes = """
  lines: {type: file, path: in.txt}
  counts: {type: count, inputs: [{from: lines, grouping: key}], state_bytes: 1TiB}
  out: {type: drop, inputs: [counts]}
"""
    refused(place, nodes, LATER, "error: the plan needs", "MiB are free", "hint: see 'flyover plan'", "state_bytes")


@test
def cores_that_are_not_there(place):
    cpus = os.sysconf("SC_NPROCESSORS_CONF")
    refused(place, GOOD, CONFIG, f"core {cpus + 7} is not there", "hint:", options=["--cores", str(cpus + 7)])
    refused(place, GOOD, USAGE, "--cores", options=["--cores", "many"])
    refused(place, GOOD.replace("in.txt}", f"in.txt, cores: [{cpus + 7}]}}"), CONFIG, f"{cpus + 7}")


@test
def workspace_of_another_version(place):
    """The dataplane that is found is not of this version."""
    place.write("in.txt", "a\n")
    wrapper = place.write("other-dataplane", f"""#!{sys.executable}
import os, struct, sys
os.pwrite(int(sys.argv[2]), struct.pack("<I", 999), 8)
os.execv("{DATAPLANE}", sys.argv)
""")
    wrapper.chmod(0o755)
    result = refused(place, GOOD, IO, "version", env={**os.environ, "FLYOVER_DATAPLANE": str(wrapper)})
    has(result.err, "999")


@test
def a_workspace_that_is_none(place):
    with open(place.write("garbage", os.urandom(65536)), "r+b") as file:
        done = subprocess.run([DATAPLANE, "--workspace-fd", str(file.fileno())], pass_fds=[file.fileno()],
                              capture_output=True, timeout=10, check=False)
    eq(done.returncode, 71)
    has(done.stderr.decode(), "flyover-dataplane:", "workspace")


@test
def dataplane_that_is_missing(place):
    refused(place, GOOD, 69, "nowhere", env={**os.environ, "FLYOVER_DATAPLANE": "/nowhere"})


@test
def missing_variable(place):
    refused(place, node("type: file, path: '${FLY_NOPE}'"), CONFIG,
            "bad.yaml:3:29: error: there is no environment variable 'FLY_NOPE'", "^~~~", "hint: set it, or give a default")


@test
def wrong_units(place):
    refused(place, node("type: file, path: in.txt, ack_timeout: 5"), CONFIG, "'ack_timeout' needs a unit: 5 of what?")
    refused(place, node("type: file, path: in.txt, ack_timeout: 5parsecs"), CONFIG, "unknown unit: '5parsecs'", "hint: units")
    refused(place, node("type: file, path: in.txt, retain_bytes: 5s"), CONFIG, "unknown unit: '5s'")
    refused(place, GOOD, USAGE, "--duration", options=["--duration", "5"])


@test
def values_out_of_range(place):
    for value in ("tasks: 0", "tasks: 65", "max_in_flight: 0", "frames: 1", "retry: {attempts: 0}", "ack_timeout: 101d",
                  "max_message_bytes: 2GiB", "retain_bytes: 99999999999999999999999"):
        key = re.findall(r"\w+(?=:)", value)[-1]
        refused(place, node(f"type: file, path: in.txt, {value}"), CONFIG, "bad.yaml:3:", "error:", key)


@test
def unknown_keys_and_types(place):
    refused(place, node("type: filee, path: in.txt"), CONFIG, "there is no node type 'filee'", "^~~~~", "did you mean 'file'?")
    refused(place, node("type: file, pth: in.txt"), CONFIG, "unknown key 'pth'", "^~~", "did you mean 'path'?")
    refused(place, node("type: file, path: in.txt, framing: newlines"), CONFIG, "newlines", "did you mean 'newline'?")
    refused(place, GOOD, CONFIG, "max_mesage_bytes", "did you mean 'max_message_bytes'?", top="max_mesage_bytes: 1MiB\n")


@test
def duplicate_keys(place):
    refused(place, node("type: file, path: in.txt, path: in.txt"), CONFIG, "the key 'path' is here twice")
    refused(place, GOOD + "  lines: {type: stdin}\n", CONFIG, "the key 'lines' is here twice")


@test
def cycles_and_inputs(place):
    refused(place, "  a: {type: identity, inputs: [b]}\n  b: {type: identity, inputs: [a]}\n" + GOOD, CONFIG,
            "the nodes form a cycle: a -> b -> a")
    refused(place, "  a: {type: identity}\n" + GOOD, CONFIG, "the stage 'a' has no inputs", "hint:")
    refused(place, GOOD.replace("[lines]", "[line]"), CONFIG, "there is no node 'line'", "did you mean 'lines'?")
    refused(place, GOOD.replace("[lines]", "[lines.rest]"), CONFIG, "'lines' has no port 'rest'")
    refused(place, GOOD.replace("{type: file, path: in", "{type: file, inputs: [out], path: in"), CONFIG, "lines")


@test
def dead_letters_that_form_a_cycle(place):
    nodes = """
  lines: {type: file, path: in.txt, dead_letters: again}
  again: {type: identity, inputs: [lines]}
  out:   {type: drop, inputs: [again]}
"""
    refused(place, nodes.replace("dead_letters: again", "dead_letters: nobody"), CONFIG, "nobody")
    refused(place, nodes.replace("dead_letters: again", "dead_letters: lines"), CONFIG, "lines")


@test
def keyed_state_without_keys(place):
    refused(place, """
  lines: {type: file, path: in.txt}
  c:     {type: count, inputs: [{from: lines, grouping: shuffle}]}
  out:   {type: drop, inputs: [c]}
""", CONFIG, "grouping", "key")


@test
def tables_that_do_not_work(place):
    nodes = """
  lines: {type: file, path: in.txt}
  table: {type: lookup, inputs: [lines], path: table.csv, value_columns: b, to: key}
  out:   {type: drop, inputs: [table]}
"""
    refused(place, nodes, IO, "cannot read", "table.csv", "No such file")
    for text, where, what in (("a,b\n1,2\n1,3\n", "table.csv:3:", "the key '1' is in line 2, too"),
                              ("a,b\n1,2\n1\n", "table.csv:3:", "1 columns, where the first line has 2"),
                              ("a,c\n1,2\n", "table.csv:1:", "it has no column 'b'"),
                              ('a,b\n1,"x\n', "table.csv:2:", "a quote is never closed")):
        place.write("table.csv", text)
        has(place.run(nodes, code=CONFIG).err, "node 'table'", where, what)
    refused(place, nodes.replace("to: key", "to: keys"), CONFIG, "'keys'")
    refused(place, nodes.replace("value_columns: b", "value_columns: [b, c]"), CONFIG, "one column")


@test
def conditions_on_fields(place):
    nodes = """
  lines: {type: file, path: in.txt}
  views: {type: filter, inputs: [lines], field: a..b, equals: x}
  out:   {type: drop, inputs: [views]}
"""
    refused(place, nodes, CONFIG, "not a path")
    refused(place, nodes.replace("a..b, equals: x", "a.b"), CONFIG, "no condition")
    refused(place, nodes.replace("filter,", "select, key: a, where: {equals: x, contains: y},")
            .replace("field: a..b, equals: x", ""), CONFIG, "more than one")


@test
def all_errors_at_once(place):
    result = refused(place, """
  lines: {type: filee, path: in.txt}
  words: {type: split, inputs: [lins], lowercase: maybe}
  out:   {type: file, inputs: [words], codec: jsn}
""", CONFIG)
    has(result.err, "filee", "lins", "maybe", "jsn", "'path'")
    eq(result.err.count("error:"), 5, result.err)


@test
def text_that_is_no_yaml(place):
    refused(place, "  lines: {type: file\n", CONFIG, "bad.yaml:", "error:")
    refused(place, "  - a\n  - b\n", CONFIG, "bad.yaml:", "'nodes'")
    file = place.write("binary.yaml", os.urandom(3000))
    place.run(file, code=CONFIG).expect(CONFIG, "binary.yaml:", "error:")
    place.run(place.write("empty.yaml", ""), code=CONFIG).expect(CONFIG, "empty.yaml", "error:")


@test
def missing_parameters(place):
    refused(place, node("type: file"), CONFIG, "'path'")
    refused(place, node("path: in.txt"), CONFIG, "type")
    refused(place, "  lines: {type: file, path: in.txt}\n  f: {type: filter, inputs: [lines], matches: '('}\n"
            "  out: {type: drop, inputs: [f]}\n", CONFIG, "matches")


@test
def findings_for_machines(place):
    file = place.write("bad.yaml", "pipeline: bad\nnodes:\n" + node("type: file, pth: in.txt"))
    found = json.loads(place.call("validate", "--format", "json", file, code=CONFIG).out)
    eq(found["ok"], False)
    error = next(entry for entry in found["errors"] if "pth" in entry["message"])
    eq((error["line"], error["column"], error["severity"], error["node"]), (3, 23, "error", "lines"))
    has(error["hint"], "did you mean 'path'?")
    place.write("in.txt", "a\n")
    good = json.loads(place.call("validate", "--format", "json", place.pipeline(GOOD)).out)
    eq((good["ok"], good["errors"]), (True, []))


@test
def state_of_another_file_or_source(place):
    text = "  lines: {type: file, path: in.txt, state: s}\n  out: {type: drop, inputs: [lines]}\n"
    place.numbered("in.txt", 100)
    place.run(text)
    place.write("in.txt", "something else\n")
    result = place.run(text, code=CONFIG)
    has(result.err, "in.txt", "hint: remove")


@test
def broken_state_file(place):
    text = "  lines: {type: file, path: in.txt, state: s}\n  out: {type: file, inputs: [lines], path: out.txt}\n"
    lines = place.numbered("in.txt", 100)
    place.run(text)
    for name in ("s.0", "s.1"):
        if (place / name).exists():
            place.write(name, os.urandom(500))
    result = place.run(text, code=None)
    if result.code == OK:
        eq(place.lines("out.txt"), lines)
    else:
        eq(result.code in (CONFIG, IO), True, repr(result))
        has(result.err, "hint:")


if __name__ == "__main__":
    main()
