"""EC2 instances as machines: the way to them, and what is written on them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from raytui.backends.aws import tags
from raytui.backends.base import ConfigError, LaunchRequest, TransientError
from raytui.backends.local_runner import LocalRunner
from raytui.backends.ssh.runner import SshRunner
from tests.aws.world import World


def test_the_tags_are_rays() -> None:
    pytest.importorskip("ray")
    from ray.autoscaler import tags as rays

    assert (tags.CLUSTER, tags.KIND, tags.TYPE, tags.STATUS, tags.REQUEST, tags.NAME) == (
        rays.TAG_RAY_CLUSTER_NAME,
        rays.TAG_RAY_NODE_KIND,
        rays.TAG_RAY_USER_NODE_TYPE,
        rays.TAG_RAY_NODE_STATUS,
        rays.TAG_RAY_LAUNCH_REQUEST,
        "Name",
    )
    assert (tags.HEAD, tags.WORKER) == (rays.NODE_KIND_HEAD, rays.NODE_KIND_WORKER)
    assert tags.NEW == rays.STATUS_UNINITIALIZED


def test_a_worker_is_reached_by_ssh_under_its_own_name(world: World) -> None:
    (one,) = world.launch("request-1")
    (listed,) = world.machines.list_instances()
    runner = world.machines.runner(one.instance_id)
    assert isinstance(runner, SshRunner)
    target = runner.connection.target
    assert (target.address, target.host_key_name) == (listed.ip, one.instance_id)
    assert target.ours
    assert world.machines.runner(one.instance_id) is runner


def test_the_address_that_ec2_gave_is_enough_though_it_does_not_list_it_yet(world: World) -> None:
    world.ec2.lag_behind = True
    (one,) = world.launch("request-1")
    runner = world.machines.runner(one.instance_id)
    assert isinstance(runner, SshRunner)
    assert runner.connection.target.address == one.ip


def test_an_instance_that_has_no_address_yet_is_tried_later(world: World) -> None:
    with pytest.raises(TransientError, match="no address yet"):
        world.machines.runner("i-0123456789abcdef0")


def test_the_head_runs_its_own_commands_itself(world: World) -> None:
    (head,) = world.machines.launch(LaunchRequest("h", "head", 1, is_head=True))
    on_head = world.again(replace(world.spec, on_head=True))
    (listed,) = on_head.list_instances()
    assert listed.is_head
    assert isinstance(on_head.runner(head.instance_id), LocalRunner)


def test_what_was_written_is_read_at_once_and_by_others_too(world: World) -> None:
    (one,) = world.launch("request-1")
    world.machines.list_instances()
    world.machines.tag(one.instance_id, {"ray-runtime-config": "abc"})
    assert world.machines.tags(one.instance_id)["ray-runtime-config"] == "abc"
    other = world.again()
    other.list_instances()
    assert other.tags(one.instance_id)["ray-runtime-config"] == "abc"
    assert other.tags(one.instance_id)["ray-cluster-name"] == "mine"


def test_what_is_no_instance_cannot_be_tagged_and_has_no_tags(world: World) -> None:
    with pytest.raises(ConfigError, match=r"10\.0\.0\.1 is no instance of mine"):
        world.machines.tag("10.0.0.1", {"a": "b"})
    assert world.machines.tags("10.0.0.1") == {}


def test_a_type_that_the_file_does_not_have_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="gone is no node type of mine"):
        world.machines.launch(LaunchRequest("request-1", "gone", 1))


def test_a_changed_file_counts_for_the_next_launch(world: World) -> None:
    world.machines.reload(world.cluster(config=world.config(InstanceType="m6i.large")))
    assert [one.instance_type for one in world.launch("request-1")] == ["m6i.large"]
