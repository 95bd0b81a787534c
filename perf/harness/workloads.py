"""The workloads: what is run, against what, how the result is checked, and the bar that it should reach.

A workload is an ordinary pipeline file with acks and metrics on. Its baseline is a program by hand of
perf/baselines that does the same work, or the same pipeline with one thing changed (`theirs`).
"""

import filecmp
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from harness import bench as runs
from harness.bench import DATA, OUT, RESULTS, Sample, Unavailable, Void, named
from harness.stats import median

MIB = 1 << 20
M = 1000000


class Bar:
    """What the figure `name` should reach at least ('>=') or at most ('<=')."""

    def __init__(self, name, sign, limit):
        self.name, self.sign, self.limit = name, sign, limit

    def holds(self, value):
        return value >= self.limit if self.sign == ">=" else value <= self.limit

    def __str__(self):
        return f"{self.sign} {self.limit:g}"


class Workload:
    """One row of the table. `counts` are the messages of a whole and of a quick run."""

    unit = "messages/s"

    def __init__(self, name, title, core_cnt=2, counts=(1, 1), bars=(), full=False, pairs_max=99, **more):
        self.id, self.title, self.core_cnt, self.counts, self.bars = name, title, core_cnt, counts, bars
        self.full = full  # only with --full
        self.crossing = core_cnt > 1  # do messages go from core to core?
        self.pairs_max = pairs_max
        self.__dict__.update(more)

    def count(self, bench):
        return self.counts[1 if bench.quick else 0]

    def ours(self, bench):
        raise NotImplementedError

    def theirs(self, _bench):
        """A Sample of the baseline, or None."""
        return None

    def figures(self, ours, theirs):
        """What a pair says, by name; the first is the one of the table."""
        return {"ratio": ours.value / theirs.value} if theirs else {}


def check_ledger(summary, count, tracked=True):
    """Every message was emitted once and is acked."""
    if summary["outcome"] != "ended":
        raise Void(f"the run {summary['outcome']}")
    for name, ledger in summary["sources"].items():
        wanted = {"in": count, "acked": count, "failed": 0, "dropped": 0, "abandoned": 0, "in_flight": 0}
        for term, value in wanted.items():
            if ledger[term] != value and (tracked or term != "acked"):
                raise Void(f"{name}: {term} is {ledger[term]}, not {value}")


def latency(summary):
    return next(iter(summary["sources"].values())).get("latency_ns") or {}


def sample(summary, usage, items):
    """A run from the moment when it was ready to its end."""
    usage.rss_bytes = summary.get("rss_bytes", usage.rss_bytes)
    return Sample(items / summary["seconds"], items, usage, latency(summary),
                  {"start_seconds": summary["start_seconds"]})


class Flow(Workload):
    """Generated messages through a pipeline to `drop`, whose every message is counted at every node.
    pipeline: its file's name · sets: settings · hand: a baseline's name and arguments"""

    sets = ()
    hand = None

    def file(self, _bench):
        return named(self.pipeline)

    def settings(self, bench):
        sets = [f"nodes.messages.count={self.count(bench)}", *self.sets]
        if self.pipeline == "hop":
            sets += [f"nodes.{node}.cores={bench.cores[core]}"
                     for node, core in (("messages", 0), ("same", 1), ("nowhere", 0))]
        return sets

    def flow(self, bench, sets, count=None, tracked=True):
        count = count or self.count(bench)
        summary, usage = bench.pipeline(self.file(bench), self.core_cnt, sets, timeout=120 + count / M)
        check_ledger(summary, count, tracked)
        for name, node in summary["nodes"].items():
            if node["in"] != count and name not in ("counts", "out"):
                raise Void(f"{name} had {node['in']} messages, not {count}")
        self.check(bench, summary)
        return sample(summary, usage, count)

    def check(self, _bench, _summary):
        """More that must be so."""

    def ours(self, bench):
        return self.flow(bench, self.settings(bench))

    def variant(self, bench, key):
        """The same with one setting more, of which it is not known whether messages are tracked."""
        return self.flow(bench, [*self.settings(bench), key], tracked=False)

    def theirs(self, bench):
        if not self.hand:
            return None
        name, *arguments = self.hand
        two = name in ("rings", "echo")
        said, usage = bench.baseline(name, *[str(arg).format(count=self.count(bench)) for arg in arguments],
                                     core_cnt=2 if two else 1)
        if said["items"] < self.count(bench):
            raise Void(f"baseline_{name} did {said['items']} of {self.count(bench)} items")
        return by_hand_sample(said, usage)


def by_hand_sample(said, usage):
    usage.cpu_seconds = said.get("cpu_seconds", usage.cpu_seconds)
    ns = {key[:-3]: said[key] for key in said if key.endswith("_ns") and key.startswith("p")}
    return Sample(said["per_second"], said["items"], usage, ns, {"checksum": said.get("checksum")})


def chain_file(length, alternate, cores):
    """Writes the chain of so many identity nodes; on one core, or every node on the other core."""
    folder = RESULTS / "pipelines"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"chain-{'hop' if alternate else 'fused'}-{length}.yaml"

    def place(i):
        return f", cores: {cores[i % 2]}" if alternate else ""

    lines = [f"pipeline: chain-{length}", "nodes:", f"  messages: {{type: generate, count: 1, size: 64{place(0)}}}"]
    before = "messages"
    for i in range(1, length + 1):
        lines.append(f"  same{i}: {{type: identity, inputs: [{before}]{place(i)}}}")
        before = f"same{i}"
    lines.append(f"  nowhere: {{type: drop, inputs: [{before}]{place(length + 1)}}}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class Chain(Flow):
    """`length` identity nodes against one: what a further hop takes, in ns of time per message."""

    pipeline = None
    alternate = False

    def file(self, bench):
        return chain_file(self.length, self.alternate, bench.cores)

    def theirs(self, bench):
        shortest = Chain(self.id, self.title, self.core_cnt, self.counts, length=1, alternate=self.alternate)
        return shortest.ours(bench)

    def figures(self, ours, theirs):
        return {"ns a hop": (1e9 / ours.value - 1e9 / theirs.value) / (self.length - 1)}


class OpenLoop(Flow):
    """Messages at a rate, however late others are; against the round trip of a ring echo by hand at that rate.
    rate: messages per second · share: of the pipeline's own maximum instead"""

    unit = "messages/s offered"
    pipeline = "hop"
    rate = share = None

    def offered(self, bench):
        return self.rate or self.share * bench.once("maximum of hop", lambda: self.maximum(bench))

    def maximum(self, bench):
        flat_out = Flow("", "", 2, (10 * M, M), pipeline="hop")
        return median([flat_out.ours(bench).value for _ in range(1 if bench.quick else 3)])

    def load(self, bench):
        """(messages per second, messages)"""
        rate = self.offered(bench)
        return rate, int(rate * (0.2 if bench.quick else 1.5))

    def ours(self, bench):
        rate, count = self.load(bench)
        sets = self.settings(bench) + [f"nodes.messages.count={count}", f"nodes.messages.rate={rate:.0f}"]
        got = self.flow(bench, sets, count)
        got.more["offered"] = rate
        return got

    def theirs(self, bench):
        rate, count = self.load(bench)
        return by_hand_sample(*bench.baseline("echo", "-n", str(count), "-R", f"{rate:.0f}", core_cnt=2))

    def figures(self, ours, theirs):
        if not theirs or not all(theirs.latency.get(name) for name in ("p50", "p90", "p99")):
            return {}
        said = {f"{name} ratio": ours.latency[name] / theirs.latency[name] for name in ("p50", "p90")}
        said["p99 over floor"] = (ours.latency["p99"] - 1000) / theirs.latency["p99"]
        return said


def table_of(path):
    """{key: count} of lines {"key": ..., "count": ...}; no key comes twice."""
    table = {}
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            row = json.loads(line)
            if row["key"] in table:
                raise Void(f"{Path(path).name}: key {row['key']!r} comes twice")
            table[row["key"]] = row["count"]
    return table


class Keyed(Flow):
    """Counts by key against the loop that only counts; the most frequent keys are compared with its table, where it
    writes one, and add up where these are all keys.  keys: how many · zipf: exponent, or None for uniform"""

    pipeline = "keyed"
    zipf = None

    def settings(self, bench):
        state_mib = max(64, 120 * self.keys // (M * self.core_cnt))  # of each task: up to 120 B a key
        kind = ("uniform",) if self.zipf is None else ("zipf", f"nodes.messages.keys.exponent={self.zipf}")
        return [f"nodes.messages.count={self.count(bench)}", f"nodes.messages.keys.distinct={self.keys}",
                f"nodes.messages.keys.kind={kind[0]}", *kind[1:], f"nodes.counts.state_bytes={state_mib}MiB",
                f"nodes.out.path={OUT}/keyed.jsonl"]

    def ours(self, bench):
        if self.zipf is not None and self.keys > 1 << 24:
            raise Unavailable("`generate` has no zipf keys beyond 16777216")
        return super().ours(bench)

    def arguments(self, bench):
        return ["-n", str(self.count(bench)), "-k", str(self.keys),
                *([] if self.zipf is None else ["-z", str(self.zipf)])]

    def theirs(self, bench):
        return by_hand_sample(*bench.baseline("keyed_count", *self.arguments(bench)))

    def check(self, bench, summary):
        if summary["nodes"]["counts"]["in"] != self.count(bench):
            raise Void(f"{summary['nodes']['counts']['in']} messages were counted")
        ours = table_of(OUT / "keyed.jsonl")
        if self.keys <= 1000 and sum(ours.values()) != self.count(bench):
            raise Void(f"the counts add up to {sum(ours.values())}")
        theirs = bench.once(f"keys {self.arguments(bench)}", lambda: self.true_counts(bench))
        if theirs is not None and any(theirs.get(key) != count for key, count in ours.items()):
            raise Void("counts differ from the baseline's")

    def true_counts(self, bench):
        """The baseline's table, or None if it writes none."""
        path = OUT / "keyed-by-hand.jsonl"
        path.unlink(missing_ok=True)
        if min(self.keys, self.count(bench)) > 2 * M or not bench.has_baseline("keyed_count"):
            return None  # too many for this program's memory
        try:
            bench.baseline("keyed_count", *self.arguments(bench), "-o", path)
        except Void:
            return None
        return table_of(path) if path.exists() else None


class Growth(Keyed):
    """Ever new keys at a rate, against the same with few keys: what the growth of the table adds to p99.99."""

    unit = "messages/s offered"
    rate = M

    def settings(self, bench):
        return [*super().settings(bench), "nodes.messages.keys.kind=sequential", f"nodes.messages.rate={self.rate}"]

    def theirs(self, bench):
        few = Growth(self.id, self.title, self.core_cnt, self.counts, keys=1000)
        return Flow.ours(few, bench)

    def true_counts(self, _bench):
        return None

    def figures(self, ours, theirs):
        return {"stall ms": max(0.0, ours.latency["p9999"] - theirs.latency["p9999"]) / 1e6}


class Words(Workload):
    """Word count of a file; each line is a root. The counts are compared with the baseline's.
    kind: of text · lines: how many lines or copies, whole and quick"""

    unit = "words/s"

    def text(self, bench):
        return runs.text(self.kind, self.lines[1 if bench.quick else 0])

    def words(self, bench, sets=(), tracked=True):
        path, out = self.text(bench), OUT / "words.jsonl"
        lines = bench.once(f"lines of {path}", lambda: path.read_bytes().count(b"\n"))
        summary, usage = bench.pipeline(named("wordcount"), self.core_cnt, [
            f"nodes.lines.path={path}", f"nodes.lines.tasks={self.core_cnt}", f"nodes.out.path={out}", *sets])
        check_ledger(summary, lines, tracked)
        if table_of(out) != bench.once(f"words of {path}", lambda: self.true_counts(bench, path)):
            raise Void("the counts differ from the baseline's")
        return sample(summary, usage, summary["nodes"]["words"]["out"])

    def true_counts(self, bench, path):
        out = OUT / "words-by-hand.jsonl"
        OUT.mkdir(parents=True, exist_ok=True)
        bench.baseline("wordcount", "-o", out, path)
        return table_of(out)

    def ours(self, bench):
        return self.words(bench)

    def variant(self, bench, key):
        return self.words(bench, [key], tracked=False)

    def theirs(self, bench):
        return by_hand_sample(*bench.baseline("wordcount", self.text(bench)))


class Events(Workload):
    """JSON advertising events, counted per campaign and 10 s of event time.  counts: events. The pipeline finds its
    files in the environment: FLY_EVENTS, FLY_ADS (a CSV of ad and campaign) and FLY_OUT (the counts)."""

    unit = "events/s"

    def files(self, bench):
        """The events and the table of ads, made once."""
        count = self.count(bench)
        events, ads = DATA / f"events-{count}.jsonl", DATA / f"events-{count}.csv"
        if not events.exists():
            DATA.mkdir(parents=True, exist_ok=True)
            subprocess.run([runs.WORKLOADS / "make-events", events, ads, str(count)], check=True, capture_output=True)
        return events, ads

    def ours(self, bench):
        events, ads = self.files(bench)
        out = OUT / "events.jsonl"
        os.environ.update({"FLY_EVENTS": str(events), "FLY_ADS": str(ads), "FLY_OUT": str(out)})
        summary, usage = bench.pipeline(named("events"), self.core_cnt)
        check_ledger(summary, self.count(bench))
        if rows_of(out) != bench.once(f"counts of {events}", lambda: self.true_counts(bench, events, ads)):
            raise Void("the counts differ from the baseline's")
        return sample(summary, usage, self.count(bench))

    def true_counts(self, bench, events, ads):
        out = OUT / "events-by-hand.jsonl"
        bench.baseline("events", "-j", ads, "-o", out, events)
        return rows_of(out)

    def theirs(self, bench):
        events, ads = self.files(bench)
        return by_hand_sample(*bench.baseline("events", "-j", ads, events))


def rows_of(path):
    """The objects of a file, one per line, whatever their order."""
    with open(path, encoding="utf-8") as file:
        return sorted(json.dumps(json.loads(line), sort_keys=True) for line in file)


class Copy(Workload):
    """A file copied line by line and forced to the disk, against `cp` and `sync` of the same file, or against the
    loop by hand.  bytes_each: of a line · counts: lines"""

    unit = "lines/s"
    hand = False

    def ours(self, bench):
        count, out = self.count(bench), OUT / "copy.txt"
        lines = runs.records(self.bytes_each, count)
        out.unlink(missing_ok=True)
        summary, usage = bench.pipeline(named("copy"), self.core_cnt, [f"nodes.lines.path={lines}",
                                                                       f"nodes.out.path={out}"])
        check_ledger(summary, count)
        if not filecmp.cmp(lines, out, shallow=False):
            raise Void("the copy differs")
        return sample(summary, usage, count)

    def theirs(self, bench):
        count, out = self.count(bench), OUT / "copy-by-hand.txt"
        lines = runs.records(self.bytes_each, count)
        out.unlink(missing_ok=True)
        if self.hand:
            return by_hand_sample(*bench.baseline("copy", lines, out))
        code, _, err, usage = runs.run(["sh", "-c", 'cp "$0" "$1" && sync "$1"', lines, out], bench.cores[:1])
        if code:
            raise Void(f"cp: {err}")
        return Sample(count / usage.seconds, count, usage)


class Price(Workload):
    """A workload with something on, against the same without it.  of: the workload · key: the setting that turns
    it off, if this flyover knows it"""

    def file(self):
        return named("wordcount" if isinstance(self.of, Words) else self.of.pipeline)

    def ours(self, bench):
        if not bench.knows(self.file(), self.key):
            raise Unavailable(f"pipelines have no key `{self.key.split('=')[0]}` yet")
        return self.of.ours(bench)

    def theirs(self, bench):
        return self.of.variant(bench, self.key)


def tree(pid):
    """The process and all that it has started."""
    found = [pid]
    for parent in found:
        try:
            found += [int(child) for child in
                      Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()]
        except OSError:
            pass
    return found


def cpu_seconds(pids):
    """Processor time of processes that run, from the scheduler's own books."""
    return sum(int(path.read_text(encoding="ascii").split()[0]) for pid in pids
               for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def pss_bytes(pids):
    """Resident memory, what is shared counted once."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii") for pid in pids]
    return sum(int(text.split("\nPss:")[1].split()[0]) * 1024 for text in texts)


class Started:
    """A pipeline between standard input and output that runs until the end of the block."""

    def __init__(self, bench, name, core_cnt):
        self.command = bench.command("run", named(name), (), "--cores", ",".join(map(str, bench.cores[:core_cnt])),
                                     "--instance", f"perf-{os.getpid()}")

    def __enter__(self):
        self.begin = time.monotonic()
        self.process = subprocess.Popen([str(part) for part in self.command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return self

    def line(self):
        if not self.process.stdout.readline():
            raise Void("it ended without a message")
        return time.monotonic()

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()


class Start(Workload):
    """From starting the program to the first message on its standard output."""

    unit = "ms"

    def ours(self, bench):
        with Started(bench, "first", self.core_cnt) as started:
            return Sample((started.line() - started.begin) * 1e3)

    def figures(self, ours, _theirs):
        return {"ms": ours.value}


class Resident(Workload):
    """Resident memory of all processes beyond the planned pools."""

    unit = "MiB"

    def ours(self, bench):
        code, out, err, _ = runs.run(bench.command("plan", named("silent"), (), "--cores", ",".join(
            map(str, bench.cores[:self.core_cnt])), "--format", "json"))
        if code:
            raise Void(err)
        planned = json.loads(out)["memory"]["total_bytes"]
        with Started(bench, "silent", self.core_cnt) as started:
            started.process.stdin.write(b"one\n")
            started.process.stdin.flush()
            started.line()
            resident = pss_bytes(tree(started.process.pid))
        return Sample(resident / MIB, more={"planned_bytes": planned})

    def figures(self, ours, _theirs):
        return {"MiB over the plan": ours.value - ours.more["planned_bytes"] / MIB}


class Idle(Workload):
    """Processor time of a pipeline that has had no message for 10 ms, as a share of one core."""

    unit = "% of a core"

    def ours(self, bench):
        seconds = 0.3 if bench.quick else 1.0
        with Started(bench, "silent", self.core_cnt) as started:
            started.process.stdin.write(b"one\n")
            started.process.stdin.flush()
            started.line()
            time.sleep(0.010)
            pids = tree(started.process.pid)
            before, begin = cpu_seconds(pids), time.monotonic()
            time.sleep(seconds)
            used = (cpu_seconds(pids) - before) / (time.monotonic() - begin)
        return Sample(100 * used)

    def figures(self, ours, _theirs):
        return {"% of a core": ours.value}


class Wake(Flow):
    """A hundred messages a second to a stage on another core that sleeps, against waking a thread by a futex."""

    unit = "messages/s offered"
    pipeline = "hop"

    def ours(self, bench):
        return self.flow(bench, [*self.settings(bench), "nodes.messages.rate=100"])

    def theirs(self, bench):
        return Sample(0, latency=bench.probe(wakes=True).wake_ns)

    def figures(self, ours, theirs):
        return {"p50 ratio": ours.latency["p50"] / theirs.latency["p50"]}


class Steady(Flow):
    """Very many messages against few: the same rate, the same memory."""

    def theirs(self, bench):
        few = Flow(self.id, self.title, self.core_cnt, self.few, pipeline=self.pipeline)
        return few.ours(bench)

    def figures(self, ours, theirs):
        return {"ratio": ours.value / theirs.value, "RSS ratio": ours.rss_bytes / theirs.rss_bytes}


def is_amd():
    return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8")


def sizes():
    for size, whole in ((16, 10 * M), (64, 10 * M), (256, 5 * M), (1024, 2 * M), (4096, M), (16384, 200000)):
        yield Flow(f"B1-size-{size}", f"hop: messages of {size} B across cores and back", counts=(whole, whole // 20),
                   pipeline="hop", sets=(f"nodes.messages.size={size}",), size=size)


def chains():
    for length in (2, 4, 8, 16):
        yield Chain(f"B1-chain-{length}", f"{length} identity nodes on one core, against 1", 1,
                    (10 * M, M // 2), [Bar("ns a hop", "<=", 12)], length=length)
    for length in (2, 4, 8, 16):
        yield Chain(f"B1-chain-hop-{length}", f"{length} identity nodes, each across cores, against 1", 2,
                    (3 * M, M // 8), [Bar("ns a hop", "<=", 25)], length=length, alternate=True)


def open_loops():
    bars = [Bar("p50 ratio", "<=", 3), Bar("p90 ratio", "<=", 4), Bar("p99 over floor", "<=", 1.25)]
    for share in (10, 50, 80):
        yield OpenLoop(f"B1-lat-{share}%", f"hop at {share} % of its own maximum", bars=bars, share=share / 100)
    for rate in (1, 5, 10):
        yield OpenLoop(f"B1-lat-{rate}M", f"hop at {rate} M messages/s", bars=bars, rate=rate * M)


def keyed():
    for zipf in (None, 0.99):
        kind = "uniform" if zipf is None else f"zipf {zipf}"
        for exponent in (3, 4, 5, 6, 7, 8):
            for core_cnt in (1, 2):
                bars = [Bar("ratio", ">=", core_cnt / 2)] if exponent == 6 and zipf is None else []
                whole = {7: 20 * M, 8: 200 * M}.get(exponent, 10 * M)
                yield Keyed(f"B2-{'zipf-' if zipf else ''}1e{exponent}-{core_cnt}",
                            f"keyed count: 10^{exponent} keys, {kind}, {core_cnt} core{'s' * (core_cnt > 1)}",
                            core_cnt, (whole, M // 2), bars, full=exponent == 8 or exponent == 4, keys=10 ** exponent,
                            zipf=zipf)


HOP = Flow("B1-hop", "identity chain, both edges across cores", 2, (10 * M, M),
           [Bar("ratio", ">=", 0.4 if is_amd() else 0.6)], pipeline="hop", hand=("rings", "-n", "{count}", "-a"))
FUSED = Flow("B1-fused-2", "generate, identity, drop: 64 B, fused, 2 cores", 2, (40 * M, 4 * M),
             [Bar("ratio", ">=", 0.70)], pipeline="identity", hand=("identity", "-n", "{count}"), crossing=False)


def all_workloads():
    """The table, in its order. A bar on two cores is that of one, twice."""
    storm, real = (4 * M, 200000), (32, 2)
    return [
        Flow("B1-fused-1", "generate, identity, drop: 64 B, fused, 1 core", 1, (20 * M, 2 * M),
             [Bar("ratio", ">=", 0.35)], pipeline="identity", hand=("identity", "-n", "{count}")),
        FUSED,
        HOP,
        *chains(),
        *sizes(),
        *open_loops(),
        *keyed(),
        Growth("B2-growth", "2 million new keys at 1 M/s, against 1,000 keys", 2, (2 * M, M // 4),
               [Bar("stall ms", "<=", 1)], keys=2 * M),
        Words("B3-real-1", "word count: King James Bible, 1 core", 1, bars=[Bar("ratio", ">=", 0.5)], kind="kjv",
              lines=real),
        Words("B3-real-2", "word count: King James Bible, 2 cores", 2, bars=[Bar("ratio", ">=", 1.0)], kind="kjv",
              lines=real),
        Words("B3-storm-1", "word count: 7 words out of 1,000 a line, 1 core", 1, kind="storm", lines=storm),
        Words("B3-storm-2", "word count: 7 words out of 1,000 a line, 2 cores", 2, bars=[Bar("ratio", ">=", 0.8)],
              kind="storm", lines=storm),
        Events("B4-1", "JSON events: filter, join, windows, 1 core", 1, (3 * M, 100000), [Bar("ratio", ">=", 0.6)]),
        Events("B4-2", "JSON events: filter, join, windows, 2 cores", 2, (3 * M, 100000), [Bar("ratio", ">=", 1.2)]),
        Copy("B5-cp", "copy of a file of 256 B lines with fsync, against cp", 2, (M, 50000), [Bar("ratio", ">=", 0.8)],
             bytes_each=256),
        Copy("B5-hand", "the same against the loop by hand", 2, (M, 50000), bytes_each=256, hand=True),
        Price("B6-acks-hop", "price of acks: hop with them, against without", 2, bars=[Bar("ratio", ">=", 0.8)],
              of=Flow("", "", 2, (10 * M, M), pipeline="hop"), key="tracking=off"),
        Price("B6-acks-fused", "price of acks: fused, 2 cores", 2, of=Flow("", "", 2, (40 * M, 4 * M),
                                                                          pipeline="identity"), key="tracking=off", crossing=False),
        Price("B6-acks-keyed", "price of acks: keyed count, 10^6 keys, 2 cores", 2,
              of=Keyed("", "", 2, (10 * M, M // 2), keys=M), key="tracking=off"),
        Price("B6-acks-words", "price of acks: word count, 7 words a line, 2 cores", 2,
              of=Words("", "", 2, kind="storm", lines=storm), key="tracking=off"),
        Price("B6-metrics", "price of metrics: hop with them, against without", 2, bars=[Bar("ratio", ">=", 0.98)],
              of=Flow("", "", 2, (10 * M, M), pipeline="hop"), key="metrics=off"),
        Price("B6-copies", "price of copies for retries: hop with them, against without", 2,
              of=Flow("", "", 2, (10 * M, M), pipeline="hop", sets=("nodes.messages.retain_bytes=64MiB",)),
              key="nodes.messages.retain_bytes=0"),
        Start("B7-start", "start to the first message", 2, bars=[Bar("ms", "<=", 100)]),
        Resident("B7-memory", "resident memory beyond the planned pools", 2, bars=[Bar("MiB over the plan", "<=", 64)]),
        Idle("B7-idle", "processor time after 10 ms of silence", 2, bars=[Bar("% of a core", "<=", 1)]),
        Wake("B7-wake", "a sleeping worker is woken, against a bare futex", 2, (100, 30), [Bar("p50 ratio", "<=", 2)]),
        Steady("B8-1e9", "10^9 messages against 10^7, fused, 2 cores", 2, (1000 * M, 10 * M),
               [Bar("ratio", ">=", 0.97), Bar("RSS ratio", "<=", 1.02)], pairs_max=3, pipeline="identity",
               few=(10 * M, M), crossing=False),
        Steady("B8-1e10", "10^10 messages against 10^7, fused, 2 cores", 2, (10000 * M, 10 * M),
               [Bar("ratio", ">=", 0.97), Bar("RSS ratio", "<=", 1.02)], full=True, pairs_max=1, pipeline="identity",
               few=(10 * M, M), crossing=False),
    ]


def chosen(names, full=False):
    """The workloads of these names, or groups like B1 or B2-zipf; all, if none is named. KeyError: there is none."""
    table = all_workloads()
    if not names:
        return [workload for workload in table if full or not workload.full]
    picked = []
    for name in names:
        found = [workload for workload in table if workload.id == name] or [
            workload for workload in table
            if workload.id.startswith(name + "-") and (full or not workload.full)]
        if not found:
            raise KeyError(name)
        picked += [workload for workload in found if workload not in picked]
    return picked
