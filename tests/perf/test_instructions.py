#!/usr/bin/env python3
"""Instructions per message can be counted; how many there are is said, and no test."""

import os
import shutil
import subprocess
from pathlib import Path

from flyover_run import REPO, Skip, eq, has, main, test


def count(name):
    if not shutil.which("valgrind"):
        raise Skip("there is no valgrind")
    done = subprocess.run([REPO / "perf/instructions", "--build", Path(os.environ["FLYOVER_BUILD"]), name], check=False,
                          capture_output=True, text=True, timeout=200)
    eq(done.returncode, 0, done.stderr[-1000:])
    line = done.stdout.strip()
    has(line, name, "per ")
    eq(1 < float(line.split()[1]) < 100000, True, line)
    print(f"# {line}", flush=True)


@test
def of_a_message_through_a_chain(_place):
    count("identity")


@test
def of_a_message_counted_by_key(_place):
    count("keyed-1e3")


@test
def of_a_word(_place):
    count("wordcount")


main()
