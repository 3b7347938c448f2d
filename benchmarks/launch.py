"""Setting up 32 nodes at once: how much longer it takes than one.

Machines are asked for and made into nodes as the daemon on a head does it: hosts that know nothing
of us are claimed, connected to and set up, with login shells, output on disk and the state that a
later try goes on from. Each is a container with an sshd and processes of its own, and the command
of its set-up only waits. So the ratio tells what raytui adds: 1 would be perfect, 32 would be one
node after the other. That all the hosts' sshd and shells run on this machine's processors, too,
counts against it. Where no such hosts can be had, and with `--quick`, all nodes are this machine
itself, and no network is in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import common

from raytui.backends.base import LaunchRequest, Machines
from raytui.backends.ssh.ssh_config import CONFIG_VARIABLE
from raytui.config.cluster import parse_cluster
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec
from raytui.provisioning.provisioner import Provisioner

sys.path.append(str(Path(__file__).resolve().parent.parent))  # what the tests have, too

_NODES = (1, 8, 32)
_WAIT_S = 5.0
_QUICK_WAIT_S = 2.0
_WITHIN_S = 120.0
_TYPE = "local.cluster.node"
"""What Ray calls the nodes of a file that only lists hosts."""

Bare = Callable[[str, float], tuple[ClusterSpec, Machines]]
"""Makes a cluster, of a name, that has no workers yet; its set-up waits for so many seconds."""


def measure(quick: bool) -> common.Measured:
    """Set up few and many nodes, and compare."""
    wait_s, repeats = (_QUICK_WAIT_S, 1) if quick else (_WAIT_S, 3)
    measured = common.Measured()
    over_ssh = not quick and _hosts_can_be_had()
    with _home_of_our_own() as home, _hosts(home) if over_ssh else _this_machine(home) as bare:
        for nodes in _NODES:
            common.progress(f"{nodes} nodes")
            names = [f"bench-{nodes}-{repeat}" for repeat in range(repeats)]
            took_s = common.median(_set_up(nodes, *bare(name, wait_s)) for name in names)
            reached = "ssh" if over_ssh else "this machine"
            case = {"nodes": nodes, "over": reached, "step_waits_s": wait_s, "took_s": took_s}
            measured.cases.append(case)
    one, *_, many = (case["took_s"] for case in measured.cases)
    measured.summary = {"ratio_32_to_1": common.ratio(many, one), "one_s": one, "all_32_s": many}
    return measured


def _set_up(nodes: int, spec: ClusterSpec, machines: Machines) -> float:
    """Seconds from the request for so many nodes until the last of them is one."""
    provider = Provisioner(spec, machines, ClusterPaths(spec.cluster_name))
    provider.start()
    try:
        started = time.perf_counter()
        launched = provider.launch(LaunchRequest("r", _TYPE, nodes))
        while not _are_nodes(provider, nodes):
            assert time.perf_counter() - started < _WITHIN_S, provider.steps()
            time.sleep(0.05)
        took_s = time.perf_counter() - started
        provider.terminate([instance.instance_id for instance in launched])
    finally:
        provider.close()
    return took_s


def _are_nodes(provider: Provisioner, count: int) -> bool:
    workers = [one for one in provider.list_instances() if not one.is_head]
    lost = [one.detail for one in workers if one.status is InstanceStatus.LOST]
    assert not lost, lost
    return sum(one.ray_started_at > 0 for one in workers) == count


@contextlib.contextmanager
def _home_of_our_own() -> Iterator[Path]:
    """The user's start files, settings and clusters are nobody's to measure."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        os.environ["XDG_STATE_HOME"] = f"{home}/state"
        os.environ[CONFIG_VARIABLE] = "none"
        yield Path(home)


@contextlib.contextmanager
def _this_machine(home: Path) -> Iterator[Bare]:
    """Every node is this machine."""
    from tests.provisioning.folder_machines import FolderMachines

    names = [f"m{number}" for number in range(max(_NODES))]

    def bare(name: str, wait_s: float) -> tuple[ClusterSpec, Machines]:
        folder = ClusterPaths(name).make().dir
        return _spec(name, wait_s, names), FolderMachines(folder, names)

    yield bare


def _hosts_can_be_had() -> bool:
    from tests.support.needs import is_there

    return is_there("ssh")


@contextlib.contextmanager
def _hosts(home: Path) -> Iterator[Bare]:
    """Every node is a host of its own."""
    from raytui.backends.on_premise.machines import OnPremMachines
    from tests.support.hosts import engine

    names = [f"node-{number}" for number in range(max(_NODES))]
    common.progress(f"{len(names)} hosts")
    with engine() as running, running.hosts(*names) as hosts:
        keys = "".join(host.known_hosts_line() for host in hosts)
        addresses = [host.address for host in hosts]

        def bare(name: str, wait_s: float) -> tuple[ClusterSpec, Machines]:
            # To a cluster of another name, a host is as good as new.
            paths = ClusterPaths(name).make()
            paths.known_hosts.write_text(keys)
            spec = _spec(name, wait_s, addresses, key=str(running.key))
            return spec, OnPremMachines(spec, paths)

        yield bare


def _spec(name: str, wait_s: float, hosts: Sequence[str], *, key: str = "") -> ClusterSpec:
    """As it is on the head, which is this machine."""
    file = {
        "cluster_name": name,
        "provider": {"type": "local", "head_ip": "127.0.0.1", "worker_ips": hosts},
        "auth": {"ssh_user": "ray", **({"ssh_private_key": key} if key else {})},
        "min_workers": 0,
        "worker_setup_commands": ["echo begin", f"sleep {wait_s}", "echo end"],
        "worker_start_ray_commands": [],
    }
    return parse_cluster(json.dumps(file), f"{name}.yaml")


if __name__ == "__main__":
    common.main("launch", __doc__, measure)
