"""Runs programs to be measured, and takes down what they used."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from harness import probe

ROOT = Path(__file__).resolve().parent.parent.parent
WORKLOADS = ROOT / "perf" / "workloads"
RESULTS = ROOT / "build" / "perf"
DATA = RESULTS / "data"
OUT = RESULTS / "out"

TICKS = os.sysconf("SC_CLK_TCK")
LATENCIES = ("p50", "p90", "p99", "p999", "p9999", "max")


class Void(Exception):
    """A run with a wrong result: an error, whatever its speed."""


class Refused(Void):
    """The pipeline is one that this flyover does not know."""


class Unavailable(Exception):
    """A workload that cannot run here or yet; the text says why."""


class Sample:
    """One run: `value` (items per second, unless the workload says otherwise) and what it took. `noise` is the share
    of the machine's processor time that went to others meanwhile."""

    def __init__(self, value, items=None, usage=None, latency=None, more=None):
        self.value, self.items, self.usage = value, items, usage
        self.latency = latency or {}  # ns by name: p50 and so on
        self.more = more or {}

    @property
    def cpu_ns(self):
        """Processor time per item, of all processes of the run, from their start to their end."""
        return self.usage.cpu_seconds * 1e9 / self.items if self.usage and self.items else None

    @property
    def rss_bytes(self):
        return self.usage.rss_bytes if self.usage else None

    def record(self):
        said = {"value": self.value, "items": self.items, "cpu_ns": self.cpu_ns, "rss_bytes": self.rss_bytes,
                "seconds": self.usage and self.usage.seconds, "noise": self.usage and self.usage.noise,
                "latency_ns": self.latency}
        return {key: value for key, value in {**said, **self.more}.items() if value not in (None, {})}


class Usage:
    """What a process and its children took: wall and processor seconds, and the largest resident set of one of them
    (or of this process, if that was larger when it started them)."""

    def __init__(self, seconds, rusage, noise):
        self.seconds, self.noise = seconds, noise
        self.cpu_seconds = rusage.ru_utime + rusage.ru_stime
        self.rss_bytes = rusage.ru_maxrss * 1024


def busy_seconds():
    """Processor seconds that the whole machine has spent, what the hypervisor took away included."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq + steal) / TICKS


def run(command, cores=None, timeout=120, stdin=None):
    """Runs a program to its end: (exit code, stdout, stderr, Usage). It is killed at the timeout."""
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        others, start = busy_seconds(), time.monotonic()
        with subprocess.Popen([str(part) for part in command], stdout=out, stderr=err,
                              stdin=stdin or subprocess.DEVNULL, preexec_fn=pin) as process:
            ended = os.pidfd_open(process.pid)
            try:
                if not select.select([ended], [], [], timeout)[0]:
                    process.kill()
                _, status, rusage = os.wait4(process.pid, 0)
                seconds = time.monotonic() - start
                process.returncode = os.waitstatus_to_exitcode(status)
            except BaseException:
                process.kill()
                raise
            finally:
                os.close(ended)
        others = busy_seconds() - others - rusage.ru_utime - rusage.ru_stime
        usage = Usage(seconds, rusage, max(others, 0) / (seconds * (os.cpu_count() or 1)))
        out.seek(0)
        err.seek(0)
        if seconds >= timeout:
            raise Void(f"no end after {timeout} s: {' '.join(map(str, command))}")
        return process.returncode, out.read().decode(), err.read().decode(errors="replace"), usage


def parse_baseline(text):
    """The result of a baseline: its last line is a JSON object, or words with items first and the rate last."""
    line = text.strip().rsplit("\n", 1)[-1]
    if line.startswith("{"):
        return json.loads(line)
    words = line.split()
    return {"items": int(words[0]), "seconds": float(words[-2]), "per_second": float(words[-1])}


class Bench:
    """A build of Flyover, on chosen cores, at full length or quick. Probe and baselines are those of the build
    `tools`, if that is another one."""

    def __init__(self, build, cores, quick=False, tools=None):
        self.build, self.cores, self.quick = Path(build), cores, quick
        self.tools = Path(tools or build) / "perf"
        self.flyover = self.build / "controlplane" / "flyover"
        self.kept = {}  # results that several workloads need, by what they are

    def once(self, key, make):
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def probe(self, wakes=False):
        return probe.take(self.tools / "probe" / "probe", self.cores, wakes)

    def knows(self, pipeline, *sets):
        """Does this flyover accept the pipeline with these settings?"""
        return run(self.command("validate", pipeline, sets, "--level", "static"))[0] == 0

    def command(self, verb, pipeline, sets, *more):
        settings = [word for setting in sets for word in ("--set", setting)]
        return [self.flyover, verb, *settings, *more, pipeline]

    def pipeline(self, pipeline, core_cnt, sets=(), timeout=120):
        """Runs a pipeline file on so many cores: (summary, Usage)."""
        OUT.mkdir(parents=True, exist_ok=True)
        cores = ",".join(map(str, self.cores[:core_cnt]))
        command = self.command("run", pipeline, sets, "--cores", cores, "--format", "json", "--instance",
                               f"perf-{os.getpid()}")
        code, out, err, usage = run(command, timeout=timeout)
        if code == 78:
            raise Refused(f"{Path(pipeline).name}: {err.strip()[:400]}")
        if code:
            raise Void(f"{Path(pipeline).name}: exit code {code}: {err.strip()[-800:]}")
        return json.loads(out.rstrip("\n").rsplit("\n", 1)[-1]), usage

    def has_baseline(self, name):
        return self.baseline_path(name).exists()

    def baseline_path(self, name):
        return self.tools / "baselines" / f"baseline_{name}"

    def baseline(self, name, *arguments, core_cnt=1, timeout=120):
        """Runs a baseline for one round: (its object, Usage)."""
        if not self.has_baseline(name):
            raise Unavailable(f"there is no baseline '{name}' yet")
        code, out, err, usage = run([self.baseline_path(name), "-r", "1", *arguments], self.cores[:core_cnt], timeout)
        if code:
            raise Void(f"baseline_{name}: exit code {code}: {err.strip()[-800:]}")
        return parse_baseline(out), usage


def named(name):
    """The pipeline file of this name."""
    return WORKLOADS / f"{name}.yaml"


def text(kind, lines):
    """A file of text: 'storm' of so many lines, or 'kjv' so many times over."""
    path = DATA / f"{kind}-{lines}.txt"
    if path.exists():
        return path
    DATA.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    make_text = ROOT / "examples" / "make-text"
    if kind == "storm":
        subprocess.run([make_text, kind, part, str(lines)], check=True, stderr=subprocess.DEVNULL)
    else:
        once = DATA / "kjv.txt"
        if subprocess.run([make_text, kind, once], check=False, stderr=subprocess.DEVNULL).returncode:
            raise Unavailable("no text: apt-get install bible-kjv bible-kjv-text")
        part.write_bytes(once.read_bytes() * lines)
    part.rename(path)
    return path


def records(bytes_each, cnt):
    """A file of so many different lines of `bytes_each`, the newline included."""
    path = DATA / f"lines-{bytes_each}-{cnt}.txt"
    if path.exists():
        return path
    DATA.mkdir(parents=True, exist_ok=True)
    filler = ("the quick brown fox jumps over the lazy dog, " * (bytes_each // 40 + 1)).encode()
    with open(path.with_suffix(".part"), "wb") as file:
        for first in range(0, cnt, 10000):
            file.write(b"".join((b"%012d " % i + filler)[:bytes_each - 1] + b"\n"
                                for i in range(first, min(cnt, first + 10000))))
    path.with_suffix(".part").rename(path)
    return path


def clean():
    """Removes what runs have written; data and results stay."""
    shutil.rmtree(OUT, ignore_errors=True)
