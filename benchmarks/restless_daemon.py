"""A daemon on whose simulated cluster every row changes once a second, and nothing else happens.

`restless_daemon.py CLUSTER NODES`, until it is stopped.
"""

from __future__ import annotations

import sys
import time
from typing import Any, cast

import msgspec

from raytui.autoscaler.daemon.process import run_daemon
from raytui.autoscaler.engine import Engine
from raytui.autoscaler.simulation.showcase import showcase
from raytui.config.locations import ClusterPaths
from raytui.model.command import Ack
from raytui.model.reason import Why, because
from raytui.model.resources import UNITS_PER_ONE, Resources
from raytui.model.snapshot import Row, Snapshot

_EVERY_S = 1.0
_SETTLE_TICKS = 3


class Restless:
    """An engine that turns one picture of a simulated cluster into many."""

    def __init__(self, nodes: int) -> None:
        now = time.time()
        self._engine = showcase(nodes, clock=lambda: now)
        for _ in range(_SETTLE_TICKS):
            now += 1.0
            picture = self._engine.tick()
        self._picture = msgspec.structs.replace(picture, moves=())
        self._turn = 0
        self._next = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def due(self, watched: bool = True) -> bool:
        """Once a second."""
        return time.monotonic() >= self._next

    def tick(self) -> Snapshot:
        """The same nodes, each with other work on it."""
        self._next = time.monotonic() + _EVERY_S
        self._turn += 1
        rows = tuple(_changed(row, self._turn + i) for i, row in enumerate(self._picture.rows))
        return msgspec.structs.replace(
            self._picture, rows=rows, seq=self._turn, taken_at=time.time()
        )


def _changed(row: Row, turn: int) -> Row:
    node = row.member.node
    if node is None or row.member.is_head:
        return row
    cpus = int(node.total.amount("CPU")) or 1
    busy = 1 + turn % cpus
    left = dict(node.total.items()) | {"CPU": (cpus - busy) * UNITS_PER_ONE}
    left["memory"] = int(left.get("memory", 0) * (0.2 + turn % 60 / 100))
    activity = f"{busy} tasks: preprocess ×{busy}, turn {turn}"
    node = msgspec.structs.replace(
        node, available=Resources(left), idle_since=0.0, activity=(activity,)
    )
    member = msgspec.structs.replace(row.member, node=node)
    return Row(member, because(Why.BUSY, activity=activity), row.hold)


def _reload(_: Engine) -> Ack:
    return Ack(False, "a simulated cluster has no file")


if __name__ == "__main__":
    _, cluster, count = sys.argv
    run_daemon(
        cluster, ClusterPaths(cluster).make(), lambda: cast("Engine", Restless(int(count))), _reload
    )
