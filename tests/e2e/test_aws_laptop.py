"""What a laptop does with a cluster on AWS after `up`: commands, another laptop, a moved head."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.emulated_aws import EmulatedAws, emulated_aws
from tests.support.hosts import Engine, wait_until

pytestmark = [pytest.mark.ssh, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(420)]

FILE = """
cluster_name: far
provider: {type: aws, region: us-west-2}
max_workers: 1
available_node_types:
  head: {resources: {CPU: 1}, node_config: {InstanceType: m5.large}}
  worker:
    resources: {CPU: 1}
    min_workers: 1
    max_workers: 1
    node_config: {InstanceType: m5.large}
head_node_type: head
"""


@pytest.fixture
def aws(engine: Engine, tmp_path: Path) -> Iterator[EmulatedAws]:
    with emulated_aws(engine, tmp_path / "laptop") as made:
        yield made


def said(aws: EmulatedAws, *words: str) -> str:
    """Run raytui to its good end; its stdout."""
    done = aws.raytui(*words)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def test_what_a_laptop_does_with_it(aws: EmulatedAws, engine: Engine, tmp_path: Path):
    file = str(aws.write(FILE, "far"))
    said(aws, "up", file, "-y")
    (head,), (worker,) = aws.of_type("head"), aws.of_type("worker")

    # The first machine and the others, by the way that each has.
    address = aws.host(head).address
    assert said(aws, "get-head-ip", "far") == f"{address}\n"
    assert said(aws, "get-worker-ips", "far") == f"{aws.host(worker).address}\n"
    assert said(aws, "exec", "far", "whoami; hostname -I").split()[:2] == ["ubuntu", address]
    (tmp_path / "data").write_text("for all")
    said(aws, "rsync-up", "-A", "far", str(tmp_path / "data"), "/tmp/data")
    assert [aws.host(one).run("cat", "/tmp/data") for one in (head, worker)] == ["for all"] * 2

    # Nothing is known of it but its file.
    (aws.folder / "state").rename(aws.folder / "of another laptop")
    nodes = json.loads(said(aws, "status", file, "--json"))["nodes"]
    assert {node["instance_id"] for node in nodes} == {head, worker}

    # Its machine was stopped and started: at its old address is a stranger by now.
    aws.instances.stop([head])
    wait_until(lambda: head in aws.at_ec2("stopped"), "the head's stop", within_s=30)
    with engine.host("stranger") as stranger:
        assert stranger.address == address
        aws.instances.start([head])
        wait_until(lambda: head in aws.at_ec2("running"), "the head's start", within_s=30)
        moved = aws.host(head).address
        assert said(aws, "exec", file, "hostname -I").split()[0] == moved
        assert said(aws, "get-head-ip", file) == f"{moved}\n"

    # Ray does not start with its machine: the next launch starts it, with a node that fits it.
    said(aws, "up", file, "-y")
    assert set(aws.of_type("head")) == {head}
    (worker,) = aws.of_type("worker")
    nodes = json.loads(said(aws, "status", file, "--json"))["nodes"]
    running = [node["instance_id"] for node in nodes if node["status"] == "running"]
    assert sorted("-".join(name.split("-")[:2]) for name in running) == sorted([head, worker])

    # A head that answers nobody ends with all that it has bought.
    aws.host(head).stop()
    said(aws, "down", file, "-y")
    assert not aws.at_ec2()
