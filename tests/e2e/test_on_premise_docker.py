"""The launcher end to end where Ray lives in containers; the hosts' engines are real."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.test_on_premise import check_up, worker_hosts
from tests.support import hosts, nested_engine
from tests.support.host_image import WITH_ENGINES
from tests.support.hosts import Host
from tests.support.on_premise import BASHRC, cluster_of_hosts

pytestmark = [pytest.mark.ssh, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(420)]


def test_up_a_job_and_down_in_containers(tmp_path: Path):
    with (
        hosts.engine() as engine,
        cluster_of_hosts(
            engine,
            tmp_path / "laptop",
            workers=1,
            options=nested_engine.options(),
            image=WITH_ENGINES,
            docker=nested_engine.docker_section(),
            setup_commands=[f"printf %s {shlex.quote(BASHRC)} > ~/.bashrc"],
        ) as cluster,
    ):
        with ThreadPoolExecutor() as pool:
            list(pool.map(nested_engine.start_docker, cluster.hosts))
        check_up(cluster)
        assert worker_hosts(cluster) == {host.address for host in cluster.workers}
        assert all(map(_containers, cluster.hosts))
        code = "import ray; ray.init(); print(len(ray.nodes()), 'nodes')"
        job = cluster.raytui("job", "submit", "-c", cluster.name, "--", "python", "-c", code)
        assert job.returncode == 0, job.stderr
        assert job.stdout.splitlines()[-1] == "2 nodes"

        check_up(cluster)
        down = cluster.raytui("down", cluster.name, "-y")
        assert down.returncode == 0, down.stderr
        assert not any(map(_containers, cluster.hosts))


def _containers(host: Host) -> list[str]:
    """Names of the containers that run on a host."""
    return host.run("docker", "ps", "--format", "{{.Names}}").split()
