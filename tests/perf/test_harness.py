#!/usr/bin/env python3
"""The harness's own arithmetic: medians, intervals, pairs, bars, what is thrown away."""

import json
import random
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

from flyover_run import REPO, eq, has, main, test

sys.path.insert(0, str(REPO / "perf"))
from harness import measure, probe, show, stats, svg, workloads  # noqa: E402  pylint: disable=wrong-import-position
from harness.bench import Sample, Unavailable, Void, parse_baseline  # noqa: E402


@test
def medians(_place):
    eq(stats.median([3, 1, 2]), 2)
    eq(stats.median([4, 1, 3, 2]), 2.5)
    eq(stats.median([7]), 7)


@test
def intervals_are_order_statistics(_place):
    """The ranks and coverages of every table of the sign test."""
    for cnt, rank, coverage in ((6, 1, 0.96875), (9, 2, 0.9609375), (12, 3, 0.9614257812), (25, 8, 0.9567147493)):
        low, high, covered = stats.median_interval(list(range(1, cnt + 1)))
        eq((low, high), (rank, cnt + 1 - rank), cnt)
        eq(abs(covered - coverage) < 1e-9, True, covered)


@test
def few_values_say_how_little_they_cover(_place):
    eq(stats.median_interval([5]), (5, 5, 0.0))
    eq(stats.median_interval([2, 1, 3]), (1, 3, 0.75))


@test
def intervals_cover_the_median_as_often_as_they_say(_place):
    """Of a skewed distribution whose median is 1, from 9 values each."""
    draw = random.Random(7)
    hits = 0
    for _ in range(4000):
        low, high, _ = stats.median_interval([draw.lognormvariate(0, 1.5) for _ in range(9)])
        hits += low <= 1 <= high
    eq(0.95 < hits / 4000 < 0.972, True, hits / 4000)


@test
def a_difference_must_be_more_than_noise(_place):
    eq(stats.verdict([1.05, 1.04, 1.06, 1.05, 1.07, 1.04, 1.05, 1.06, 0.99]), "faster")
    eq(stats.verdict([0.95, 0.94, 0.96, 0.95, 0.97, 0.94, 0.95, 0.96, 1.01]), "slower")
    eq(stats.verdict([1.05, 0.9, 1.1, 0.95, 1.07, 0.94, 1.05, 1.06, 0.99]), "same")
    eq(stats.verdict([1.005] * 9), "same", "half a percent is too little to tell")
    eq(stats.verdict([1.5] * 5), "too few runs")


@test
def baselines_speak_json_or_words(_place):
    eq(parse_baseline('{"items": 1}\n{"items": 5, "seconds": 0.5, "per_second": 10}\n')["per_second"], 10)
    eq(parse_baseline("500 17 0.25 2000\n"), {"items": 500, "seconds": 0.25, "per_second": 2000.0})
    eq(parse_baseline("96 0.5 192\n")["items"], 96)


@test
def bars_hold_at_their_limit(_place):
    eq(workloads.Bar("ratio", ">=", 0.8).holds(0.8), True)
    eq(workloads.Bar("ratio", ">=", 0.8).holds(0.79), False)
    eq(workloads.Bar("ms", "<=", 100).holds(100), True)
    eq(workloads.Bar("ms", "<=", 100).holds(101), False)


@test
def probes_tell_another_machine(_place):
    near = probe.Probe([0.9, 0.9], 90.0)
    eq(near.place, "near")
    eq(probe.Probe([0.9, 0.9], 400.0).place, "far")
    eq(probe.change(near, probe.Probe([1.0, 1.0], 130.0), 2), None)
    has(probe.change(near, probe.Probe([0.9, 0.9], 400.0), 2), "near to far", "round trip 90 to 400")
    eq(probe.change(near, probe.Probe([0.9, 0.9], 400.0), 2, crossing=False), None, "nothing goes to the other core")
    eq(probe.change(near, probe.Probe([0.9, 0.9], 400.0), 1), None, "one core has no neighbour")
    has(probe.change(near, probe.Probe([0.9, 1.3], 90.0), 2), "clock")
    eq(probe.change(near, probe.Probe([0.9, 1.3], 90.0), 1), None, "the other core is not used")


class Machine:
    """A bench whose probes say what they are told, round trip by round trip."""

    quick, cores = False, [0, 1]

    def __init__(self, *round_trips):
        self.round_trips = list(round_trips)

    def probe(self, wakes=False):
        _ = wakes
        trip = self.round_trips.pop(0) if len(self.round_trips) > 1 else self.round_trips[0]
        return probe.Probe([1.0, 1.0], trip)


def runs_of(log, name, values):
    def run():
        log.append(name)
        return Sample(next(values))
    return run


@test
def pairs_alternate(_place):
    log, values = [], iter(range(100))
    kept, thrown = measure.pairs(runs_of(log, "A", values), runs_of(log, "B", values), Machine(80.0), Fake(), 4)
    eq("".join(log), "ABBAABBA")
    eq((len(kept), len(thrown)), (4, 0))
    eq([(pair["ours"].value, pair["baseline"].value) for pair in kept], [(0, 1), (3, 2), (4, 5), (7, 6)])


@test
def a_pair_of_another_machine_is_made_again(_place):
    log, values = [], iter(range(100))
    machine = Machine(80.0, 80.0, 400.0, 400.0, 400.0)
    kept, thrown = measure.pairs(runs_of(log, "A", values), runs_of(log, "B", values), machine, Fake(), 2)
    eq("".join(log), "ABABBA", "the same order again")
    eq((len(kept), len(thrown)), (2, 1))
    has(thrown[0]["changed"], "round trip 80 to 400")
    eq([pair["place"] for pair in kept], ["far", "far"])


@test
def a_machine_that_never_stands_still_is_unstable(_place):
    class Restless(Machine):
        def probe(self, wakes=False):
            self.round_trips.reverse()
            return probe.Probe([1.0, 1.0], self.round_trips[0])

    workload = Fake(1.0)
    result = measure.measure(workload, Restless(80.0, 400.0), 3)
    eq((result["unstable"], len(result["pairs"]), len(result["thrown"])), (True, 7, 7))
    has(" ".join(result["notes"]), "unstable: 7 of 14")
    quick = measure.measure(workload, Restless(80.0, 400.0), 1, retries=0)
    eq((quick["unstable"], len(quick["pairs"])), (False, 1))


class Fake(workloads.Workload):
    """Twice as fast as its baseline."""

    def __init__(self, *missing):
        super().__init__("fake", "a fake", 2, bars=[workloads.Bar("ratio", ">=", 2.5)])
        self.missing = missing

    def ours(self, _bench):
        return Sample(20.0, 20, latency={"p50": 100})

    def theirs(self, _bench):
        if "baseline" in self.missing:
            raise Unavailable("there is no baseline")
        return Sample(10.0)


@test
def a_missed_bar_is_said_and_nothing_more(_place):
    figure = measure.measure(Fake(), Machine(80.0), 9)["result"]["figures"]["ratio"]
    eq((figure["median"], figure["low"], figure["high"]), (2.0, 2.0, 2.0))
    eq((figure["bar"], figure["holds"]), (">= 2.5", False))
    eq("by_place" in figure, False)


@test
def places_are_told_apart(_place):
    machine = Machine(80.0, 80.0, 80.0, 400.0, 400.0, 400.0)
    result = measure.measure(Fake(), machine, 3)
    eq(result["result"]["places"], {"far": 2, "near": 1})
    eq(result["result"]["figures"]["ratio"]["by_place"], {"far": 2.0, "near": 2.0})
    has(next(show.rows(result)), "2 x far (2), 1 x near (2)")


@test
def a_missing_baseline_leaves_the_rest(_place):
    result = measure.measure(Fake("baseline"), Machine(80.0), 3)
    eq(result["result"]["value"], 20.0)
    eq(result["result"]["figures"], {})
    has(" ".join(result["notes"]), "there is no baseline")
    eq(len(result["notes"]), 1, "said once")
    has(next(show.rows(result)), "fake", "20", "there is no baseline")


@test
def what_needs_two_cores_is_not_run_on_one(_place):
    machine = Machine(80.0)
    machine.cores = [0]
    try:
        measure.measure(Fake(), machine, 1)
    except Unavailable as reason:
        has(str(reason), "2 cores")
        return
    raise AssertionError("it ran")


def ledger(**changed):
    terms = {"in": 10, "acked": 10, "failed": 0, "dropped": 0, "abandoned": 0, "in_flight": 0}
    return {"outcome": "ended", "sources": {"a": {**terms, **changed}}}


@test
def a_loss_is_void(_place):
    workloads.check_ledger(ledger(), 10)
    workloads.check_ledger(ledger(acked=0), 10, tracked=False)
    for summary in (ledger(acked=9), ledger(**{"in": 11}), ledger(dropped=1), ledger(failed=1),
                    {**ledger(), "outcome": "stopped"}):
        try:
            workloads.check_ledger(summary, 10)
        except Void:
            continue
        raise AssertionError(f"taken for good: {summary}")


@test
def a_key_that_comes_twice_is_void(place):
    rows = '{"key":"a","count":1}\n{"key":"b","count":2}\n'
    eq(workloads.table_of(place.write("good.jsonl", rows)), {"a": 1, "b": 2})
    try:
        workloads.table_of(place.write("bad.jsonl", rows + '{"key":"a","count":1}\n'))
    except Void:
        return
    raise AssertionError("taken for good")


@test
def a_hop_is_what_further_nodes_take(_place):
    chain = workloads.Chain("c", "", 1, length=5)
    eq(round(chain.figures(Sample(1e9 / 60), Sample(1e9 / 20))["ns a hop"], 6), 10.0)


@test
def workloads_have_names_of_their_own(_place):
    table = workloads.all_workloads()
    eq(len({workload.id for workload in table}), len(table))
    for workload in table:
        pipeline = getattr(workload, "pipeline", None)
        eq(pipeline is None or (Path(REPO) / "perf/workloads" / f"{pipeline}.yaml").exists(), True, workload.id)
    eq([workload.id for workload in workloads.chosen(["B1-hop"])], ["B1-hop"])
    eq(len(workloads.chosen(["B7"])), 4)
    eq(any(workload.full for workload in workloads.chosen([])), False)


@test
def the_page_is_what_the_results_say(_place):
    done = subprocess.run([REPO / "perf/report", "--check"], capture_output=True, text=True, check=False)
    eq(done.returncode, 0, done.stderr)


@test
def commands_explain_themselves_and_refuse(place):
    for name in ("run", "compare", "instructions", "report"):
        has(subprocess.run([REPO / "perf" / name, "--help"], capture_output=True, text=True, check=True).stdout, "usage:")
    for command in (["run", "B99"], ["run", "--pairs", "0"], ["instructions", "nothing"], ["compare", "HEAD"],
                    ["compare", "HEAD", "HEAD", "B99"]):
        done = subprocess.run([REPO / "perf" / command[0], *command[1:]], cwd=place.path, capture_output=True, text=True,
                              check=False)
        eq(done.returncode, 2, command)


@test
def results_are_compared_by_their_intervals(place):
    def stored(name, low, high, coverage):
        figure = {"median": (low + high) / 2, "low": low, "high": high, "coverage": coverage}
        return str(place.write(name, json.dumps({"workloads": {"B1-hop": {"figures": {"ratio": figure}}}})))

    def said(a, b):
        done = subprocess.run([REPO / "perf/compare", a, b], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[1]

    low, high = stored("low", 0.3, 0.4, 0.96), stored("high", 0.41, 0.5, 0.96)
    has(said(low, high), "higher")
    has(said(high, low), "lower")
    has(said(low, stored("wide", 0.35, 0.6, 0.96)), "same, or too noisy")
    has(said(low, stored("few", 0.8, 0.9, 0.5)), "too few runs")


@test
def plots_are_well_formed(_place):
    series = [("a & b", 0, [(16, 1.0), (1024, 3e6)]), ("<c>", 1, [(16, 2.0)])]
    pictures = [svg.lines("T \"t\" <1>", "", series, "x", log_x=True, log_y=True),
                svg.ratios("T", "s", [("a", {"median": 0.5, "low": 0.4, "high": 0.6, "limit": 0.8}),
                                      ("b", {"median": 0.0, "low": 0.0, "high": 0.0, "limit": None})]),
                svg.groups("T", "s", ["one"], [("a", 0, [5.0]), ("b", 1, [None])])]
    for picture in pictures:
        root = xml.etree.ElementTree.fromstring(picture)
        eq(root.tag, "{http://www.w3.org/2000/svg}svg")
        eq("nan" in picture, False)


main()
