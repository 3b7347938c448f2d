"""What the list of 500 RayClusters with 10 pods each costs, beside kubectl on the same API server.

A real API server has them, full-sized as KubeRay makes them (a pod is 5 KB of JSON).
`raytui k8s -A` runs in a pseudo-terminal of 160×50: `first_s` is from the start of its process
until a cluster is on the screen, `all_s` until every cluster and every pod has been read. `rss_mb`
is what the process has then, `peak_mb` the most it had later on. `steady` is a time in which
nothing changes but the ages of clusters, which are shown to the second in their first hour; in
`busy` pods change all the time. `cpu` is the share of a core, `terminal_bytes` what is written to
the terminal each second. Requests are those that the API server has counted.

kubectl's `first_s` is its first line of output, `all_s` its last one (with `-w`: of what is there
already; then it waits for changes, as the list does). It shows no sums, no states of clusters, and
one kind at a time. All of them share two cores with the API server and etcd.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import common
import psutil
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.session import KubeSession
from raytui.config.locations import packaged
from tests.kubernetes.control_plane import binary, control_plane
from tests.kubernetes.many import Many
from tests.kubernetes.waiting import until

_NAMESPACES = 20
_LONGEST_S = 120.0
_COUNTED = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<count>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_OURS = frozenset({"rayclusters", "pods"})
_SIZE = (50, 160)


class Spent(NamedTuple):
    """What a stretch of time cost."""

    cpu: float
    """Share of a core."""
    sent: float
    """Bytes a second for the terminal."""
    changes: float
    """A second."""


def measure(quick: bool) -> common.Measured:
    """The list, then kubectl."""
    clusters, pods, seconds = (40, 5, 5.0) if quick else (500, 10, 20.0)
    with tempfile.TemporaryDirectory() as folder, control_plane(Path(folder)) as plane:
        config = plane.kubeconfig(Path(folder) / "config.yaml")
        session = KubeSession(Access(kubeconfig=str(config)))
        _define(session)
        common.progress(f"making {clusters} RayClusters with {pods} pods each")
        names = _namespaces(session)
        Many(session).make(names, clusters, pods)
        environment = {**os.environ, "KUBECONFIG": str(config), "XDG_STATE_HOME": folder}
        ours, summary = _raytui(environment, session, names, clusters, pods, seconds)
        theirs = [
            _kubectl(environment, words, lines)
            for words, lines in (
                (("get", "rayclusters", "-A"), clusters + 1),
                (("get", "pods", "-A"), clusters * pods + 1),
                (("get", "pods", "-A", "-w"), clusters * pods + 1),
                (("get", "rayclusters", "-A", "-o", "json"), 0),
                (("get", "pods", "-A", "-o", "json"), 0),
            )
        ]
    return common.Measured([ours, *theirs], summary)


def _define(session: KubeSession) -> None:
    text = (packaged("charts") / "raytui-operator" / "crds" / "ray.io_rayclusters.yaml").read_text()
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    session.create(path, yaml.safe_load(text))
    until(lambda: session.get("/apis/ray.io/v1"), "the RayCluster resource is served", 60)


def _namespaces(session: KubeSession) -> list[str]:
    names = [f"team-{number:02d}" for number in range(_NAMESPACES)]
    for name in names:
        session.create("/api/v1/namespaces", {"metadata": {"name": name}})
    return names


# raytui.


class Terminal:
    """A program on a pseudo-terminal, whose output is read all the time."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self.began = time.perf_counter()
        self.sent = 0
        self.seen: dict[str, float] = {}
        self._wanted: list[str] = []
        self._last = b""
        self._end, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", *_SIZE, 0, 0))
        settings = {**environment, "TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none"}
        self.process = subprocess.Popen(
            argv, stdin=inside, stdout=inside, stderr=inside, env=settings, start_new_session=True
        )
        os.close(inside)
        threading.Thread(target=self._read, daemon=True).start()

    def wait(self, *words: str) -> float:
        """Seconds from the start until one of the words was written."""
        self._wanted = list(words)
        deadline = self.began + _LONGEST_S
        while not any(word in self.seen for word in words):
            assert time.perf_counter() < deadline, f"{words} never came: {self._last[-2000:]!r}"
            time.sleep(0.005)
        return min(self.seen[word] for word in words if word in self.seen) - self.began

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._end], [], [], 1.0)
            try:
                data = os.read(self._end, 1 << 16) if ready else b""
            except OSError:
                return
            self.sent += len(data)
            self._last = (self._last + data)[-(1 << 17) :]
            for word in self._wanted:
                if word.encode() in self._last:
                    self.seen.setdefault(word, time.perf_counter())

    def close(self) -> None:
        """Leave it as a person does."""
        os.write(self._end, b"q")
        try:
            self.process.wait(timeout=15)
        finally:
            self.process.kill()


def _raytui(
    environment: Mapping[str, str],
    session: KubeSession,
    names: Sequence[str],
    clusters: int,
    pods: int,
    seconds: float,
) -> tuple[common.Case, dict[str, object]]:
    before = _requests(session)
    terminal = Terminal([sys.executable, "-m", "raytui", "k8s", "-A"], environment)
    try:
        first_s = terminal.wait("demo-0")
        all_s = terminal.wait("● watching")
        process = psutil.Process(terminal.process.pid)
        time.sleep(2)
        rss = process.memory_info().rss
        common.progress(f"first cluster after {first_s:.2f} s, all after {all_s:.2f} s; steady")
        steady = _spent(terminal, process, seconds, lambda: 0)
        common.progress("pods change")
        with _changing(session, names, clusters) as changed:
            busy = _spent(terminal, process, seconds, changed)
        peak = _peak(terminal.process.pid)
        after_rss = process.memory_info().rss
        requests = _requests(session)
    finally:
        terminal.close()
    asked = {name: count - before[name] for name, count in requests.items() if count > before[name]}
    case: common.Case = {
        "what": "raytui k8s -A",
        "first_s": common.digits(first_s),
        "all_s": common.digits(all_s),
        "rss_mb": common.digits(rss / 1e6),
        "peak_mb": common.digits(peak / 1e6),
    }
    return case, {
        "clusters": clusters,
        "pods": clusters * pods,
        "first_paint_s": case["first_s"],
        "target_s": 2.0,
        "requests": {name: asked[name] for name in sorted(asked) if "PATCH" not in name},
        "steady_cpu": common.digits(steady.cpu),
        "steady_terminal_bytes": common.digits(steady.sent),
        "busy_changes": common.digits(busy.changes),
        "busy_cpu": common.digits(busy.cpu),
        "busy_terminal_bytes": common.digits(busy.sent),
        "rss_after_mb": common.digits(after_rss / 1e6),
    }


def _spent(terminal: Terminal, process: psutil.Process, seconds: float, changed: object) -> Spent:
    def now() -> tuple[float, float, int, int]:
        times = process.cpu_times()
        count = changed() if callable(changed) else 0
        return time.perf_counter(), times.user + times.system, terminal.sent, count

    one = now()
    time.sleep(seconds)
    other = now()
    took = other[0] - one[0]
    cpu, sent, count = ((other[i] - one[i]) / took for i in (1, 2, 3))
    return Spent(cpu, sent, count)


@contextmanager
def _changing(session: KubeSession, names: Sequence[str], clusters: int) -> Iterator[object]:
    """Pods become ready and unready as fast as up to 100 a second; gives their count so far."""
    ended = threading.Event()
    count = Counter[str]()

    def change(begin: int) -> None:
        many = Many(session)
        number, due = begin, time.monotonic()
        while not ended.is_set():
            at = number % clusters
            ready = (number // clusters) % 2 == 1
            name = f"demo-{at:03d}-worker-cpu-001"
            many.tell(names[at % len(names)], name, ready=ready)
            count["all"] += 1
            number += 4
            due += 0.04
            ended.wait(max(0.0, due - time.monotonic()))

    threads = [threading.Thread(target=change, args=(i,), daemon=True) for i in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: count["all"]
    finally:
        ended.set()
        for thread in threads:
            thread.join(timeout=10)


def _requests(session: KubeSession) -> Counter[str]:
    """How many requests for RayClusters and pods the API server has had, by `LIST pods`."""
    with session.lines("/metrics") as lines:
        text = "\n".join(line.decode() for line in lines)
    found = Counter[str]()
    for one in _COUNTED.finditer(text):
        labels = dict(_LABEL.findall(one["labels"]))
        if labels.get("resource") in _OURS:
            found[f"{labels['verb']} {labels['resource']}"] += int(float(one["count"]))
    # Watches are counted when they end.
    gauge = re.compile(r"^apiserver_longrunning_gauge\{(.*)\} (\S+)$", re.MULTILINE)
    for labels_text, number in gauge.findall(text):
        labels = dict(_LABEL.findall(labels_text))
        if labels.get("resource") in _OURS and labels.get("verb") == "WATCH":
            found[f"WATCH {labels['resource']}"] += int(float(number))
    return found


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


# kubectl.


def _kubectl(environment: Mapping[str, str], words: Sequence[str], lines: int) -> common.Case:
    """One command until so many lines came, or until it ended where that is 0."""
    common.progress(" ".join(("kubectl", *words)))
    began = time.perf_counter()
    process = subprocess.Popen(
        [binary("kubectl"), *words], env=dict(environment), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    first_s = 0.0
    for count, _ in enumerate(process.stdout, 1):
        first_s = first_s or time.perf_counter() - began
        if count == lines:
            break
    all_s = time.perf_counter() - began
    if "-w" in words:
        process.send_signal(signal.SIGINT)
    process.stdout.close()
    _, _, usage = os.wait4(process.pid, 0)
    return {
        "what": " ".join(("kubectl", *words)),
        "first_s": common.digits(first_s),
        "all_s": common.digits(all_s),
        "rss_mb": None,
        "peak_mb": common.digits(usage.ru_maxrss * 1024 / 1e6),
    }


if __name__ == "__main__":
    common.main("kubernetes_list", __doc__, measure)
