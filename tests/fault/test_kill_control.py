#!/usr/bin/env python3
"""kill -9 of the control plane at random moments: the dataplane dies with it, the next start goes on."""

import os
import signal
import time

from flyover_run import FULL, INSTANCES, LATER, OK, eq, has, is_alive, main, test, wait_for

KILLS = 60 if FULL else 12
MAX_IN_FLIGHT = 2048

COPY = f"""
pipeline: killed
max_in_flight: {MAX_IN_FLIGHT}
nodes:
  lines: {{type: file, path: in.txt, state: state}}
  some:  {{type: filter, inputs: [lines], contains: '7'}}
  slow:  {{type: map, inputs: [some], prefix: '>'}}
  out:   {{type: file, inputs: [slow], path: out.txt, mode: %s}}
"""


def kill_and_go_on(place, mode):
    lines = place.numbered("in.txt", 1500000, width=8)
    instance = f"control-{os.getpid()}-{mode}"
    killed, text = 0, COPY % mode
    while killed < KILLS:
        run = place.start(text, "--cores", "0-1", instance=instance)
        pid = run.dataplane()
        time.sleep(place.random.uniform(0, 0.3))
        run.signal(signal.SIGKILL)
        result = run.wait(check=False)
        if result.code == OK:
            break
        killed += 1
        # With prctl(PR_SET_PDEATHSIG): at once, without the help of anybody.
        wait_for(lambda pid=pid: not is_alive(pid), "the dataplane dies with its control plane", 5)
    place.run(text, "--cores", "0-1", instance=instance)
    expected = {">" + line for line in lines if "7" in line}
    found = place.lines("out.txt")
    eq(len(expected - set(found)), 0, "lines lost")
    eq([line for line in found if line not in expected][:3], [], "torn lines")
    repeated = len(found) - len(expected)
    # A new control plane knows what the last saved state says, which is up to 100 ms old.
    eq(repeated <= killed * 500000, True, f"{repeated} repeated by {killed} kills")
    eq((INSTANCES / f"{instance}.json").exists(), False)


@test
def goes_on_with_a_created_file(place):
    kill_and_go_on(place, "create")


@test
def goes_on_with_an_appended_file(place):
    kill_and_go_on(place, "append")


SLOW = """
  load: {type: generate, rate: 1000, payload: x}
  out:  {type: drop, inputs: [load]}
"""


@test
def stale_instances_are_cleaned_by_any_start(place):
    run = place.start(SLOW)
    pid = run.dataplane()
    run.signal(signal.SIGKILL)
    run.wait(check=False)
    wait_for(lambda: not is_alive(pid), "the end of the dataplane")
    eq((INSTANCES / f"{run.instance}.json").exists(), True, "it had no chance to clean up")
    place.run("  load: {type: generate, count: 1}\n  out: {type: drop, inputs: [load]}\n")
    eq((INSTANCES / f"{run.instance}.json").exists(), False)


@test
def an_instance_that_runs_is_not_taken(place):
    first = place.start(SLOW, instance=f"taken-{os.getpid()}")
    first.dataplane()
    second = place.start(SLOW, instance=first.instance)
    result = second.wait(check=False).expect(LATER, f"instance '{first.instance}' runs already, as process {first.pid}",
                                             "hint: stop it, or give this one another name with --instance")
    eq(result.out, b"")
    first.signal(signal.SIGINT)
    has(repr(first.wait().expect(OK).summary["outcome"]), "drained")


@test
def both_killed_at_once(place):
    lines = place.numbered("in.txt", 300000, width=8)
    text = COPY % "create"
    run = place.start(text)
    pid = run.dataplane()
    time.sleep(0.2)
    run.signal(signal.SIGKILL)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    run.wait(check=False)
    place.run(text)
    eq({">" + line for line in lines if "7" in line}, set(place.lines("out.txt")))


if __name__ == "__main__":
    main()
