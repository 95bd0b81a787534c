#!/usr/bin/env python3
"""Word count over real and generated text equals an independent count."""

import json
import os
import subprocess

from flyover_run import FLYOVER, REPO, counts, eq, has, main, test, words

PIPELINE = """
pipeline: wordcount
nodes:
  lines:  {type: file, path: text.txt, tasks: %d}
  words:  {type: split, inputs: [lines], lowercase: true}
  counts: {type: count, inputs: [{from: words, grouping: key}]}
  out:    {type: file, inputs: [counts], path: counts.jsonl, codec: json}
"""


def make(place, kind, *lines):
    subprocess.run([REPO / "examples/make-text", kind, place / "text.txt", *lines], check=True, capture_output=True)
    return place.read("text.txt")


def count_text(place, text, cores, tasks):
    result = place.run(PIPELINE % tasks, "--cores", cores)
    eq(counts(place, "counts.jsonl"), dict(words(text)))
    source = result.source()
    eq(source["in"], len(text.splitlines()), "lines")
    eq(source["acked"], source["in"])
    eq(source["bytes"], len(text) - text.count(b"\n"))
    eq(result.node("words")["out"], sum(words(text).values()))
    return result


@test
def real_text_on_one_core(place):
    count_text(place, make(place, "kjv"), "0", 1)


@test
def real_text_on_two_cores(place):
    text = make(place, "kjv")
    for tasks in (1, 2):
        count_text(place, text, "0-1", tasks)


@test
def storm_text(place):
    text = make(place, "storm", "300000")
    count_text(place, text, "0-1", 2)
    count_text(place, text, "1", 1)


@test
def example_through_the_one_command(place):
    release = REPO / "build/release/controlplane/flyover"
    if not os.path.samefile(release, FLYOVER):
        # The command builds the release; a test of another build does not.
        command = [FLYOVER, "run", REPO / "examples/wordcount.yaml"]
        subprocess.run([REPO / "examples/wordcount.prepare"], check=True, capture_output=True)
    else:
        command = [REPO / "scripts/flyover", "run", REPO / "examples/wordcount.yaml"]
    done = subprocess.run(command, cwd=place.path, capture_output=True, timeout=600, check=False)
    eq(done.returncode, 0, done.stderr.decode())
    expected = words((REPO / "build/text/kjv.txt").read_bytes())
    found = [json.loads(line) for line in done.stdout.splitlines()]
    eq([entry["count"] for entry in found], sorted(expected.values(), reverse=True)[:10])
    eq({entry["key"].encode(): entry["count"] for entry in found}, dict(expected.most_common(10)))
    written = [json.loads(line) for line in (REPO / "build/wordcount.jsonl").read_bytes().splitlines()]
    eq({entry["key"].encode(): entry["count"] for entry in written}, dict(expected))


@test
def summary_on_request(place):
    make(place, "kjv")
    result = place.run(PIPELINE % 1, "--progress", "always", json=False)
    has(result.err, "wordcount: ended after", "lines", "31102", "p9999", "counts.jsonl")


if __name__ == "__main__":
    main()
