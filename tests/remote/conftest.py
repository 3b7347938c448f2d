"""A cluster elsewhere: real hosts, raytui on the head as its set-up would put it there."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui.config.cluster import load_cluster
from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from raytui.provisioning.own_wheel import PROGRAM
from tests.support import hosts
from tests.support.hosts import ROOT, Engine, Host, wait_until
from tests.support.on_premise import OnPremise, cluster_of_hosts

_INSTALL = """mkdir -p "$(dirname "$1")"
printf '#!/bin/sh\\nexec %s -m raytui "$@"\\n' "$2" > "$1" && chmod 755 "$1"
"""


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with hosts.engine() as running:
        yield running


@pytest.fixture(scope="package")
def elsewhere(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnPremise]:
    """A head with a daemon, and a worker; launched from here. Tests leave it as they found it."""
    folder = tmp_path_factory.mktemp("laptop")
    with cluster_of_hosts(engine, folder, workers=1, name="away") as cluster:
        install(cluster.head)
        start_daemon(cluster)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in cluster.environment.items():
                patch.setenv(name, value)
            spec = load_cluster(str(cluster.file))
            remember(ClusterPaths(spec.cluster_name), spec)
        yield cluster


@pytest.fixture
def laptop(elsewhere: OnPremise, monkeypatch: pytest.MonkeyPatch) -> OnPremise:
    """The cluster elsewhere, with this process in the place of raytui on the laptop."""
    for name, value in elsewhere.environment.items():
        monkeypatch.setenv(name, value)
    return elsewhere


def install(head: Host) -> None:
    """What the set-up of a head leaves there: a script that runs raytui."""
    in_home(head, "sh", "-c", _INSTALL, "sh", PROGRAM, sys.executable)


def in_home(host: Host, *argv: str) -> str:
    """Run a command as the user `ray`, in the home directory."""
    home = ("exec", "-u", "ray", "-w", "/home/ray", "-e", f"PYTHONPATH={ROOT}", host.container)
    return host.engine.docker(*home, *argv)


def start_daemon(cluster: OnPremise) -> None:
    """A daemon on the head that shows the cluster's hosts."""
    script = Path(__file__).with_name("standing_daemon.py")
    addresses = [host.address for host in cluster.hosts]
    begin = 'nohup "$@" > daemon.out 2>&1 &'
    argv = ["sh", "-c", begin, "sh", sys.executable, str(script), cluster.name, *addresses]
    in_home(cluster.head, *argv)
    wait_until(lambda: is_there(cluster.head, _socket(cluster)), "the daemon's socket")


def stop_daemon(cluster: OnPremise) -> None:
    """Its orderly end, as a person orders it."""
    stopped = cluster.raytui("daemon", "stop", cluster.name)
    assert stopped.returncode == 0, stopped.stderr
    wait_until(lambda: not is_there(cluster.head, _socket(cluster)), "the daemon's end")


def _socket(cluster: OnPremise) -> str:
    return f"/home/ray/.local/state/raytui/{cluster.name}/control.sock"


def is_there(host: Host, path: str) -> bool:
    """Whether a path exists on a host."""
    with contextlib.suppress(RuntimeError):
        host.run("test", "-e", path)
        return True
    return False
