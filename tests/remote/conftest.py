"""A cluster elsewhere: real hosts, raytui on the head as its set-up would put it there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import away
from tests.support.hosts import Engine
from tests.support.on_premise import OnPremise, cluster_of_hosts

STANDING = Path(__file__).with_name("standing_daemon.py")


@pytest.fixture(scope="package")
def elsewhere(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnPremise]:
    """A head with a daemon, and a worker; launched from here. Tests leave it as they found it."""
    folder = tmp_path_factory.mktemp("laptop")
    with cluster_of_hosts(engine, folder, workers=1, name="away") as cluster:
        away.install(cluster.head)
        start_daemon(cluster)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in cluster.environment.items():
                patch.setenv(name, value)
            away.note_launched(cluster)
        yield cluster


@pytest.fixture(scope="package")
def with_ray(elsewhere: OnPremise) -> OnPremise:
    """The same with real Ray and its dashboard on the head, until the host goes away."""
    start = "ray start --head --port=6379 --num-cpus=2 --include-dashboard=true"
    away.in_home(elsewhere.head, "bash", "-ic", start)
    return elsewhere


@pytest.fixture
def laptop(elsewhere: OnPremise, monkeypatch: pytest.MonkeyPatch) -> OnPremise:
    """The cluster elsewhere, with this process in the place of raytui on the laptop."""
    for name, value in elsewhere.environment.items():
        monkeypatch.setenv(name, value)
    return elsewhere


def start_daemon(cluster: OnPremise) -> None:
    """A daemon on the head that shows the cluster's hosts."""
    away.start_daemon(cluster, STANDING, *(host.address for host in cluster.hosts))
