"""The placement of the cores and their clock, around each run: was it the same machine all the time?"""

import json
import subprocess

FAR_NS = 200  # a round trip of a cache line above this crosses caches
TICK_CHANGE = 1.25  # a factor that makes a run void; a neighbour on the same core alone makes 1.15


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


def change(before, after, core_cnt, crossing=True):
    """What changed between two probes, in words; None if nothing did that matters to a run on so many cores, of which
    messages go from one to the other (crossing) or do not."""
    for core, (one, other) in enumerate(zip(before.tick_ns, after.tick_ns)):
        if core < core_cnt and max(one, other) > TICK_CHANGE * min(one, other):
            return f"clock {one:.2f} to {other:.2f} ns a step"
    if core_cnt > 1 and crossing and before.place != after.place:
        return f"{before.place} to {after.place}, round trip {before.round_trip_ns:.0f} to {after.round_trip_ns:.0f} ns"
    return None
