"""Pairs of runs, ours and the baseline's in turn, of which only those count that a steady machine made."""

import json
import os
import platform
import subprocess
import time
from pathlib import Path

from harness import probe
from harness.bench import RESULTS, ROOT, LATENCIES, Unavailable
from harness.stats import median, median_interval

RETRIES = 2  # pairs that may be thrown away, for each that counts


def say_nothing(_text):
    """For those who want no progress."""


def pairs(ours, theirs, bench, workload, cnt, retries=RETRIES, say=say_nothing):
    """Runs ours() and theirs() (whose result may be None) of a workload `cnt` times, A B, B A, A B..., each run
    between two probes: (kept, thrown). A pair during which the machine changed is thrown away and made again, up to
    `retries` times as many as are wanted."""
    kept, thrown = [], []
    before = bench.probe()
    while len(kept) < cnt and len(thrown) <= retries * cnt:
        sides = [("ours", ours), ("baseline", theirs)]
        pair, probes, changes = {}, [before], []
        for name, run in sides if len(kept) % 2 == 0 else reversed(sides):
            pair[name] = run()
            after = bench.probe()
            changes += [probe.change(earlier, after, workload.core_cnt, workload.crossing) for earlier in probes]
            probes.append(after)
        before = probes[-1]
        pair["probes"], pair["place"] = probes, before.place
        pair["changed"] = next(filter(None, changes), None)
        if pair["changed"] and retries:
            thrown.append(pair)
        else:
            kept.append(pair)
        say(f"{len(kept)}/{cnt}" + (f", {len(thrown)} thrown away" if thrown else ""))
    return kept, thrown


def measure(workload, bench, cnt, retries=RETRIES, say=say_nothing):
    """Measures a workload: the object that is stored. Unavailable: it cannot run. Void: a result was wrong."""
    cnt = min(cnt, workload.pairs_max)
    notes = []

    def theirs():
        if notes:
            return None
        try:
            return workload.theirs(bench)
        except Unavailable as reason:
            notes.append(str(reason))
            return None

    if workload.core_cnt > len(bench.cores):
        raise Unavailable(f"it needs {workload.core_cnt} cores")
    kept, thrown = pairs(lambda: workload.ours(bench), theirs, bench, workload, cnt, retries, say)
    unstable = len(kept) < cnt
    if not kept:
        kept = thrown
    if unstable:
        notes.append(f"unstable: {len(thrown)} of {len(thrown) + len(kept)} pairs saw the machine change")
    return {"workload": workload.id, "title": workload.title, "unit": workload.unit, "cores": workload.core_cnt,
            "quick": bench.quick, "unstable": unstable, "notes": notes,
            "result": summed_up(workload, kept),
            "pairs": [record(pair) for pair in kept], "thrown": [record(pair) for pair in thrown]}


def record(pair):
    return {"ours": pair["ours"].record(), "baseline": pair["baseline"] and pair["baseline"].record(),
            "place": pair["place"], "changed": pair["changed"], "probes": [one.record() for one in pair["probes"]]}


def middle(values):
    values = [value for value in values if value is not None]
    return median(values) if values else None


def summed_up(workload, kept):
    """The medians of the pairs, and how their figures stand against the bars."""
    ours = [pair["ours"] for pair in kept]
    theirs = [pair["baseline"] for pair in kept if pair["baseline"]]
    places = [pair["place"] for pair in kept]
    said = {
        "value": middle(one.value for one in ours), "baseline": middle(one.value for one in theirs),
        "cpu_ns": middle(one.cpu_ns for one in ours), "baseline_cpu_ns": middle(one.cpu_ns for one in theirs),
        "rss_bytes": middle(one.rss_bytes for one in ours),
        "latency_ns": middles(ours), "baseline_latency_ns": middles(theirs),
        "noise": middle(one.usage and one.usage.noise for one in ours),
        "offered": middle(one.more.get("offered") for one in ours),
        "places": {place: places.count(place) for place in sorted(set(places))},
        "figures": {},
    }
    each = [workload.figures(pair["ours"], pair["baseline"]) for pair in kept]
    for name in each[0] if each else ():
        values = [figures[name] for figures in each if name in figures]
        low, high, coverage = median_interval(values)
        said["figures"][name] = {"median": median(values), "low": low, "high": high, "coverage": coverage}
        by_place = {place: median([figures[name] for figures, there in zip(each, places)
                                   if there == place and name in figures]) for place in set(places)}
        if len(by_place) > 1:
            said["figures"][name]["by_place"] = by_place
    for bar in workload.bars:
        if bar.name in said["figures"]:
            figure = said["figures"][bar.name]
            figure["bar"], figure["holds"] = str(bar), bar.holds(figure["median"])
    return said


def middles(samples):
    found = {name: middle(one.latency.get(name) for one in samples) for name in LATENCIES}
    return {name: value for name, value in found.items() if value is not None}


def machine():
    """What the figures were measured on."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    huge = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(),
            "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)),
            "transparent_huge_pages": huge.read_text(encoding="ascii").strip() if huge.exists() else None}


def git(*arguments):
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def stamp():
    """When, of what and where: the head of a stored result."""
    return {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "commit": git("rev-parse", "HEAD"),
            "changed": bool(git("status", "--porcelain", "--untracked-files=no")), "machine": machine()}


def store(folder, head, result):
    """Writes the whole of a result below build/perf: every run of it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['workload']}.json"
    path.write_text(json.dumps({**head, **result}, indent=1) + "\n", encoding="utf-8")


def folder_of(head, name="run"):
    return RESULTS / f"{name}-{head['date'].replace(':', '').replace('-', '')}-{(head['commit'] or 'x')[:8]}"


def brief(result):
    """What is kept in perf/results: the result without its single runs, rounded."""
    kept = {key: result[key] for key in ("title", "unit", "cores", "unstable", "notes")}
    kept["pairs"], kept["thrown"] = len(result["pairs"]), len(result["thrown"])
    return {**kept, **rounded(result["result"])}


def rounded(value):
    """Four significant digits are more than a measurement has."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items() if one is not None}
    return float(f"{value:.4g}") if isinstance(value, float) else value
