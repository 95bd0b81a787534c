#!/usr/bin/env python3
"""Every workload runs, and its result is right: perf/run --quick, and the tools around it. No bar is a test."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ["FLYOVER_BUILD"])


def workloads():
    listed = subprocess.run([REPO / "perf/run", "--list"], check=True, capture_output=True, text=True)
    return [line.split()[0] for line in listed.stdout.splitlines()]


def quick(names):
    """The outcome of each workload: (TAP line's end, comment)."""
    done = subprocess.run([REPO / "perf/run", "--quick", "--build", BUILD, "--format", "json", *names], check=False,
                          capture_output=True, text=True, timeout=240)
    if done.returncode not in (0, 1) or not done.stdout.startswith("{"):
        return {name: (None, done.stderr[-2000:]) for name in names}
    said = json.loads(done.stdout)
    outcomes = {one["workload"]: (f" # SKIP {one['reason']}", "") for one in said["skipped"]}
    outcomes.update({one["workload"]: (None, one["reason"]) for one in said["void"]})
    outcomes.update({one["workload"]: ("", "") for one in said["measured"]})
    return {name: outcomes.get(name, (None, "it is not in the result")) for name in names}


def main():
    names = workloads()
    print(f"1..{len(names)}", flush=True)
    failed = False
    for number, (name, (end, comment)) in enumerate(quick(names).items(), 1):
        failed |= end is None
        print(f"{'not ok' if end is None else 'ok'} {number} - {name}{end or ''}")
        for line in comment.splitlines():
            print(f"# {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
