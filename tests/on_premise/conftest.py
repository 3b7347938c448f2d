"""Real hosts that are shared by clusters, and the machines of a cluster as its head has them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from raytui.backends.base import LaunchRequest
from raytui.backends.on_premise.machines import OnPremMachines
from raytui.backends.ssh.ssh_config import CONFIG_VARIABLE
from raytui.config.cluster import parse_cluster
from raytui.config.locations import ClusterPaths
from raytui.model.codec import encode
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance
from tests.support.hosts import Engine, Host

TYPE = "local.cluster.node"

Cluster = Callable[..., OnPremMachines]


@pytest.fixture
def alpha(engine: Engine) -> Iterator[Host]:
    with engine.host("alpha") as host:
        yield host


@pytest.fixture
def beta(engine: Engine) -> Iterator[Host]:
    with engine.host("beta") as host:
        yield host


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This machine as a head: directories of its own, and an ssh_config that knows nobody."""
    config = tmp_path / "ssh_config"
    config.write_text(f"UserKnownHostsFile {tmp_path}/known_hosts\nGlobalKnownHostsFile none\n")
    monkeypatch.setenv(CONFIG_VARIABLE, str(config))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def cluster(head: Path, engine: Engine) -> Iterator[Cluster]:
    """Makes the machines of clusters over hosts, whose keys are known."""
    with ExitStack() as stack:

        def make(
            *workers: Host | str,
            name: str = "one",
            clock: Callable[[], float] = time.time,
            **sections: Any,
        ) -> OnPremMachines:
            real = [worker for worker in workers if isinstance(worker, Host)]
            with (head / "known_hosts").open("a") as known:
                known.writelines(worker.known_hosts_line() for worker in real)
            names = [w.address if isinstance(w, Host) else w for w in workers]
            spec = spec_for(names, engine, name, **sections)
            machines = OnPremMachines(spec, ClusterPaths(name).make(), clock, look_every_s=0.5)
            stack.callback(machines.close)
            return machines

        yield make


def spec_for(workers: list[str], engine: Engine, name: str, **sections: Any) -> ClusterSpec:
    content = {
        "cluster_name": name,
        "provider": {"type": "local", "head_ip": f"head-of-{name}", "worker_ips": workers},
        "auth": {"ssh_user": "ray", "ssh_private_key": str(engine.key)},
        "min_workers": 0,
        **sections,
    }
    return parse_cluster(encode(content), f"{name}.yaml")


def wish(request_id: str, count: int = 1, node_type: str = TYPE) -> LaunchRequest:
    return LaunchRequest(request_id, node_type, count, head_address="head:6379")


def workers_of(machines: OnPremMachines) -> list[Instance]:
    return [instance for instance in machines.list_instances() if not instance.is_head]


def run_for(host: Host, instance_id: str, *argv: str) -> None:
    """Start something on a host as the user whom we log in as, as a node's own processes are."""
    mark = f"RAY_CLOUD_INSTANCE_ID={instance_id}"
    host.engine.docker("exec", "-d", "-u", "ray", "-e", mark, host.container, *argv)


def runs_on(host: Host, words: str) -> int:
    """How many processes of a host have this in their command line."""
    listed = host.run("ps", "-eo", "args").splitlines()
    return sum(1 for line in listed if words in line)
