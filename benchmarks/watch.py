"""What it costs to keep an eye on a cluster: CPU per refresh, ours beside `watch -n1 ray status`.

One real Ray cluster on this machine, with tasks coming and going so that each second has news. At
the same time, in the same rounds, three people watch it: one with `raytui status --watch`, one with
the screens on a terminal of 120×40, one with a `ray status` each second, which is what `watch -n1`
runs. `cpu_ms_per_refresh` is user and system time of the whole tree of processes, for ours per
picture that came (`pictures_per_s`, counted beside them), for Ray's per run; medians over rounds.
What the daemon and GCS do is in none of them. `over_raytui` is how many times more Ray's way takes:
`cpu_ratio_vs_ray_status` for the lines, `tui_cpu_ratio_vs_ray_status` for the screens.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import resource
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import common
import psutil
import yaml

from raytui.config.cluster import load_cluster
from raytui.config.locations import ClusterPaths
from raytui.launcher import down, up
from raytui.model.step import Step
from raytui.provisioning.registry import provider_for

TARGET = 50.0
_WORKERS = 2
_SETTLE_S = 15.0
_BETWEEN_S = 1.0
"""The pause of `watch -n1` between two runs."""
_LOAD = """
import random, sys, time, ray
ray.init(sys.argv[1], logging_level="ERROR")

@ray.remote(num_cpus=1)
def work(s):
    time.sleep(s)

chance, running = random.Random(1), []
while True:
    running.append(work.remote(chance.uniform(0.5, 3)))
    if len(running) > 6:
        _, running = ray.wait(running)
"""


def measure(quick: bool) -> common.Measured:
    """Round after round, with all three watching at once."""
    rounds, runs = (2, 3) if quick else (9, 6)
    lines_ms, screens_ms, ray_ms = [], [], []
    with (
        _cluster() as (name, address),
        _load(address),
        _lines(name) as lines,
        _tui(name) as screens,
        _Pictures(name) as pictures,
    ):
        common.progress("letting all settle")
        time.sleep(_SETTLE_S)
        for turn in range(rounds):
            common.progress(f"round {turn + 1} of {rounds}")
            began = pictures.count, _cpu_s(lines), _cpu_s(screens)
            for _ in range(runs):
                ray_ms.append(_ray_status_s(address) * 1000)
                time.sleep(_BETWEEN_S)
            ended = pictures.count, _cpu_s(lines), _cpu_s(screens)
            came = ended[0] - began[0]
            lines_ms.append((ended[1] - began[1]) * 1000 / came)
            screens_ms.append((ended[2] - began[2]) * 1000 / came)
        rate = pictures.per_s()
    ray = common.median(ray_ms)
    watchers = {"raytui status --watch": lines_ms, "raytui (screens)": screens_ms}
    cases: list[common.Case] = [
        {
            "watched_with": words,
            "cpu_ms_per_refresh": common.median(times),
            "most_ms": common.digits(max(times)),
            "over_raytui": common.ratio(ray, common.median(times)),
        }
        for words, times in watchers.items()
    ]
    theirs = {"cpu_ms_per_refresh": ray, "most_ms": common.digits(max(ray_ms))}
    cases.append({"watched_with": "ray status", **theirs})
    of_lines, of_screens = (case["over_raytui"] for case in cases[:2])
    summary = {
        "cpu_ratio_vs_ray_status": of_lines,
        "tui_cpu_ratio_vs_ray_status": of_screens,
        "pictures_per_s": common.digits(rate),
        "target": TARGET,
        "target_met": min(of_lines, of_screens) >= TARGET,
    }
    return common.Measured(cases, summary)


@contextlib.contextmanager
def _cluster() -> Iterator[tuple[str, str]]:
    """A head, two workers and a daemon, with a state folder of their own; name and address."""
    name = "watched"
    sizes = {"min_workers": _WORKERS, "max_workers": _WORKERS}
    types = {
        "head": {"node_config": {}, "resources": {"CPU": 0}},
        "cpu": {"node_config": {}, "resources": {"CPU": 1}, **sizes},
    }
    text = {
        "cluster_name": name,
        "provider": {"type": "fake_multinode"},
        "max_workers": _WORKERS,
        "head_node_type": "head",
        "available_node_types": types,
    }
    with tempfile.TemporaryDirectory() as home:
        before = os.environ.get("XDG_STATE_HOME")
        os.environ["XDG_STATE_HOME"] = home
        file = Path(home) / "watched.yaml"
        file.write_text(yaml.safe_dump(text))
        spec = load_cluster(file)
        try:
            up(spec, _silent)
            yield name, provider_for(spec, ClusterPaths(name)).head_address()
        finally:
            down(spec, _silent)
            os.environ.pop("XDG_STATE_HOME")
            if before is not None:
                os.environ["XDG_STATE_HOME"] = before


def _silent(step: Step) -> None:
    """Steps of the launcher are of no interest here; errors are raised."""


@contextlib.contextmanager
def _running(argv: list[str], terminal: int | None = None) -> Iterator[psutil.Process]:
    """A program for the length of a `with`, on a terminal or writing to nowhere."""
    place = subprocess.DEVNULL if terminal is None else terminal
    with subprocess.Popen(argv, stdin=place, stdout=place, stderr=place) as process:
        try:
            yield psutil.Process(process.pid)
            if process.poll() is not None:
                raise RuntimeError(f"{argv} has ended with {process.returncode}")
        finally:
            process.terminate()


def _load(address: str) -> contextlib.AbstractContextManager[psutil.Process]:
    return _running([sys.executable, "-c", _LOAD, address])


def _lines(name: str) -> contextlib.AbstractContextManager[psutil.Process]:
    return _running([sys.executable, "-m", "raytui", "status", "--watch", "1", name])


@contextlib.contextmanager
def _tui(name: str) -> Iterator[psutil.Process]:
    """The screens on a real terminal whose reader takes all that comes."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    reader = threading.Thread(target=_drain, args=(ours,), daemon=True)
    reader.start()
    with _running([sys.executable, "-m", "raytui", name], theirs) as process:
        os.close(theirs)
        yield process
    reader.join()
    os.close(ours)


def _drain(terminal: int) -> None:
    with contextlib.suppress(OSError):  # Linux' way to say that nobody writes any more
        while os.read(terminal, 1 << 16):
            pass


class _Pictures:
    """Counts the pictures of the cluster that its daemon gives to whoever watches."""

    def __init__(self, name: str) -> None:
        self.count = 0
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "raytui", "status", "--watch", "0.1", "--json", name],
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> _Pictures:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._reader.join()
        self._process.wait()

    def per_s(self) -> float:
        """How many come in a second."""
        return self.count / (time.monotonic() - self._began)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for _ in self._process.stdout:
            self.count += 1


def _ray_status_s(address: str) -> float:
    """CPU seconds of one `ray status`, with all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = [sys.executable, "-m", "ray.scripts.scripts", "status", "--address", address]
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _cpu_s(root: psutil.Process) -> float:
    """CPU seconds of a process and of all below it, also of those that have ended."""
    tree = [root, *root.children(recursive=True)]
    return sum(sum(process.cpu_times()[:4]) for process in tree)


if __name__ == "__main__":
    common.main("watch", __doc__, measure)
