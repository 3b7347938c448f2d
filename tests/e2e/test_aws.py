"""AWS end to end: the real program, an EC2 whose instances are real hosts, real Ray on them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from raytui.backends.aws.bootstrap.instance_profile import policy
from tests.aws.price_server import product, spot
from tests.aws.world import A, B
from tests.e2e.terminal import Terminal, lines_with
from tests.support.emulated_aws import KEY_ID, SECRET, EmulatedAws, emulated_aws
from tests.support.hosts import Engine, Host, wait_until

pytestmark = [pytest.mark.ssh, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(420)]

NODE_S = 120.0
"""For a node to be bought, set up and joined, on a machine that does other things besides."""
NOTICE_S = 120.0

MINIMAL = """
cluster_name: aws-example-minimal
provider:
    type: aws
    region: us-west-2
available_node_types:
    ray.head.default:
        resources: {}
        node_config:
            InstanceType: m5.large
    ray.worker.default:
        min_workers: 1
        max_workers: 4
        resources: {}
        node_config:
            InstanceType: m5.large
"""
"""All that Ray's own `aws/example-minimal.yaml` says."""

MIXED = """
cluster_name: mixed
max_workers: 5
idle_timeout_minutes: 0.05
provider:
    type: aws
    region: us-west-2
    availability_zone: us-west-2a,us-west-2b
    cache_stopped_nodes: false
available_node_types:
    head:
        resources: {CPU: 0}
        node_config: {InstanceType: m5.large}
    cheap: {max_workers: 3, node_config: {InstanceType: c5.large}}
    dear: {max_workers: 3, node_config: {InstanceType: m5.large}}
    spot:
        max_workers: 2
        resources: {CPU: 2, spot: 1}
        node_config: {InstanceType: r5.large, InstanceMarketOptions: {MarketType: spot}}
head_node_type: head
"""
NODE_TYPES = ("cheap", "dear", "spot")

MEETING = """
import ray, sys, time

guests, nodes, stays_s, word = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
ray.init(logging_level="ERROR")

@ray.remote(num_cpus=2, resources={word: 1} if word else {}, max_retries=-1)
def guest():
    # no ray.get, which would give its CPUs to the next guest
    while sum(node["Alive"] for node in ray.nodes()) < nodes:
        time.sleep(0.2)
    time.sleep(stays_s)
    return ray.get_runtime_context().get_node_id()

print(len(set(ray.get([guest.remote() for _ in range(guests)]))), "have met")
"""
"""Each guest has a node of its own, and stays until there are so many, and so many seconds more."""


@pytest.fixture
def aws(engine: Engine, tmp_path: Path) -> Iterator[EmulatedAws]:
    with emulated_aws(engine, tmp_path / "laptop") as made:
        code = made.folder / "code"
        code.mkdir()
        (code / "meeting.py").write_text(MEETING)
        yield made
        for up in made.folder.glob("state/raytui/*/launched.json"):
            print(made.raytui("status", up.parent.name).stdout)  # pytest shows it after a failure


def check(aws: EmulatedAws, *words: str) -> str:
    """Run raytui to its good end; returns what it said."""
    done = aws.raytui(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def status(aws: EmulatedAws, cluster: str) -> dict[str, Any]:
    done = aws.raytui("status", cluster, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


@contextmanager
def met(
    aws: EmulatedAws, cluster: str, guests: int, nodes: int, stays_s: float = 3.0, word: str = ""
) -> Iterator[None]:
    """While the context lasts a job goes on that needs so many nodes; it comes to a good end."""
    words = ("python", "meeting.py", str(guests), str(nodes), str(stays_s), word)
    code = str(aws.folder / "code")
    with aws.start("job", "submit", "-c", cluster, "--working-dir", code, "--", *words) as job:
        yield
        try:
            output, errors = job.communicate(timeout=NODE_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"they have not met:\n{check(aws, 'status', cluster)}")
        assert f"{guests} have met" in output, output + errors


def in_types(aws: EmulatedAws) -> Counter[tuple[str, str]]:
    """How many workers run or begin to, by instance type and zone."""
    found = [one for name in NODE_TYPES for one in aws.of_type(name).values()]
    return Counter((one.instance_type, one.placement.zone) for one in found)


def eventually(holds: Callable[[], bool], what: str) -> None:
    wait_until(holds, what, within_s=NODE_S)


def test_rays_minimal_example(aws: EmulatedAws):
    name = "aws-example-minimal"
    check(aws, "up", str(aws.write(MINIMAL)), "-y")
    (head,), (first,) = aws.of_type("ray.head.default"), aws.of_type("ray.worker.default")

    # What it may do at EC2 is its profile's; the laptop's keys are nowhere on it (but in this file,
    # whose folder is mounted there).
    find = f"find / -xdev -type f -exec grep -lF -e {KEY_ID} -e {SECRET} {{}} + || true"
    assert aws.host(head).run("sh", "-c", find) == ""
    assert aws.ec2.callers.keys() == {KEY_ID, aws.metadata(head).key_id}

    # Head and first worker have room for two of the guests, so another worker is bought.
    with met(aws, name, guests=3, nodes=3):
        pass
    assert len(aws.of_type("ray.worker.default")) == 2

    # Ray's default is to keep what is stopped, and the next launch has it again.
    check(aws, "down", name, "-y")
    assert aws.at_ec2() == {}
    assert {head, first} <= set(aws.at_ec2("stopping", "stopped"))


@pytest.mark.tmux
def test_capacity_a_dying_daemon_and_spot(aws: EmulatedAws, tmp_path: Path):
    now = datetime.now(UTC).isoformat()
    assert aws.ec2.prices is not None
    aws.ec2.prices.products = [
        product("c5.large", 0.085, regionCode="us-west-2"),
        product("m5.large", 0.096, regionCode="us-west-2"),
        product("r5.large", 0.126, regionCode="us-west-2"),
    ]
    aws.ec2.prices.history = [spot("r5.large", A, 0.11, now), spot("r5.large", B, 0.12, now)]
    file = aws.write(MIXED)

    _one_head(aws, file)
    (head,) = aws.of_type("head")
    _the_cheapest_there_is(aws, tmp_path)
    _no_more_and_no_less(aws, aws.host(head))
    _taken_back_by_amazon(aws)

    allowed = {a for said in policy("")["Statement"] for a in said["Action"]}
    done = aws.ec2.callers[aws.metadata(head).key_id]
    assert done.keys() <= {action.partition(":")[2] for action in allowed}

    check(aws, "down", "mixed", "-y")
    assert aws.at_ec2("pending", "running", "stopping", "stopped") == {}
    assert aws.volumes() == []


def _one_head(aws: EmulatedAws, file: Path) -> None:
    """The laptop dies after the purchase, before the news of it; EC2 does not list it yet."""
    aws.ec2.lag_behind = True
    held = aws.ec2.hold_reply("RunInstances")
    with aws.start("up", str(file), "-y"):
        assert held.wait(NODE_S)
    with aws.start("up", str(file), "-y") as again:
        eventually(lambda: len(aws.ec2.launches) == 2, "the same purchase again")
        aws.ec2.catch_up()
        output, errors = again.communicate(timeout=NODE_S)
        assert again.returncode == 0, output + errors


def _the_cheapest_there_is(aws: EmulatedAws, tmp_path: Path) -> None:
    """One zone has no room for the cheapest type, another for one: the next type is bought."""
    aws.ec2.room = {("c5.large", A): 0, ("c5.large", B): 1}
    with met(aws, "mixed", guests=2, nodes=3, stays_s=10.0):
        eventually(lambda: in_types(aws).total() == 2, "two workers")
        bought = in_types(aws)
        assert bought["c5.large", B] == 1
        assert bought["m5.large", A] + bought["m5.large", B] == 1
        failures = {f["blocks"]: f["message"] for f in status(aws, "mixed")["failures"]}
        assert failures.keys() == {f"c5.large {A}", f"c5.large {B}"}
        assert "do not have sufficient c5.large capacity" in failures[f"c5.large {A}"]
        terminal = Terminal(tmp_path, aws.argv("mixed"), env={**os.environ, **aws.environment})
        try:
            terminal.wait("autoscaler live")
            terminal.press("3")
            terminal.wait(lambda text: all(lines_with(text, "c5.large", zone) for zone in (A, B)))
        finally:
            terminal.close()
    eventually(lambda: in_types(aws).total() == 0, "the end of idle workers")


def _no_more_and_no_less(aws: EmulatedAws, head: Host) -> None:
    """The daemon dies between a purchase and its news, and comes back."""
    aws.ec2.room = {}
    before = len(aws.at_ec2("pending", "running", "shutting-down", "terminated"))
    held = aws.ec2.hold_reply("RunInstances")
    with met(aws, "mixed", guests=2, nodes=3):
        assert held.wait(NODE_S)
        _daemon(head).send_signal(signal.SIGKILL)
        eventually(lambda: in_types(aws).total() == 2, "two workers")
    assert len(aws.at_ec2("pending", "running", "shutting-down", "terminated")) == before + 2
    eventually(lambda: in_types(aws).total() == 0, "the end of idle workers")


def _taken_back_by_amazon(aws: EmulatedAws) -> None:
    """A spot instance gets its notice: another is bought before it goes, and work goes on there."""
    with met(aws, "mixed", guests=1, nodes=2, stays_s=20.0, word="spot"):
        eventually(lambda: len(aws.of_type("spot")) == 1, "a spot instance")
        (first,) = aws.of_type("spot")
        eventually(lambda: _running(aws, first), "its Ray")
        aws.metadata(first).taken_back = ("terminate", time.time() + NOTICE_S)
        eventually(lambda: set(aws.of_type("spot")) > {first}, "its replacement")
        (told,) = (n for n in status(aws, "mixed")["nodes"] if n["instance_id"] == first)
        assert told["status"] == "draining"
        assert "spot" in told["reason"]
        aws.ec2.take_back(first, "Server.SpotInstanceTermination", "Spot instance termination")
    eventually(lambda: in_types(aws).total() == 0, "the end of idle workers")


def _running(aws: EmulatedAws, instance_id: str) -> bool:
    nodes = status(aws, "mixed")["nodes"]
    return any(n["instance_id"] == instance_id and n["status"] == "running" for n in nodes)


def _daemon(head: Host) -> psutil.Process:
    """raytui's daemon on the head."""
    (found,) = (one for one in head.processes() if "daemon run" in " ".join(one.cmdline()))
    return found
