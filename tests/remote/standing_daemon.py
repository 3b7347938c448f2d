"""A daemon for a head: it serves a picture of hosts that are there, without Ray.

`standing_daemon.py CLUSTER HEAD [WORKER…]`, addresses of hosts. A command is answered and journaled
as with the scripted engine; the picture is taken anew each second.
"""

from __future__ import annotations

import sys
import time

from raytui.autoscaler.daemon.process import run_daemon
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import InstanceStatus
from raytui.model.reason import Why, because
from raytui.model.snapshot import ClusterInfo, Row, Snapshot
from raytui.model.state import Instance, Member
from tests.control.scripted_engine import ScriptedEngine, reload_engine

DASHBOARD_PORT = 8265


class StandingEngine(ScriptedEngine):
    """Its nodes are the given hosts; a worker's id is its address and something more."""

    def __init__(self, cluster: str, head: str, *workers: str) -> None:
        super().__init__(cluster)
        self.info = ClusterInfo(
            cluster, "local", f"{head}:6379", f"http://127.0.0.1:{DASHBOARD_PORT}"
        )
        self.rows = (_row(head, head), *(_row(f"{address}-c0ffee", address) for address in workers))

    def due(self, watched: bool = True) -> bool:
        return self.dirty or time.time() - self._taken_at >= 1

    _taken_at = 0.0

    def tick(self) -> Snapshot:
        from msgspec.structs import replace

        self._taken_at = time.time()
        return replace(super().tick(), rows=self.rows, types=())


def _row(instance_id: str, address: str) -> Row:
    instance = Instance(
        instance_id,
        "local.cluster.node",
        InstanceStatus.RUNNING,
        is_head=instance_id == address,
        ip=address,
    )
    return Row(Member(instance, None), because(Why.HEAD))


if __name__ == "__main__":
    _, name, *addresses = sys.argv
    run_daemon(
        name, ClusterPaths(name).make(), lambda: StandingEngine(name, *addresses), reload_engine
    )
