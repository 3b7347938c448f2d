"""Ending instances, keeping stopped ones, and using them again."""

from __future__ import annotations

import pytest

from raytui.backends.base import CapacityError, LaunchRequest, ProtectedError, TransientError
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import Offering
from tests.aws.world import SPOT, A, World, ids


@pytest.fixture
def ending(world: World) -> World:
    """A cluster that keeps no stopped instances."""
    world.machines = world.again(world.cluster(cache_stopped_nodes=False))
    return world


def test_many_are_terminated_in_one_call(ending: World) -> None:
    launched = ending.launch("request-1", 30)
    ending.machines.terminate(ids(launched))
    assert ending.ec2.calls["TerminateInstances"] == 1
    assert not ending.at_ec2()


def test_more_are_terminated_than_a_filter_of_ec2s_takes(ending: World) -> None:
    launched = ending.launch("request-1", 230)
    ending.ec2.calls.clear()
    ending.machines.terminate(ids(launched[:-1]))
    assert list(ending.at_ec2()) == [launched[-1].instance_id]
    assert ending.ec2.calls["TerminateInstances"] == 1


def test_what_was_told_to_end_is_terminating_while_ec2_says_it_runs(ending: World) -> None:
    (one, two) = ending.launch("request-1", 2)
    ending.ec2.ignore("TerminateInstances")
    ending.machines.terminate([one.instance_id])
    listed = {i.instance_id: i.status for i in ending.machines.list_instances()}
    assert listed == {
        one.instance_id: InstanceStatus.TERMINATING,
        two.instance_id: InstanceStatus.ALLOCATED,
    }


def test_unknown_ids_and_other_clusters_instances_are_left_alone(ending: World) -> None:
    other = ending.aws.call("ec2", "run_instances", ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    name = other["Instances"][0]["InstanceId"]
    ending.machines.terminate([name, "i-0123456789abcdef0", "10.0.0.1"])
    assert list(ending.at_ec2("running", "pending")) == [name]
    assert ending.ec2.calls["TerminateInstances"] == 0


def test_an_instance_that_is_not_listed_yet_is_ended_all_the_same(ending: World) -> None:
    ending.ec2.lag_behind = True
    launched = ending.launch("request-1", 2)
    ending.machines.terminate(ids(launched))
    ending.ec2.catch_up()
    assert not ending.at_ec2()


def test_when_ec2_does_not_know_one_yet_the_others_end_and_that_one_is_asked_for_again(
    ending: World,
) -> None:
    one, two = ending.launch("request-1", 2)
    ending.ec2.fail(
        "TerminateInstances",
        "InvalidInstanceID.NotFound",
        message=f"The instance ID '{one.instance_id}' does not exist",
        when=lambda fields: one.instance_id in fields.values(),
    )
    with pytest.raises(TransientError, match=one.instance_id):
        ending.machines.terminate(ids([one, two]))
    assert list(ending.at_ec2()) == [one.instance_id]
    assert InstanceStatus.ALLOCATED in {i.status for i in ending.machines.list_instances()}


@pytest.mark.parametrize(
    ("kept", "action", "lifted_by"),
    [
        (False, "TerminateInstances", "--no-disable-api-termination"),
        (True, "StopInstances", "--no-disable-api-stop"),
    ],
)
def test_what_somebody_protects_stays_and_all_others_end(
    world: World, kept: bool, action: str, lifted_by: str
) -> None:
    world.machines = world.again(world.cluster(cache_stopped_nodes=kept))
    launched = world.launch("request-1", 5)
    protected = launched[2].instance_id
    words = f"The instance '{protected}' is protected."
    held = {"message": words, "when": lambda fields: protected in fields.values()}
    world.ec2.fail(action, "OperationNotPermitted", **held)
    with pytest.raises(ProtectedError, match=rf"{words} .* --instance-id {protected} {lifted_by}"):
        world.machines.terminate(ids(launched))
    assert list(world.at_ec2("pending", "running")) == [protected]


def test_on_demand_instances_are_stopped_and_spot_ones_terminated(world: World) -> None:
    world.machines = world.again(
        world.cluster(Offering("m5.large"), Offering("m5.large", market=SPOT))
    )
    on_demand = world.launch("request-1", 2, instance_type="m5.large")
    spot = world.launch("request-2", instance_type="m5.large", market=SPOT)
    world.machines.terminate(ids([*on_demand, *spot]))
    assert sorted(world.at_ec2("stopped")) == ids(on_demand)
    assert sorted(world.at_ec2("terminated")) == ids(spot)
    assert world.machines.list_instances() == []


def test_what_cannot_be_stopped_is_terminated(world: World) -> None:
    launched = world.launch("request-1", 2)
    world.ec2.fail("StopInstances", "UnsupportedOperation")
    world.machines.terminate(ids(launched))
    assert sorted(world.at_ec2("terminated")) == ids(launched)


def test_one_that_cannot_be_stopped_does_not_take_the_others_disks_with_it(world: World) -> None:
    launched = world.launch("request-1", 5)
    odd = launched[3].instance_id
    world.ec2.fail("StopInstances", "UnsupportedOperation", when=lambda f: odd in f.values())
    world.machines.terminate(ids(launched))
    assert list(world.at_ec2("terminated")) == [odd]
    assert len(world.at_ec2("stopped")) == 4


def test_a_head_that_starts_keeps_its_disk_and_is_stopped_when_it_runs(world: World) -> None:
    (head,) = world.machines.launch(LaunchRequest("request-1", "worker", 1, is_head=True))
    world.ec2.fail("StopInstances", "IncorrectInstanceState", times=1)
    with pytest.raises(TransientError, match=head.instance_id):
        world.machines.terminate([head.instance_id])
    world.machines.terminate([head.instance_id])
    assert list(world.at_ec2("stopped")) == [head.instance_id]


def test_a_stopped_instance_is_used_first_under_an_id_of_its_own(world: World) -> None:
    (old,) = world.launch("request-1")
    world.machines.terminate([old.instance_id])
    new, fresh = world.launch("request-2", 2)
    assert new.instance_id.startswith(f"{old.instance_id}-")
    assert new.status is InstanceStatus.ALLOCATED
    assert set(world.at_ec2()) == {old.instance_id, fresh.instance_id}
    assert ids(world.machines.list_instances()) == ids([new, fresh])
    assert ids(world.again().list_instances()) == ids([new, fresh])


def test_the_end_of_an_earlier_life_does_not_end_a_later_one(world: World) -> None:
    (old,) = world.launch("request-1")
    world.machines.terminate([old.instance_id])
    (new,) = world.launch("request-2")
    world.machines.terminate([old.instance_id])
    assert ids(world.machines.list_instances()) == [new.instance_id]
    world.machines.terminate([new.instance_id])
    assert world.machines.list_instances() == []


def test_a_used_instance_keeps_the_hashes_and_is_not_yet_set_up(world: World) -> None:
    (old,) = world.launch("request-1")
    world.machines.tag(old.instance_id, {"ray-runtime-config": "abc", "raytui-ray-started-at": "5"})
    world.machines.terminate([old.instance_id])
    (new,) = world.launch("request-2")
    written = world.machines.tags(new.instance_id)
    assert written["ray-runtime-config"] == "abc"
    assert not written["raytui-ray-started-at"]


def test_a_repeated_request_gives_the_same_stopped_instance(world: World) -> None:
    (old,) = world.launch("request-1")
    world.machines.terminate([old.instance_id])
    world.ec2.lose_reply("StartInstances", times=2)
    with pytest.raises(TransientError):
        world.launch("request-2")
    (new,) = world.again().launch(world.request("request-2"))
    assert new.instance_id.startswith(f"{old.instance_id}-")
    assert list(world.at_ec2()) == [old.instance_id]


def test_what_was_made_from_other_words_is_not_used(world: World) -> None:
    (old,) = world.launch("request-1")
    world.machines.terminate([old.instance_id])
    world.machines = world.again(world.cluster(config=world.config(EbsOptimized=True)))
    (new,) = world.launch("request-2")
    assert not new.instance_id.startswith(old.instance_id)


def test_spot_requests_do_not_use_stopped_instances(world: World) -> None:
    world.machines = world.again(
        world.cluster(Offering("m5.large"), Offering("m5.large", market=SPOT))
    )
    (old,) = world.launch("request-1", instance_type="m5.large")
    world.machines.terminate([old.instance_id])
    (new,) = world.launch("request-2", instance_type="m5.large", market=SPOT)
    assert new.market is SPOT


def test_a_stopped_instance_that_cannot_start_makes_room_for_a_new_one(world: World) -> None:
    (old,) = world.launch("request-1")
    world.machines.terminate([old.instance_id])
    world.ec2.fail("StartInstances", "InsufficientInstanceCapacity", status=500, times=1)
    (new,) = world.launch("request-2")
    assert not new.instance_id.startswith(old.instance_id)
    again = world.launch("request-3")  # it may be tried for others
    assert again[0].instance_id.startswith(f"{old.instance_id}-")


def test_two_requests_do_not_use_one_instance_that_ec2_still_calls_stopped(world: World) -> None:
    (old,) = world.launch("request-1")
    world.machines.terminate([old.instance_id])
    world.ec2.ignore("StartInstances")
    (second,) = world.launch("request-2")
    (third,) = world.launch("request-3")
    assert second.instance_id.startswith(f"{old.instance_id}-")
    assert not third.instance_id.startswith(old.instance_id)


def test_a_used_instance_is_the_new_one_while_ec2_tells_the_old_tags(world: World) -> None:
    (old,) = world.launch("request-1")
    world.machines.tag(old.instance_id, {"raytui-ray-started-at": "5"})
    world.machines.terminate([old.instance_id])
    world.ec2.ignore("CreateTags")
    (new,) = world.launch("request-2")
    assert new.instance_id.startswith(f"{old.instance_id}-")
    assert list(world.at_ec2()) == [old.instance_id]
    assert ids(world.machines.list_instances()) == [new.instance_id]
    assert not world.machines.tags(new.instance_id)["raytui-ray-started-at"]
    world.machines.terminate([old.instance_id])
    assert ids(world.machines.list_instances()) == [new.instance_id]
    assert list(world.at_ec2("running")) == [old.instance_id]


def test_a_stopped_instance_that_never_starts_again_holds_nobody_up(world: World) -> None:
    (old,) = world.launch("request-1")
    world.machines.terminate([old.instance_id])
    world.ec2.fail("StartInstances", "IncorrectInstanceState")
    (new,) = world.launch("request-2")
    assert not new.instance_id.startswith(old.instance_id)


def test_no_room_to_start_and_none_to_buy_is_one_refusal(world: World) -> None:
    (old,) = world.launch("request-1")
    world.machines.terminate([old.instance_id])
    world.ec2.fail("StartInstances", "InsufficientInstanceCapacity", status=500)
    world.ec2.room[("m5.large", A)] = 0
    with pytest.raises(CapacityError):
        world.launch("request-2", instance_type="m5.large", zone=A)


def test_tags_that_threads_write_together_go_in_few_calls(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    launched = world.launch("request-1", 40)
    before = world.ec2.calls["CreateTags"]
    with ThreadPoolExecutor(40) as pool:
        list(
            pool.map(
                lambda i: world.machines.tag(i, {"ray-node-status": "setting-up"}), ids(launched)
            )
        )
    assert world.ec2.calls["CreateTags"] - before < 20
    told = [tag for one in world.at_ec2().values() for tag in one["Tags"]]
    assert told.count({"Key": "ray-node-status", "Value": "setting-up"}) == 40
