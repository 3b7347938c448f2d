"""Setting up 32 nodes at once: how much longer it takes than one.

Each node is a host that is reached by SSH, a container with an sshd and processes of its own. It
is set up as any other: connection, login shells, output on disk and the state that a later run
goes on from, by a command that only waits. So the ratio tells what raytui adds: 1 would be
perfect, 32 would be one node after the other. That all the hosts' sshd and shells run on this
machine's processors, too, counts against it. Where no such hosts can be had, and with `--quick`,
all nodes are this machine itself, and no network is in it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import common

from raytui.backends.base import CommandRunner
from raytui.backends.local_runner import LocalRunner
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.many_nodes import update_nodes
from raytui.provisioning.node_setup import NodeSetup
from raytui.provisioning.node_update import NodeUpdate

sys.path.append(str(Path(__file__).resolve().parent.parent))  # what the tests have, too

_NODES = (1, 8, 32)
_WAIT_S = 5.0
_QUICK_WAIT_S = 2.0

Reach = Callable[[int], CommandRunner]
"""Makes a runner for the node of a number, on which nothing is connected yet."""


def measure(quick: bool) -> common.Measured:
    """Set up few and many nodes, and compare."""
    wait_s, repeats = (_QUICK_WAIT_S, 1) if quick else (_WAIT_S, 3)
    measured = common.Measured()
    over_ssh = not quick and _hosts_can_be_had()
    with _hosts(max(_NODES)) if over_ssh else _this_machine() as reach:
        for nodes in _NODES:
            common.progress(f"{nodes} nodes")
            took_s = common.median(_set_up(nodes, wait_s, reach) for _ in range(repeats))
            reached = "ssh" if over_ssh else "this machine"
            case = {"nodes": nodes, "over": reached, "step_waits_s": wait_s, "took_s": took_s}
            measured.cases.append(case)
    one, *_, many = (case["took_s"] for case in measured.cases)
    measured.summary = {"ratio_32_to_1": common.ratio(many, one), "one_s": one, "all_32_s": many}
    return measured


def _set_up(nodes: int, wait_s: float, reach: Reach) -> float:
    """Seconds until so many nodes are set up."""
    hashes = NodeHashes("machine", "setup", "files")
    commands = ("echo begin", f"sleep {wait_s}", "echo end")
    updates = [
        NodeUpdate(
            NodeSetup(f"node-{number}", False, hashes, setup_commands=commands),
            reach(number),
            "benchmark",
        )
        for number in range(nodes)
    ]
    with tempfile.TemporaryDirectory() as directory:
        started = time.perf_counter()
        failed = [u for u in update_nodes(updates, Path(directory), lambda _: None) if u.error]
        took_s = time.perf_counter() - started
    for update in updates:
        update.host.close()
    assert not failed, failed
    return took_s


@contextlib.contextmanager
def _this_machine() -> Iterator[Reach]:
    """Every node is this machine, with an empty home: its start files are nobody's to measure."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        yield lambda _: LocalRunner()


def _hosts_can_be_had() -> bool:
    from tests.support.needs import is_there

    return is_there("ssh")


@contextlib.contextmanager
def _hosts(count: int) -> Iterator[Reach]:
    """Every node is a host of its own."""
    from raytui.backends.ssh.connection import SshConnection
    from raytui.backends.ssh.host_keys import HostKeys
    from raytui.backends.ssh.runner import SshRunner
    from raytui.backends.ssh.target import ssh_target
    from raytui.model.spec import AuthSpec
    from tests.support.hosts import engine

    names = [f"node-{number}" for number in range(count)]
    common.progress(f"{count} hosts")
    with (
        engine() as running,
        running.hosts(*names) as hosts,
        tempfile.TemporaryDirectory() as directory,
    ):
        auth = AuthSpec(ssh_user="ray", ssh_private_key=str(running.key))
        targets = [ssh_target(host.address, auth, ours=True, config="none") for host in hosts]
        keys = HostKeys(Path(directory, "known_hosts"))
        yield lambda number: SshRunner(SshConnection(targets[number], keys))


if __name__ == "__main__":
    common.main("launch", __doc__, measure)
