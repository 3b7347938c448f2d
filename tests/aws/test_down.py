"""`down` on EC2 from the laptop: all with the cluster's tags ends, also without its head."""

from __future__ import annotations

import subprocess
import sys

import pytest

from raytui.backends.aws.bootstrap import look_up
from raytui.backends.base import LaunchRequest
from raytui.backends.cloud import State
from raytui.config.launched import recall
from raytui.config.locations import ClusterPaths
from raytui.launcher.head_place import head_request, noted_place
from raytui.model.step import LaunchError, Step, StepStatus
from raytui.provisioning.registry import cloud_for, machines_for
from tests.aws.laptop import Laptop, tags_of
from tests.aws.test_up import UP
from tests.aws.world import IMAGE


@pytest.fixture
def cluster(laptop: Laptop) -> Laptop:
    """A head that lets nobody in, and two workers on demand, none of them ever kept."""
    laptop.options["cache_stopped_nodes"] = False
    laptop.up()
    buy_workers(laptop, "r-1", 2)
    return laptop


def buy_workers(laptop: Laptop, request: str, count: int) -> None:
    """As its daemon buys them, whose journal is on the head."""
    cloud = cloud_for(laptop.cluster())
    assert cloud is not None
    machines = machines_for(cloud.look_up().filled(), ClusterPaths("on-the-head").make())
    machines.launch(LaunchRequest(request, "ray.worker.default", count))


def test_a_head_that_lets_nobody_in_ends_with_its_workers(cluster: Laptop):
    assert len(cluster.at_ec2()) == 3
    cluster.down()
    assert not cluster.at_ec2()
    assert recall(cluster.paths) is None
    assert noted_place(cluster.paths) is None


def test_workers_end_whose_head_is_gone(cluster: Laptop):
    (head,) = cluster.heads()
    cluster.ec2.take_back(head, "Server.InternalError", "the host failed")
    cluster.down()
    assert not cluster.at_ec2()


def test_what_such_a_head_had_just_bought_ends_too(cluster: Laptop):
    cluster.ec2.lag_behind = True
    buy_workers(cluster, "r-2", 1)
    assert len(cluster.at_ec2()) == 3

    def tell_later(step: Step) -> None:
        if step.name == "terminate the machines" and step.detail:
            cluster.ec2.catch_up()

    cluster.down(on_step=tell_later, settle_s=2.0)
    assert not cluster.at_ec2()


def test_a_head_ends_that_an_up_had_just_bought_when_it_was_cut_off(laptop: Laptop):
    laptop.options["cache_stopped_nodes"] = False
    laptop.ec2.lag_behind = True
    held = laptop.ec2.hold_reply("RunInstances")
    with subprocess.Popen([sys.executable, "-c", UP]) as child:
        assert held.wait(60)
        child.kill()
    assert head_request(laptop.paths).exists()

    def tell_later(step: Step) -> None:
        if step.name == "terminate the machines":
            laptop.ec2.catch_up()

    laptop.down(on_step=tell_later, settle_s=3.0)
    assert len(laptop.at_ec2("terminated")) == 1
    assert not laptop.at_ec2()
    assert not head_request(laptop.paths).exists()


def test_twice_does_no_harm(cluster: Laptop):
    cluster.down()
    cluster.down()
    assert cluster.how()["find the machines"] is StepStatus.SKIPPED


def test_a_head_that_is_protected_is_named_when_all_others_have_ended(cluster: Laptop):
    (head,) = cluster.heads()
    cluster.ec2.fail(
        "TerminateInstances",
        "OperationNotPermitted",
        message=f"The instance '{head}' may not be terminated.",
        when=lambda fields: head in fields.values(),
    )
    with pytest.raises(LaunchError, match=f"'{head}' may not be terminated.*To lift that: aws"):
        cluster.down()
    assert [one["InstanceId"] for one in cluster.at_ec2()] == [head]
    assert recall(cluster.paths) is not None


def test_other_clusters_stay(cluster: Laptop):
    named = [{"Key": "ray-cluster-name", "Value": "mine-2"}]
    cluster.aws.call(
        "ec2",
        "run_instances",
        ImageId=IMAGE,
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": named}],
    )
    cluster.down()
    assert [tags_of(one)["ray-cluster-name"] for one in cluster.at_ec2()] == ["mine-2"]


def test_with_the_keys_of_another_account_nothing_is_forgotten(
    cluster: Laptop, monkeypatch: pytest.MonkeyPatch
):
    role = "arn:aws:iam::222222222222:role/visitor"
    answer = cluster.aws.call("sts", "assume_role", RoleArn=role, RoleSessionName="visit")
    with monkeypatch.context() as other:
        other.setenv("AWS_ACCESS_KEY_ID", answer["Credentials"]["AccessKeyId"])
        with pytest.raises(LaunchError, match=r"account 123456789012, and .* 222222222"):
            cluster.down()
        assert "account 222222222222" in cluster.up()
    assert recall(cluster.paths) is not None
    assert len(cluster.at_ec2()) == 3
    cluster.down()
    assert not cluster.at_ec2()


def test_kept_machines_are_stopped_and_used_by_the_next_up(laptop: Laptop):
    laptop.up()
    (head,) = laptop.heads()
    laptop.down()
    assert [one["InstanceId"] for one in laptop.at_ec2("stopped")] == [head]
    laptop.up()
    assert laptop.heads() == [head]
    place = noted_place(laptop.paths)
    assert place is not None
    assert place.machine == head
    assert place.instance_id != head


def test_only_the_head_itself_ends_workers_alone(cluster: Laptop):
    with pytest.raises(LaunchError, match="its workers were not ended"):
        cluster.down(workers_only=True)
    assert len(cluster.at_ec2()) == 3


def test_what_up_has_made_goes_on_request(laptop: Laptop):
    for part in look_up(laptop.cluster(), laptop.aws).parts:
        part.make()
    laptop.down(shared_parts=True)
    assert laptop.how()["remove the key pair ray-autoscaler_us-west-2"] is StepStatus.DONE
    assert not laptop.aws.call("ec2", "describe_key_pairs")["KeyPairs"]
    states = {part.kind: part.state for part in look_up(laptop.cluster(), laptop.aws).parts}
    assert states["security group"] is states["instance profile"] is State.TO_MAKE


def test_without_credentials_nothing_is_forgotten(cluster: Laptop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(LaunchError, match="mine is not down: no AWS credentials"):
        cluster.down()
    assert recall(cluster.paths) is not None
