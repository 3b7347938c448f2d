"""How the screens answer and what they cost while every row of a cluster changes each second.

The real program in a pseudo-terminal of 160×52 on the control socket of a daemon, a process of its
own, whose simulated cluster has so many nodes and changes all of them once a second.

`key_p50_ms` and `key_p95_ms` are from the moment a key is typed until the frame that shows what it
does has been read whole: cursor down, page down and up, last and first row, another page and back,
the order turned around, each letter of a filter; typed at random moments, so that some fall
together with a picture that has just come. `page_ms` is the median of page down and up: a whole
screen of other rows. `cpu_share` is the share of one core that the program uses with the node list
in sight and nobody typing; `kb_per_s` what it writes to the terminal meanwhile, `wire_kb` what a
picture takes on the socket (1 kB = 1000 bytes). `first_paint_s` is from the start of the process
until live data stand on the screen.

`help_ratio` and `status_ratio` compare `raytui --help`, and `raytui status` of a cluster whose
daemon runs on this machine, with `python -c pass` of the same rounds (medians of wall time).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import common
import psutil
from frames import Frame, Terminal

from raytui.autoscaler.daemon.control import greet
from raytui.client.transport import UnixTransport
from raytui.config.cluster import load_cluster
from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from raytui.model import wire

_DAEMON = Path(__file__).with_name("restless_daemon.py")
_SIZE = (160, 52)
_UP_S = 60.0
_LIVE = "autoscaler live"
_CURSOR = re.compile(r"▸\W{0,3}([\w.-]{3,})")
_FILE = """cluster_name: {name}
provider: {{type: fake_multinode}}
max_workers: 8
available_node_types:
  head: {{node_config: {{}}, resources: {{CPU: 0}}}}
  cpu: {{node_config: {{}}, resources: {{CPU: 2}}, max_workers: 8}}
head_node_type: head
"""

Times = dict[str, list[float]]


def measure(quick: bool) -> common.Measured:
    """Clusters of growing size, then the commands that print and end."""
    measured = common.Measured()
    rounds = 1 if quick else 4
    for nodes in (100,) if quick else (100, 2000, 5000):
        common.progress(f"{nodes} nodes")
        with _cluster(nodes) as (file, environment):
            measured.cases.append(_case(nodes, file, environment, rounds))
            if nodes == 100:
                measured.summary |= _starts(file, environment, 2 if quick else 15)
    measured.summary = _summary(measured.cases) | measured.summary
    return measured


def _summary(cases: list[common.Case]) -> dict[str, object]:
    by_nodes = {case["nodes"]: case for case in cases}
    middle = by_nodes.get(2000, cases[0])
    return {
        "key_to_frame_p95_ms": {str(n): case["key_p95_ms"] for n, case in by_nodes.items()},
        "cpu_share": {str(n): case["cpu_share"] for n, case in by_nodes.items()},
        "repaint_ratio_5000_to_100": (
            common.ratio(by_nodes[5000]["page_ms"], by_nodes[100]["page_ms"])
            if 5000 in by_nodes
            else None
        ),
        "rss_mb": middle["rss_mb"],
        "first_paint_s": middle["first_paint_s"],
    }


@contextlib.contextmanager
def _cluster(nodes: int) -> Iterator[tuple[Path, dict[str, str]]]:
    """A daemon of that many restless nodes; its cluster's file, and the environment of a client."""
    name = f"restless-{nodes}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.yaml"
        file.write_text(_FILE.format(name=name))
        own = {f"XDG_{kind}_HOME": f"{folder}/{kind}" for kind in ("STATE", "CONFIG", "CACHE")}
        os.environ |= own
        remember(ClusterPaths(name), load_cluster(str(file)))
        argv = [sys.executable, str(_DAEMON), name, str(nodes)]
        with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as daemon:
            try:
                deadline = time.monotonic() + _UP_S
                while greet(ClusterPaths(name).socket) is None:
                    assert time.monotonic() < deadline, "the daemon does not greet"
                    time.sleep(0.1)
                yield file, {**os.environ, "TEXTUAL_ANIMATIONS": "none"}
            finally:
                daemon.terminate()


def _case(nodes: int, file: Path, environment: Mapping[str, str], rounds: int) -> common.Case:
    paints = []
    for _ in range(1 + rounds):  # the first also compiles what was never compiled
        terminal = _opened(file, environment)
        paints.append(_first_paint_s(terminal))
        terminal.close()
    terminal = _opened(file, environment)
    try:
        _first_paint_s(terminal)
        times = _typed(terminal, rounds)
        process = psutil.Process(terminal.process.pid)
        share, sent = _at_rest(terminal, process, 5.0 * rounds)
        rss = process.memory_info().rss
    finally:
        terminal.close()
    every = [one for kind in times.values() for one in kind]
    return {
        "nodes": nodes,
        "keys": len(every),
        "key_p50_ms": common.median(every),
        "key_p95_ms": common.percentile(every, 0.95),
        **{f"{kind}_ms": common.median(some) for kind, some in times.items()},
        "cpu_share": common.digits(share),
        "kb_per_s": common.digits(sent / 1000),
        "wire_kb": common.digits(asyncio.run(_wire_bytes(f"restless-{nodes}")) / 1000),
        "rss_mb": common.digits(rss / 1e6),
        "first_paint_s": common.median(paints[1:]),
    }


def _opened(file: Path, environment: Mapping[str, str]) -> Terminal:
    return Terminal([sys.executable, "-m", "raytui", str(file)], environment, _SIZE)


def _first_paint_s(terminal: Terminal) -> float:
    return terminal.frame(lambda one: _LIVE in one.text, terminal.began).at - terminal.began


# Typing.


def _typed(terminal: Terminal, rounds: int) -> Times:
    typist = _Typist(terminal)
    typist.switch("2", "WHY IT IS HERE")
    typist.times.clear()
    for _ in range(rounds):
        for _ in range(25):
            typist.move("down", "\x1b[B")
        for _ in range(6):
            typist.move("page", "\x1b[6~")
            typist.move("page", "\x1b[5~")
        for _ in range(4):
            typist.move("edge", "\x1b[F")
            typist.move("edge", "\x1b[H")
        for _ in range(5):
            typist.switch("1", "NODE TYPES")
            typist.switch("2", "WHY IT IS HERE")
        typist.sort()
        typist.filter("gpu-a10")  # its first row keeps the cursor
        typist.move("edge", "\x1b[H")
    return typist.times


class _Typist:
    """Types a key at a random moment and waits for the frame that shows what it does."""

    def __init__(self, terminal: Terminal) -> None:
        self.times: Times = {}
        self._terminal = terminal
        self._random = random.Random(8)
        self._row = ""

    def move(self, kind: str, key: str) -> None:
        """The cursor stands on another row."""
        frame = self._press(kind, key, lambda one: self._other_row(one.text))
        self._row = self._other_row(frame.text)

    def switch(self, key: str, title: str) -> None:
        """Another page is in sight."""
        frame = self._press("switch", key, lambda one: title in one.text)
        self._row = self._other_row(frame.text) or self._row

    def sort(self) -> None:
        """Sorted by the first column, then turned around and around, then no more."""
        self._press("sort", ".", lambda one: "▴" in one.text)
        for turn in range(6):
            sign = "▴" if turn % 2 else "▾"
            self._press("sort", "o", lambda one, sign=sign: sign in one.text)
        self._press("sort", ",", lambda one: "WHY IT IS HERE" in one.text and "▴" not in one.text)

    def filter(self, words: str) -> None:
        """Each letter narrows the list; then all of it is back."""
        self._press("filter", "/", lambda one: True)
        for length in range(1, len(words) + 1):
            shown = f"“{words[:length]}”"
            self._press("filter", words[length - 1], lambda one, shown=shown: shown in one.text)
        self._press("filter", "\r", lambda one: True)
        began = self._terminal.press("\x1b")
        frame = self._terminal.frame(lambda one: _CURSOR.search(one.text), began)
        self._row = self._other_row(frame.text) or self._row

    def _other_row(self, text: str) -> str:
        return next((name for name in _CURSOR.findall(text) if name != self._row), "")

    def _press(self, kind: str, key: str, shows: object) -> Frame:
        assert callable(shows)
        time.sleep(self._random.uniform(0.02, 0.12))
        began = self._terminal.press(key)
        frame = self._terminal.frame(shows, began)
        self.times.setdefault(kind, []).append((frame.at - began) * 1000)
        return frame


def _at_rest(terminal: Terminal, process: psutil.Process, seconds: float) -> tuple[float, float]:
    """Share of a core, and bytes a second for the terminal, while nobody types."""

    def now() -> tuple[float, float, int]:
        spent = process.cpu_times()
        return time.perf_counter(), spent.user + spent.system, terminal.sent

    time.sleep(1.0)
    one = now()
    time.sleep(seconds)
    other = now()
    took = other[0] - one[0]
    return (other[1] - one[1]) / took, (other[2] - one[2]) / took


async def _wire_bytes(name: str) -> float:
    """The median size of a message after the first picture."""
    stream = await UnixTransport(ClusterPaths(name).socket).open()
    await stream.write(wire.line_of(wire.Subscribe()))
    lines = wire.LineSplitter(wire.MAX_MESSAGE_BYTES)
    sizes: list[int] = []
    while len(sizes) < 6:
        sizes += [len(line) for line in lines.feed(await stream.read()) if line is not None]
    await stream.close()
    return common.median(sizes[2:])  # after the greeting and the whole picture


# Commands.


def _starts(file: Path, environment: Mapping[str, str], rounds: int) -> dict[str, object]:
    commands = {
        "python": ["-c", "pass"],
        "help": ["-m", "raytui", "--help"],
        "status": ["-m", "raytui", "status", str(file)],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, arguments in commands.items():
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments], env=environment, capture_output=True, check=True
            )
            times[name].append(time.perf_counter() - began)
    bare = common.median(times["python"])
    return {
        f"{name}_ratio": common.ratio(common.median(times[name]), bare)
        for name in ("help", "status")
    }


if __name__ == "__main__":
    common.main("tui", __doc__, measure)
