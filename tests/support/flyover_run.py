"""flyover_run - what end-to-end tests need: pipelines run by the real binaries, and what became of them.

A test program defines functions marked @test, each taking a Place (a fresh folder with helpers), and ends with
main(). It prints TAP; FLYOVER names the binary under test. A run that is waited for with a JSON summary has its
ledger checked, and that nothing of it is left, by every test.
"""

import collections
import fcntl
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
FLYOVER = os.environ.get("FLYOVER") or str(REPO / "build/release/controlplane/flyover")
FULL = os.environ.get("FLY_TEST_FULL") == "1"
SEED = int(os.environ.get("FLY_TEST_SEED") or time.time_ns() % 1000000)
INSTANCES = Path("/run/flyover" if os.geteuid() == 0 else f"/tmp/flyover-{os.geteuid()}")

OK, FAILED, USAGE, IO, LATER, DENIED, CONFIG = 0, 1, 64, 74, 75, 77, 78

tests = []


class Ended(AssertionError):
    """The run is over."""


class Skip(Exception):
    """The test cannot run here; its text says why."""


def test(function):
    """Marks a function as a test."""
    tests.append(function)
    return function


def eq(got, wanted, what=""):
    """Both are equal."""
    if got != wanted:
        raise AssertionError(f"{f'{what}: ' if what else ''}{got!r:.1000} is not {wanted!r:.1000}")


def has(text, *parts):
    """The text has all the parts."""
    for part in parts:
        if part not in text:
            raise AssertionError(f"{part!r} is not in: {text!r:.3000}")


def wait_for(condition, what, seconds=20):
    """Waits until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.005)
    return value


def children(pid):
    """The processes that pid has started and that still live."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_alive(pid):
    """Does the process run (and is not only waited for)?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Result:
    """What a command did: code, out (bytes), err (text), summary (the JSON object on standard output, or None)."""

    def __init__(self, args, code, out, err, seconds):
        self.args, self.code, self.out, self.err, self.seconds = args, code, out, err, seconds
        self.summary = None
        last = out.rstrip(b"\n").rsplit(b"\n", 1)[-1]
        if "run" in args[:2] and last.startswith(b'{"pipeline"'):
            self.summary = json.loads(last)
            self.out = out[: out.rindex(last)]

    def __repr__(self):
        return f"{' '.join(self.args)}: exit code {self.code}\nstdout: {self.out[:1500]!r}\nstderr: {self.err[-3000:]}"

    def lines(self):
        """Standard output but for the summary."""
        return self.out.decode(errors="surrogateescape").splitlines()

    def source(self, name=None):
        """The ledger of a source; of the only one."""
        sources = self.summary["sources"]
        return sources[name] if name else next(iter(sources.values()))

    def node(self, name):
        return self.summary["nodes"][name]

    def expect(self, code, *parts):
        """Ended with this exit code, and standard error has the parts."""
        if self.code != code:
            raise AssertionError(f"exit code {self.code}, not {code}: {self!r}")
        has(self.err, *parts)
        return self


def check_ledger(result):
    """in = acked + failed + dropped + abandoned + in flight, and nothing in flight after a normal end."""
    for kind in ("sources", "stages"):
        for name, ledger in result.summary[kind].items():
            ended = sum(ledger[term] for term in ("acked", "failed", "dropped", "abandoned", "in_flight"))
            eq(ended, ledger["in"], f"ledger of {name}: {ledger}")
            eq(sum(ledger["failed_by"].values()), ledger["failed"], f"reasons of failures of {name}")
            eq(sum(ledger["dropped_by"].values()), ledger["dropped"], f"reasons of drops of {name}")
            if result.code == OK:
                eq(ledger["in_flight"], 0, f"in flight of {name}")


class Run:
    """A running flyover."""

    def __init__(self, place, args, instance, **popen):
        self.place, self.args, self.instance = place, args, instance
        self.start = time.monotonic()
        self.err_file = tempfile.TemporaryFile()
        popen.setdefault("stdin", subprocess.DEVNULL)
        popen.setdefault("stdout", subprocess.PIPE)
        self.process = subprocess.Popen([FLYOVER, *args], cwd=place.path, stderr=self.err_file, **popen)
        self.pid = self.process.pid
        self.seen = set()

    def dataplane(self, seconds=20):
        """The process of the dataplane, as soon as there is one."""
        pid = wait_for(lambda: children(self.pid) or self.process.poll() is not None, "a dataplane", seconds)
        if pid is True:
            raise Ended(f"it has ended: {self.err()}")
        self.seen.add(pid[0])
        return pid[0]

    def signal(self, number):
        self.process.send_signal(number)

    def is_running(self):
        return self.process.poll() is None

    def err(self):
        """Standard error so far."""
        self.err_file.seek(0)
        return self.err_file.read().decode(errors="replace")

    def wait(self, timeout=60, check=True):
        """The Result, when it has ended; ledger and leftovers are checked."""
        self.seen.update(children(self.pid))
        try:
            out, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end after {timeout} s: {' '.join(self.args)}\n{self.err()[-3000:]}") from None
        result = Result(self.args, self.process.returncode, out or b"", self.err(), time.monotonic() - self.start)
        self.place.running.remove(self)
        if result.summary:
            check_ledger(result)
        if check:
            self.check_leftovers()
        return result

    def check_leftovers(self):
        """No process and no instance file of this run."""
        for pid in self.seen:
            wait_for(lambda pid=pid: not is_alive(pid), f"the end of dataplane {pid}", 5)
        if self.instance and (INSTANCES / f"{self.instance}.json").exists():
            raise AssertionError(f"{INSTANCES}/{self.instance}.json is left")

    def kill(self):
        """Ends it at once; its dataplane dies with it."""
        if self.is_running():
            self.process.kill()
            self.process.communicate()


class Place:
    """A folder of one test."""

    count = 0

    def __init__(self, path):
        self.path = Path(path)
        self.running = []
        self.random = random.Random(SEED)

    def __truediv__(self, name):
        return self.path / name

    def write(self, name, content):
        """Makes a file; returns its path."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def numbered(self, name, cnt, width=0, prefix="line "):
        """A file of cnt different lines; returns the lines."""
        lines = [f"{prefix}{i:0{width}}" for i in range(cnt)]
        self.write(name, "".join(line + "\n" for line in lines))
        return lines

    def read(self, name):
        return (self.path / name).read_bytes()

    def lines(self, name):
        return self.read(name).decode(errors="surrogateescape").splitlines()

    def objects(self, name):
        """The JSON objects, one per line."""
        return [json.loads(line) for line in self.lines(name)]

    def pipeline(self, pipeline):
        """Writes a pipeline: text, a dict, or only the text of its nodes."""
        if isinstance(pipeline, dict):
            pipeline = json.dumps(pipeline)
        elif not re.search(r"^nodes:", pipeline, re.M):
            pipeline = "nodes:\n" + pipeline
        if not re.search(r'^pipeline:|"pipeline":', pipeline, re.M):
            pipeline = "pipeline: test\n" + pipeline
        Place.count += 1
        return self.write(f"pipeline-{Place.count}.yaml", pipeline).name

    def start(self, pipeline, *options, json=True, instance=None, **popen):
        """Starts `flyover run`; pipeline is a Path of a file, or what pipeline() takes."""
        Place.count += 1
        file = str(pipeline) if isinstance(pipeline, Path) else self.pipeline(pipeline)
        name = instance or f"e2e-{os.getpid()}-{Place.count}"
        args = ["run", "--instance", name, *(["--format", "json"] if json else []), *options, file]
        run = Run(self, args, name, **popen)
        self.running.append(run)
        return run

    def run(self, pipeline, *options, timeout=60, code=OK, **more):
        """Runs a pipeline to its end, which must be with this exit code (None: any)."""
        result = self.start(pipeline, *options, **more).wait(timeout)
        return result if code is None else result.expect(code)

    def call(self, *args, code=OK, timeout=30, **popen):
        """Runs flyover with these arguments."""
        run = Run(self, [str(arg) for arg in args], None, **popen)
        self.running.append(run)
        result = run.wait(timeout)
        return result if code is None else result.expect(code)


def words(data):
    """An independent word count: {word: count} of bytes, parts between bytes up to 0x20, A to Z made small."""
    separators = bytes(range(33))
    return collections.Counter(data.lower().translate(bytes.maketrans(separators, b" " * 33)).split())


def counts(place, name):
    """{key: count} of what the `count` stage wrote; no key comes twice."""
    found = place.objects(name)
    table = {entry["key"].encode(): entry["count"] for entry in found}
    eq(len(table), len(found), "keys that come twice")
    return table


def run_one(function):
    """Runs a test in its own folder. Its outcome as (TAP line's end, text)."""
    folder = tempfile.mkdtemp(prefix="flyover-e2e-")
    place = Place(folder)
    try:
        function(place)
        return "", ""
    except Skip as reason:
        return f" # SKIP {reason}", ""
    except Exception:  # pylint: disable=broad-except
        return None, traceback.format_exc(limit=-4)
    finally:
        for run in list(place.running):
            run.kill()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    """Runs the tests, or those named by arguments, and exits with 1 if one failed."""
    chosen = [function for function in tests if not sys.argv[1:] or function.__name__ in sys.argv[1:]]
    failed = False
    print(f"1..{len(chosen)}", flush=True)
    for number, function in enumerate(chosen, 1):
        start = time.monotonic()
        end, text = run_one(function)
        failed |= end is None
        print(f"{'not ok' if end is None else 'ok'} {number} - {function.__name__}{end or ''}", flush=True)
        for line in text.splitlines():
            print(f"# {line}", flush=True)
        if end is None:
            print(f"# seed {SEED} (FLY_TEST_SEED)", flush=True)
        if os.environ.get("FLY_TEST_TIMES"):
            print(f"# {function.__name__} took {time.monotonic() - start:.2f} s", flush=True)
    sys.exit(1 if failed else 0)
