"""Docker mode: the node is its container, on hosts whose engine is real."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from raytui.backends import tags
from raytui.backends.base import CapacityError
from raytui.model.lifecycle import InstanceStatus
from tests.on_premise.conftest import Cluster, wish, workers_of
from tests.support import nested_engine
from tests.support.host_image import WITH_ENGINES
from tests.support.hosts import Engine, Host, wait_until

pytestmark = [pytest.mark.ssh, pytest.mark.slow]


@pytest.fixture
def alpha(engine: Engine) -> Iterator[Host]:
    with engine.host("alpha", *nested_engine.options(), image=WITH_ENGINES) as host:
        nested_engine.start_docker(host)
        yield host


def run_container(host: Host, name: str) -> None:
    argv = ("-d", "--rm", "--name", name, "--net=host", nested_engine.IMAGE, "sleep", "600")
    host.run("docker", "run", *argv)


def containers(host: Host) -> set[str]:
    return set(host.run("docker", "ps", "--format", "{{.Names}}").split())


def test_a_nodes_container_keeps_its_claim_and_ends_with_it(cluster: Cluster, alpha: Host) -> None:
    docker = nested_engine.docker_section()
    ours = docker["container_name"]
    machines = cluster(alpha, docker=docker)
    (node,) = machines.launch(wish("r"))
    run_container(alpha, ours)
    run_container(alpha, f"{ours}-of-somebody")

    alpha.run("touch", "-d", "6000 seconds ago", "/var/tmp/raytui/claim")
    with pytest.raises(CapacityError, match="one@head-of-one"):
        cluster(alpha, name="other", docker=docker).launch(wish("o"))

    machines.terminate([node.instance_id])
    assert containers(alpha) == {f"{ours}-of-somebody"}


def test_a_node_whose_container_ended_is_lost(cluster: Cluster, alpha: Host) -> None:
    docker = nested_engine.docker_section()
    machines = cluster(alpha, docker=docker)
    (node,) = machines.launch(wish("r"))
    run_container(alpha, docker["container_name"])
    machines.tag(node.instance_id, {tags.RUNTIME: "abc", tags.RAY_STARTED: "1.0"})
    machines.start()
    alpha.run("touch", "-d", "300 seconds ago", "/var/tmp/raytui/claim")
    is_fresh = "[ $(($(date +%s) - $(stat -c %Y /var/tmp/raytui/claim))) -lt 100 ] && echo fresh"
    wait_until(lambda: "fresh" in alpha.run("sh", "-c", f"{is_fresh} || true"), "a look")
    assert workers_of(machines)[0].status is InstanceStatus.ALLOCATED
    alpha.run("docker", "rm", "-f", docker["container_name"])
    wait_until(lambda: workers_of(machines)[0].status is InstanceStatus.LOST, "the loss")


def test_a_container_is_ended_when_its_host_answers_again(cluster: Cluster, alpha: Host) -> None:
    docker = nested_engine.docker_section()
    machines = cluster(alpha, docker=docker)
    (node,) = machines.launch(wish("r"))
    run_container(alpha, docker["container_name"])
    alpha.signal(signal.SIGKILL, listener=False)
    with alpha.cut_off():
        machines.terminate([node.instance_id])
    assert containers(alpha) == {docker["container_name"]}
    machines.start()
    wait_until(lambda: not containers(alpha), "the cleaning")
