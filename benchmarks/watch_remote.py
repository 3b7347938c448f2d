"""Watching a cluster on another machine: how soon one sees it, and what goes over the wire.

The head is a host of its own with a real sshd (a container); its daemon serves a simulated cluster
that never rests, and each second brings a picture. `first_picture_s` is from the beginning of the
SSH connection to the first whole picture, `first_paint_s` from the start of `raytui CLUSTER` in a
terminal to the first live words on it. `kb_per_s` is what the host's network card has sent and
received for it, SSH, TCP and all (1 kB = 1000 bytes). Where no such hosts can be had, nothing is
measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import common

from raytui.client.reached import client_for
from raytui.config.cluster import load_cluster
from raytui.config.locations import ClusterPaths
from raytui.model.snapshot import Snapshot

sys.path.append(str(Path(__file__).resolve().parent.parent))  # what the tests have, too

from tests.support import away
from tests.support.hosts import Host, engine
from tests.support.needs import is_there
from tests.support.on_premise import OnPremise, cluster_of_hosts

_FIGURES = ("first_picture_s", "first_paint_s", "slowest_paint_s", "pictures_per_s", "kb_per_s")
_DAEMON = Path(__file__).with_name("simulated_daemon.py")
_LIVE = b"autoscaler live"
_PAINT_WAIT_S = 60.0
_SETTLE_S = 5.0


def measure(quick: bool) -> common.Measured:
    """Look at clusters of two sizes, again and again, then watch for a while."""
    measured = common.Measured()
    repeats, watched_s = (2, 10.0) if quick else (9, 60.0)
    for nodes in (100,) if quick else (100, 1000):
        if not is_there("ssh"):
            measured.cases.append({"nodes": nodes, **dict.fromkeys(_FIGURES)})
            continue
        common.progress(f"{nodes} nodes")
        with _simulated(nodes) as cluster:
            paints = [_first_paint_s(cluster) for _ in range(repeats)]
            pictures = [asyncio.run(_first_picture_s(cluster)) for _ in range(repeats)]
            rate, traffic = asyncio.run(_watch(cluster, watched_s))
        figures = (
            common.median(pictures),
            common.median(paints),
            max(paints),
            rate,
            traffic / 1000,
        )
        case = {"nodes": nodes, **dict(zip(_FIGURES, map(common.digits, figures), strict=True))}
        measured.cases.append(case)
    hundred = measured.cases[0]
    measured.summary = {
        "first_paint_s": hundred["first_paint_s"],
        "kb_per_s_100_nodes": hundred["kb_per_s"],
    }
    return measured


@contextlib.contextmanager
def _simulated(nodes: int) -> Iterator[OnPremise]:
    """A head whose daemon simulates; this process is raytui on the laptop."""
    with (
        tempfile.TemporaryDirectory() as folder,
        engine() as running,
        cluster_of_hosts(running, Path(folder), workers=0, name="watched") as cluster,
    ):
        os.environ.update(cluster.environment)
        away.install(cluster.head)
        away.start_daemon(cluster, _DAEMON, str(nodes))
        away.note_launched(cluster)
        time.sleep(_SETTLE_S)
        yield cluster


async def _first_picture_s(cluster: OnPremise) -> float:
    spec = load_cluster(str(cluster.file))
    started = time.perf_counter()
    client = client_for(spec, ClusterPaths(cluster.name), read_only=True)
    async for news in client.updates():
        if isinstance(news, Snapshot):
            break
    took_s = time.perf_counter() - started
    await client.close()
    return took_s


def _first_paint_s(cluster: OnPremise) -> float:
    """Run the program in a terminal until it shows live data."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    started = time.perf_counter()
    argv = cluster.argv(cluster.name)
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        try:
            return _until_live(ours) - started
        finally:
            process.kill()
            os.close(ours)


def _until_live(terminal: int) -> float:
    """When the live words have come, in perf_counter seconds."""
    shown = b""
    deadline = time.monotonic() + _PAINT_WAIT_S
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 1.0)[0]:
            shown += os.read(terminal, 1 << 16)
        if _LIVE in shown:
            return time.perf_counter()
    raise TimeoutError(f"nothing live was shown: {shown[-2000:]!r}")


async def _watch(cluster: OnPremise, watched_s: float) -> tuple[float, float]:
    """Pictures and bytes per second while somebody watches; the first picture is not counted."""
    spec = load_cluster(str(cluster.file))
    client = client_for(spec, ClusterPaths(cluster.name), read_only=True)
    pictures, began, before = 0, 0.0, 0
    async for news in client.updates():
        if isinstance(news, Snapshot):
            if not began:
                began, before = time.monotonic(), await asyncio.to_thread(_bytes, cluster.head)
            elif time.monotonic() - began > watched_s:
                break
            pictures += 1
    elapsed_s = time.monotonic() - began
    traffic = await asyncio.to_thread(_bytes, cluster.head) - before
    await client.close()
    return pictures / elapsed_s, traffic / elapsed_s


def _bytes(host: Host) -> int:
    """What the host's network card has received and sent."""
    files = [f"/sys/class/net/eth0/statistics/{way}_bytes" for way in ("rx", "tx")]
    return sum(map(int, host.run("cat", *files).split()))


if __name__ == "__main__":
    common.main("watch_remote", __doc__, measure)
