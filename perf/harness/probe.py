"""The placement of the cores and their clock, around each run: was it the same machine all the time?"""

import json
import subprocess

FAR_NS = 200  # a round trip of a cache line above this crosses caches
ROUND_TRIP_CHANGE = 2.0  # factors that make a run void; a neighbour on the same core alone makes 1.5 and 1.15
TICK_CHANGE = 1.25


class Probe:
    """What perf/probe said at one moment."""

    def __init__(self, tick_ns, round_trip_ns=None, wake_ns=None):
        self.tick_ns, self.round_trip_ns, self.wake_ns = tick_ns, round_trip_ns, wake_ns

    @property
    def place(self):
        if self.round_trip_ns is None:
            return "one"
        return "far" if self.round_trip_ns > FAR_NS else "near"

    def record(self):
        return {"tick_ns": self.tick_ns, "round_trip_ns": self.round_trip_ns, "place": self.place}


def take(program, cores, wakes=False):
    """Runs the probe on the first two of the cores; they are its own for some 3 ms."""
    pair = f"{cores[0]},{cores[min(1, len(cores) - 1)]}"
    done = subprocess.run([program, "-c", pair, *(["-w"] if wakes else [])], check=True, capture_output=True,
                          text=True, timeout=60)
    said = json.loads(done.stdout)
    return Probe(said["tick_ns"], said.get("round_trip_ns"), said.get("wake_ns"))


def change(before, after, core_cnt):
    """What changed between two probes, in words; None if nothing did that matters to a run on so many cores."""
    for core, (one, other) in enumerate(zip(before.tick_ns, after.tick_ns)):
        if core < core_cnt and max(one, other) > TICK_CHANGE * min(one, other):
            return f"clock {one:.2f} to {other:.2f} ns a step"
    if core_cnt > 1 and before.round_trip_ns and after.round_trip_ns:
        one, other = before.round_trip_ns, after.round_trip_ns
        if max(one, other) > ROUND_TRIP_CHANGE * min(one, other):
            return f"round trip {one:.0f} to {other:.0f} ns"
    return None
