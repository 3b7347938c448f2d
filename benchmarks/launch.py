"""Setting up 32 nodes at once: how much longer it takes than one.

Each node is set up for real, with a login shell, output on disk and the state that a later run
goes on from, by a command that only waits. So the ratio tells what raytui adds: 1 would be
perfect, 32 would be one node after the other. The machines are all this one, with an empty home
(real ones run their shells' start files on processors of their own), and no network is in it.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import common

from raytui.backends.local_runner import LocalRunner
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.many_nodes import update_nodes
from raytui.provisioning.node_setup import NodeSetup
from raytui.provisioning.node_update import NodeUpdate

_NODES = (1, 8, 32)
_WAIT_S = 5.0
_QUICK_WAIT_S = 2.0


def measure(quick: bool) -> common.Measured:
    """Set up few and many nodes, and compare."""
    wait_s, repeats = (_QUICK_WAIT_S, 1) if quick else (_WAIT_S, 3)
    measured = common.Measured()
    for nodes in _NODES:
        common.progress(f"{nodes} nodes")
        took_s = common.median(_set_up(nodes, wait_s) for _ in range(repeats))
        case = {"nodes": nodes, "step_waits_s": wait_s, "took_s": took_s}
        measured.cases.append(case)
    one, *_, many = (case["took_s"] for case in measured.cases)
    measured.summary = {"ratio_32_to_1": common.ratio(many, one), "one_s": one, "all_32_s": many}
    return measured


def _set_up(nodes: int, wait_s: float) -> float:
    """Seconds until so many nodes are set up."""
    hashes = NodeHashes("machine", "setup", "files")
    commands = ("echo begin", f"sleep {wait_s}", "echo end")
    updates = [
        NodeUpdate(
            NodeSetup(f"node-{number}", False, hashes, setup_commands=commands),
            LocalRunner(),
            "benchmark",
        )
        for number in range(nodes)
    ]
    with tempfile.TemporaryDirectory() as directory:
        os.environ["HOME"] = directory
        started = time.perf_counter()
        failed = [u for u in update_nodes(updates, Path(directory), lambda _: None) if u.error]
        took_s = time.perf_counter() - started
    assert not failed, failed
    return took_s


if __name__ == "__main__":
    common.main("launch", __doc__, measure)
