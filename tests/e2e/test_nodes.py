#!/usr/bin/env python3
"""Every built-in node in a pipeline, and every grouping."""

import collections
import json
import subprocess
import time

from flyover_run import CONFIG, REPO, eq, has, main, test, wait_for


def through(place, lines, stage, *options, sink="raw"):
    """What comes out of a stage, in order: one core, one task."""
    place.write("in.txt", "".join(line + "\n" for line in lines))
    place.run(f"""
  lines: {{type: file, path: in.txt}}
  stage: {{inputs: [lines], {stage}}}
  out:   {{type: file, inputs: [stage], path: out.txt, codec: {sink}}}
""", "--cores", "0", *options)
    return place.lines("out.txt")


@test
def generate_counts_and_keys(place):
    place.run("""
  load: {type: generate, count: 10000, payload: 'n {seq} of {key}', keys: {kind: sequential, distinct: 10}, tasks: 1}
  out:  {type: file, inputs: [load], path: out.txt}
""")
    eq(sorted(place.lines("out.txt")), sorted(f"n {i} of k{i % 10}" for i in range(10000)))


@test
def generate_over_tasks_makes_each_message_once(place):
    place.run("""
  load: {type: generate, count: 100001, payload: '{seq}', tasks: 2}
  out:  {type: file, inputs: [load], path: out.txt}
""", "--cores", "0-1")
    eq(sorted(map(int, place.lines("out.txt"))), list(range(100001)))


@test
def generate_is_the_same_with_the_same_seed(place):
    found = []
    for seed in (1, 1, 2):
        place.run(f"""
  load: {{type: generate, count: 1000, payload: '{{key}} {{random}}', keys: {{kind: zipf, distinct: 50}}, seed: {seed}}}
  out:  {{type: file, inputs: [load], path: out.txt}}
""", "--cores", "0")
        found.append(place.lines("out.txt"))
    eq(found[0], found[1])
    eq(found[0] == found[2], False)
    keys = collections.Counter(line.split()[0] for line in found[0]).most_common()
    eq(keys[0][1] > 5 * keys[-1][1], True, "zipf is skewed")


@test
def generate_keeps_its_rate_and_size(place):
    result = place.run("""
  load: {type: generate, rate: 5000, size: 200}
  out:  {type: drop, inputs: [load]}
""", "--duration", "2s")
    source = result.source()
    eq(8000 < source["in"] < 12000, True, source["in"])
    eq(source["bytes"], 200 * source["in"])


@test
def split_by_separator_and_lines(place):
    eq(through(place, ["a,b,,c", "d"], "type: split, separator: ','"), ["a", "b", "c", "d"])
    eq(through(place, ["  A b\tC  "], "type: split, lowercase: true"), ["a", "b", "c"])


@test
def filter_conditions(place):
    lines = ["red apple", "green pear", "red pear", "apple"]
    eq(through(place, lines, "type: filter, contains: red"), ["red apple", "red pear"])
    eq(through(place, lines, "type: filter, equals: apple"), ["apple"])
    eq(through(place, lines, "type: filter, matches: '^(red|green) p'"), ["green pear", "red pear"])
    eq(through(place, lines, "type: filter, contains: red, negate: true"), ["green pear", "apple"])


@test
def map_changes_text(place):
    eq(through(place, ["a-b", "c"], "type: map, replace: '-', with: ' to ', case: upper, prefix: '<', suffix: '>'"),
       ["<A TO B>", "<C>"])


@test
def ports_by_name(place):
    place.write("in.txt", "error one\nslow 12345\nfine\nerror slow 99999\n")
    place.run("""
  lines:  {type: file, path: in.txt}
  router: {type: route, inputs: [lines], ports: {errors: {contains: error}, slow: {matches: 'slow [0-9]{4,}'}}}
  good:   {type: filter, inputs: [router.otherwise], contains: x}
  a: {type: file, inputs: [router.errors], path: errors.txt}
  b: {type: file, inputs: [router.slow], path: slow.txt}
  c: {type: file, inputs: [good.rest], path: fine.txt}
""", "--cores", "0-1")
    eq(sorted(place.lines("errors.txt")), ["error one", "error slow 99999"])
    eq(place.lines("slow.txt"), ["slow 12345"])
    eq(place.lines("fine.txt"), ["fine"])


@test
def messages_to_a_port_that_nobody_reads_are_done(place):
    place.write("in.txt", "a\nb\n")
    result = place.run("""
  lines:  {type: file, path: in.txt}
  router: {type: route, inputs: [lines], ports: {a: {contains: a}}}
  out: {type: file, inputs: [router.a], path: out.txt}
""")
    eq(result.source()["acked"], 2)
    eq(place.lines("out.txt"), ["a"])


@test
def count_top_every_and_each_change(place):
    lines = ["a"] * 5 + ["b"] * 3 + ["c"]
    base = "type: count, inputs: [{from: lines, grouping: key}], tasks: 1"
    place.write("in.txt", "\n".join(lines))

    def count(more):
        place.run(f"""
  lines: {{type: file, path: in.txt}}
  c: {{{base}, {more}}}
  out: {{type: file, inputs: [c], path: out.txt}}
""", "--cores", "0")
        return [(entry["key"], entry["count"]) for entry in place.objects("out.txt")]

    eq(count("top: 2"), [("a", 5), ("b", 3)])
    eq(sorted(count("emit: each_change")), sorted([("a", i) for i in range(1, 6)] + [("b", i) for i in range(1, 4)]
                                                  + [("c", 1)]))
    eq(sorted(count("emit: every, every: 10ms"))[-1], ("c", 1))


@test
def count_every_interval_while_running(place):
    run = place.start("""
  load: {type: generate, rate: 1000, payload: x, tasks: 1}
  c:    {type: count, inputs: [{from: load, grouping: global}], emit: every, every: 50ms, tasks: 1}
  out:  {type: file, inputs: [c], path: out.txt, mode: append}
""", "--duration", "1s")
    wait_for(lambda: (place / "out.txt").exists() and len(place.lines("out.txt")) >= 3, "counts while it runs")
    result = run.wait().expect(0)
    found = [entry["count"] for entry in place.objects("out.txt")]
    eq(found, sorted(found))
    eq(found[-1], result.source("load")["in"])


@test
def json_messages(place):
    place.write("in.txt", '{"user": {"name": "eve"}, "n": 1, "text": "hi \\u00e9"}\n[not json\n{"user": {"name": "bob"}}\n')
    result = place.run("""
  lines:  {type: file, path: in.txt, dead_letters: dead, retry: {attempts: 1}}
  events: {type: parse_json, inputs: [lines]}
  by:     {type: select, inputs: [events], key: user.name, payload: text}
  out:    {type: file, inputs: [by], path: out.jsonl, codec: json}
  dead:   {type: file, path: dead.jsonl, codec: json}
""", "--cores", "0")
    eq([(entry["key"], entry["payload"]) for entry in place.objects("out.jsonl")], [("eve", "hi é")])
    dead = {entry["node"]: entry for entry in place.objects("dead.jsonl")}
    eq(sorted(dead), ["by", "events"])
    eq(dead["events"]["payload"], "[not json")
    eq(result.source()["failed"], 2)


@test
def filter_and_route_by_field(place):
    lines = ['{"type":"view","n":1}', '{"type":"click","n":2}', '{"n":3}', '{"type":{"view":1},"n":4}']
    eq(through(place, lines, "type: filter, field: type, equals: view"), lines[:1])
    eq(through(place, lines, "type: filter, field: type.view, equals: 1"), lines[3:])
    eq(through(place, lines, "type: filter, field: type, equals: view, negate: true"), lines[1:])
    place.write("in.txt", "\n".join(lines + ["no json"]))
    result = place.run("""
  lines:  {type: file, path: in.txt, dead_letters: dead, retry: {attempts: 1}}
  kinds:  {type: route, inputs: [lines], ports: {views: {field: type, equals: view}, late: {field: n, matches: '[34]'}}}
  views:  {type: file, inputs: [kinds.views], path: views.txt}
  late:   {type: file, inputs: [kinds.late], path: late.txt}
  others: {type: file, inputs: [kinds.otherwise], path: others.txt}
  dead:   {type: file, path: dead.txt}
""", "--cores", "0")
    eq([place.lines(name) for name in ("views.txt", "late.txt", "others.txt", "dead.txt")],
       [lines[:1], lines[2:], lines[1:2], ["no json"]])
    eq(result.source()["failed"], 1)


@test
def select_makes_new_objects(place):
    lines = ['{"a": {"b": "x\\n"}, "c": [1, {"d": null}], "type": "view"}', '{"type": "click"}']
    where = "where: {field: type, equals: view}"
    eq(through(place, lines, f"type: select, {where}, fields: [a.b, 'c[1].d as e', c]"),
       ['{"b":"x\\n","e":null,"c":[1,{"d":null}]}'])


@test
def lookup_in_a_table(place):
    place.write("users.csv", 'id,name,town\n1,Eve,"Bern, CH"\n2,"Bob ""B""",Köln\n')
    place.write("users.jsonl", '{"user": {"id": 1}, "rights": {"admin": true}}\n')
    lines = ['{"user":1,"town":"old"}', '{"user":2}', '{"user":3}']
    eq(through(place, lines, "type: lookup, path: users.csv, field: user, to: fields"),
       ['{"user":1,"town":"Bern, CH","name":"Eve"}', '{"user":2,"name":"Bob \\"B\\"","town":"Köln"}'])
    eq(through(place, lines, "type: lookup, path: users.csv, field: user, value_columns: name, to: payload, "
                             "on_missing: pass"), ["Eve", 'Bob "B"', '{"user":3}'])
    eq(through(place, lines, "type: lookup, path: users.jsonl, key_column: user.id, value_columns: rights, "
                             "field: user, to: payload"), ['{"admin":true}'])
    eq(through(place, ["2", "4"], "type: lookup, path: users.csv, value_columns: [town], to: payload"), ["Köln"])
    place.write("in.txt", "1\n4\n")
    result = place.run("""
  lines: {type: file, path: in.txt, dead_letters: dead, retry: {attempts: 1}}
  named: {type: lookup, inputs: [lines], path: users.csv, value_columns: name, to: key, on_missing: fail}
  out:   {type: file, inputs: [named], path: out.jsonl, codec: json}
  dead:  {type: file, path: dead.jsonl, codec: json}
""", "--cores", "0")
    eq([(entry["key"], entry["payload"]) for entry in place.objects("out.jsonl")], [("Eve", "1")])
    eq([(entry["node"], entry["reason"], entry["payload"]) for entry in place.objects("dead.jsonl")],
       [("named", "not_found", "4")])
    eq(result.source()["failed"], 1)


@test
def example_of_events(place):
    """The example as it is, and with more events on two cores: counted like an independent count."""
    def expected(folder):
        table = dict(line.split(",") for line in (folder / "ads.csv").read_text().splitlines())
        views = [event["ad_id"] for event in map(json.loads, (folder / "events.jsonl").read_text().splitlines())
                 if event["event_type"] == "view"]
        return collections.Counter(table.get(ad, ad) for ad in views)

    def shown(text):
        return {entry["key"]: entry["count"] for entry in map(json.loads, text.splitlines())}

    result = place.run(REPO / "examples/events-filter.yaml")
    eq(shown(result.out), expected(REPO / "examples/data"))
    subprocess.run([REPO / "examples/make-events", place / "data", "20000", "100"], check=True)
    copy = place.write("events-filter.yaml", (REPO / "examples/events-filter.yaml").read_text())
    result = place.run(copy, "--cores", "0-1")
    eq(shown(result.out), expected(place / "data"))
    eq(len(shown(result.out)) > 100, True)


@test
def batch_by_limit_and_time(place):
    lines = place.numbered("in.txt", 1050)
    result = place.run("""
  lines: {type: file, path: in.txt}
  pages: {type: batch, inputs: [lines], limit: 100, wait_ms: 50, separator: '|', tasks: 1}
  out:   {type: file, inputs: [pages], path: out.txt}
""", "--cores", "0")
    pages = place.lines("out.txt")
    eq("|".join(pages).split("|"), lines)
    eq(max(page.count("|") + 1 for page in pages), 100)
    eq(result.source()["acked"], 1050)


@test
def throttle_and_delay_take_their_time(place):
    lines = [str(i) for i in range(100)]
    start = time.monotonic()
    eq(through(place, lines, "type: throttle, rate: 200"), lines)
    eq(time.monotonic() - start > 0.4, True)
    start = time.monotonic()
    eq(sorted(through(place, lines, "type: delay, for: 300ms")), sorted(lines))
    eq(0.3 < time.monotonic() - start < 5, True)


GROUPED = """
  load: {type: generate, count: 20000, payload: '{seq} {key}', keys: {kind: uniform, distinct: 500}, tasks: 1}
  work: {type: inject_fault, probability: 0, inputs: [{from: load, grouping: %s}], tasks: 2}
  out:  {type: file, inputs: [work], path: out.txt}
"""


@test
def shuffle_is_even(place):
    place.write("in.txt", "x\n" * 20000)
    place.run("""
  lines: {type: file, path: in.txt}
  c:     {type: count, inputs: [{from: same, grouping: key}]}
  same:  {type: identity, inputs: [{from: lines, grouping: shuffle}]}
  out:   {type: file, inputs: [c], path: out.txt}
""", "--cores", "0-1")
    eq(place.objects("out.txt"), [{"key": "x", "count": 20000}])


@test
def each_grouping_delivers(place):
    for grouping, copies in (("local", 1), ("shuffle", 1), ("key", 1), ("broadcast", 2), ("global", 1)):
        result = place.run(GROUPED % grouping, "--cores", "0-1")
        eq(result.source()["acked"], 20000, grouping)
        eq(result.node("work")["in"], 20000 * copies, grouping)
        found = collections.Counter(int(line.split()[0]) for line in place.lines("out.txt"))
        eq(len(found), 20000, grouping)
        eq(set(found.values()), {copies}, grouping)


@test
def broadcast_counts_every_copy(place):
    """The root is done only when the copy of every task is: a slow one holds it back."""
    result = place.run("""
  load: {type: generate, count: 100, payload: '{seq}', tasks: 1}
  work: {type: delay, for: 200ms, inputs: [{from: load, grouping: broadcast}], tasks: 2}
  out:  {type: file, inputs: [work], path: out.txt}
""", "--cores", "0-1")
    eq(len(place.lines("out.txt")), 200)
    eq(result.source()["latency_ns"]["p50"] >= 190000000, True, result.source()["latency_ns"])


@test
def two_stages_get_a_copy_each(place):
    place.numbered("in.txt", 1000)
    place.run("""
  lines: {type: file, path: in.txt}
  a: {type: file, inputs: [lines], path: a.txt}
  b: {type: file, inputs: [lines], path: b.txt}
""", "--cores", "0-1")
    eq(place.lines("a.txt"), place.lines("b.txt"))
    eq(len(place.lines("a.txt")), 1000)


@test
def a_group_shares_a_stream(place):
    lines = place.numbered("in.txt", 1000)
    place.run("""
  lines: {type: file, path: in.txt}
  a: {type: file, inputs: [{from: lines, grouping: shuffle, group: g}], path: a.txt}
  b: {type: file, inputs: [{from: lines, grouping: shuffle, group: g}], path: b.txt}
""", "--cores", "0-1")
    a, b = place.lines("a.txt"), place.lines("b.txt")
    eq(sorted(a + b), sorted(lines))
    eq(350 < len(a) < 650, True, f"{len(a)} of 1000")


@test
def a_diamond_comes_together(place):
    place.write("in.txt", "x\n" * 5000)
    result = place.run("""
  lines: {type: file, path: in.txt}
  a: {type: map, inputs: [{from: lines, grouping: shuffle}], prefix: a}
  b: {type: map, inputs: [{from: lines, grouping: key}], prefix: b}
  c: {type: count, inputs: [{from: a, grouping: global}, {from: b, grouping: global}, {from: lines, grouping: global}], tasks: 1}
  out: {type: file, inputs: [c], path: out.txt}
""", "--cores", "0-1")
    eq({entry["key"]: entry["count"] for entry in place.objects("out.txt")}, {"ax": 5000, "bx": 5000, "x": 5000})
    eq(result.source()["acked"], 5000)


@test
def order_per_key_holds_across_workers(place):
    place.run("""
  load: {type: generate, count: 50000, payload: '{key} {seq}', keys: {kind: uniform, distinct: 100}, tasks: 1}
  same: {type: identity, inputs: [{from: load, grouping: key}]}
  out:  {type: file, inputs: [{from: same, grouping: global}], path: out.txt}
""", "--cores", "0-1")
    last = {}
    for line in place.lines("out.txt"):
        key, seq = line.split()
        eq(last.get(key, -1) < int(seq), True, line)
        last[key] = int(seq)


@test
def several_files_make_one_pipeline(place):
    place.write("in.txt", "a\nb\n")
    first = place.write("one.yaml", "pipeline: both\nnodes:\n  lines: {type: file, path: in.txt}\n")
    second = place.write("two.yaml", "nodes:\n  out: {type: file, inputs: [lines], path: out.txt}\n")
    place.call("run", first, second)
    eq(sorted(place.lines("out.txt")), ["a", "b"])


@test
def variables_in_values(place):
    place.write("in.txt", "a\n")
    text = """
  lines: {type: file, path: '${WHERE:-nowhere}.txt'}
  tag:   {type: map, inputs: [lines], prefix: '${TAG:?say which}: $$'}
  out:   {type: file, inputs: [tag], path: out.txt}
"""
    import os
    place.run(text, env={**os.environ, "WHERE": "in", "TAG": "t {x: y}"})
    eq(place.lines("out.txt"), ["t {x: y}: $a"])
    has(place.run(text, code=CONFIG).err, "TAG", "say which")


@test
def values_set_on_the_command_line(place):
    place.write("in.txt", "a\n")
    place.run("""
  lines: {type: file, path: nowhere.txt}
  tag:   {type: map, inputs: [lines], prefix: x}
  out:   {type: file, inputs: [tag], path: out.txt}
""", "--set", "nodes.lines.path=in.txt", "--set", "nodes.tag.prefix=y")
    eq(place.lines("out.txt"), ["ya"])


if __name__ == "__main__":
    main()
