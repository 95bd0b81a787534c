#!/usr/bin/env python3
"""Messages that crash a stage, dataplanes that never come up, machines that stop for a while."""

import os
import signal
import time

from flyover_run import FAILED, OK, eq, has, is_alive, main, test, wait_for

POISON = """
pipeline: poison
retry: {attempts: 3, backoff: 1ms}
nodes:
  lines:  {type: file, path: in.txt%s}
  faults: {type: inject_fault, inputs: [%s], mode: crash, contains: poison%s}
  out:    {type: file, inputs: [faults], path: out.txt}
  dead:   {type: file, path: dead.jsonl, codec: json}
"""


def poisoned(place, cnt, *at):
    lines = [f"line {i:06}" for i in range(cnt)]
    for i in at:
        lines[i] = f"poison {i:06}"
    place.write("in.txt", "".join(line + "\n" for line in lines))
    return lines


def check(place, lines, result):
    good = [line for line in lines if "poison" not in line]
    dead = place.objects("dead.jsonl")
    eq(sorted(entry["payload"] for entry in dead), sorted(line for line in lines if "poison" in line), "the guilty ones")
    eq({entry["reason"] for entry in dead}, {"crash"})
    eq({entry["attempts"] for entry in dead}, {3})
    eq(set(place.lines("out.txt")), set(good), "the neighbours")
    eq(result.source()["failed_by"], {"crash": len(dead)})
    eq(result.source()["acked"], len(good))


@test
def a_poisonous_message_is_a_dead_letter(place):
    lines = poisoned(place, 20000, 12345)
    result = place.run(POISON % (", dead_letters: dead", "lines", ""), "--cores", "0")
    check(place, lines, result)
    eq(result.summary["restarts"], 3)
    has(result.err, "the dataplane died of signal 6", "under suspicion")


@test
def several_poisonous_messages_on_two_cores(place):
    lines = poisoned(place, 20000, 0, 777, 12345, 12346, 19999)
    result = place.run(POISON % (", dead_letters: dead, state: state", "{from: lines, grouping: shuffle}", ""),
                       "--cores", "0-1", timeout=100)
    check(place, lines, result)


@test
def without_dead_letters_it_is_dropped(place):
    lines = poisoned(place, 1000, 500)
    text = (POISON % ("", "lines", "")).replace("  dead:", "  # dead:")
    result = place.run(text, "--cores", "0")
    eq(result.source()["dropped_by"], {"crash": 1})
    eq(set(place.lines("out.txt")), set(lines) - {"poison 000500"})


@test
def a_crash_loop_ends_with_a_clear_message(place):
    """Every message crashes: no progress, so it is given up."""
    place.write("in.txt", "poison\n" * 2000)
    result = place.run((POISON % (", retry: {attempts: 1000}", "lines", "")).replace("  dead:", "  # dead:"),
                       code=None, timeout=120)
    eq(result.code, FAILED, repr(result))
    has(result.err, "the dataplane died", "times in a row without finishing a message", "given up")


@test
def a_dataplane_that_never_starts(place):
    wrapper = place.write("broken-dataplane", "#!/bin/sh\nkill -SEGV $$\n")
    wrapper.chmod(0o755)
    place.write("in.txt", "a\n")
    result = place.run("  lines: {type: file, path: in.txt}\n  out: {type: drop, inputs: [lines]}\n",
                       env={**os.environ, "FLYOVER_DATAPLANE": str(wrapper)}, code=None, timeout=30)
    eq(result.code, FAILED, repr(result))
    has(result.err, "3 times in a row before it was set up")


@test
def a_stopped_machine_expires_nothing(place):
    """SIGSTOP for longer than ack_timeout: the clock of timeouts stands still, nothing is tried again."""
    place.numbered("in.txt", 3000)
    run = place.start("""
pipeline: stopped
ack_timeout: 800ms
nodes:
  lines: {type: file, path: in.txt, max_in_flight: 128}
  later: {type: delay, inputs: [lines], for: 20ms}
  out:   {type: file, inputs: [later], path: out.txt}
""")
    pid = run.dataplane()
    time.sleep(0.25)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(2)
    os.kill(pid, signal.SIGCONT)
    source = run.wait().expect(OK).source()
    eq((source["timeouts"], source["retried"], source["acked"]), (0, 0, 3000))


@test
def a_hung_stage_times_out(place):
    """A stage that never returns holds its worker; a stop ends the run all the same, at once."""
    place.write("in.txt", "a\nb\n")
    run = place.start("""
  lines:  {type: file, path: in.txt}
  faults: {type: inject_fault, inputs: [lines], mode: hang}
  out:    {type: drop, inputs: [faults]}
""")
    pid = run.dataplane()
    time.sleep(0.3)
    run.signal(signal.SIGINT)
    time.sleep(0.2)
    run.signal(signal.SIGINT)
    result = run.wait(20)
    eq(result.code, 75, repr(result))
    eq(result.source()["in_flight"] > 0, True)
    wait_for(lambda: not is_alive(pid), "the end of the dataplane")


if __name__ == "__main__":
    main()
