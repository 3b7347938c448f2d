"""`up` on EC2 from the laptop: what machines need, then one head, whatever is cut off."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from raytui.config.launched import recall
from raytui.launcher.head_place import head_place, noted_place
from raytui.launcher.options import agree
from raytui.model.step import Step, StepStatus
from raytui.provisioning.deciding import Restarts
from tests.aws.bootstrapping import MINIMAL
from tests.aws.laptop import Laptop, tags_of

MADE, THERE = StepStatus.DONE, StepStatus.SKIPPED
OTHER = MINIMAL.replace("{InstanceType: m5.large}", "{InstanceType: m5.xlarge}")
UP = """
from raytui.launcher import up
from tests.aws.bootstrapping import spec
from tests.aws.laptop import FROM_ANYWHERE
up(spec(security_group={"IpPermissions": [FROM_ANYWHERE]}))
"""
PARTS = ("instance profile", "key pair", "security group")


def test_what_is_missing_is_made_and_then_the_head_is_launched(laptop: Laptop):
    said = laptop.up()
    assert "no login" in said
    how = laptop.how()
    assert [how[part] for part in PARTS] == [MADE] * 3
    assert [how["subnets"], how["image"]] == [THERE] * 2
    assert [how["find the head"], how["launch the head"]] == [THERE, MADE]
    (head,) = laptop.at_ec2()
    assert tags_of(head)["ray-cluster-name"] == "mine"
    assert tags_of(head)["ray-node-type"] == "head"
    assert head["IamInstanceProfile"]["Arn"].endswith("/ray-autoscaler-v1")


def test_a_second_up_finds_all_of_it(laptop: Laptop):
    laptop.up()
    (head,) = laptop.heads()
    calls = laptop.ec2.calls["RunInstances"]
    laptop.up()
    assert set(laptop.how().values()) == {MADE, THERE, StepStatus.FAILED}
    assert [laptop.how()[part] for part in PARTS] == [THERE] * 3
    assert laptop.steps["find the head"].detail.startswith(head)
    assert laptop.heads() == [head]
    assert laptop.ec2.calls["RunInstances"] == calls


def test_the_head_is_remembered_and_aws_is_not_asked_for_it_again(laptop: Laptop):
    laptop.up()
    (head,) = laptop.at_ec2()
    laptop.ec2.calls.clear()
    place = head_place(laptop.cluster(), laptop.paths)
    assert not laptop.ec2.calls
    assert (place.instance_id, place.address) == (head["InstanceId"], head["PublicIpAddress"])
    assert place.auth(laptop.cluster()).ssh_private_key.endswith("/ray-autoscaler_us-west-2.pem")
    assert stat.S_IMODE((laptop.paths.dir / "head.json").stat().st_mode) == 0o600


def test_the_cluster_is_remembered_as_a_person_wrote_it(laptop: Laptop):
    laptop.up()
    assert recall(laptop.paths) == laptop.cluster()


def test_where_it_is_is_remembered_though_only_settings_say_it(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    cluster = laptop.cluster()
    options = {k: v for k, v in cluster.provider.options.items() if k != "region"}
    laptop.up(replace(cluster, provider=replace(cluster.provider, options=options)))
    known = recall(laptop.paths)
    assert known is not None
    assert known.provider.options["region"] == "us-west-2"


def test_another_laptop_finds_the_head_by_the_file_alone(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    laptop.up()
    place = head_place(laptop.cluster(), laptop.paths)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    other = Laptop(laptop.ec2, laptop.aws)
    assert noted_place(other.paths) is None
    found = head_place(other.cluster(), other.paths)
    assert found == place
    assert noted_place(other.paths) == found


def test_within_the_network_the_head_has_its_private_address(laptop: Laptop):
    laptop.up(laptop.cluster(use_internal_ips=True))
    (head,) = laptop.at_ec2()
    place = noted_place(laptop.paths)
    assert place is not None
    assert place.address == head["PrivateIpAddress"]


def test_a_killed_launch_is_finished_by_the_next_up_with_one_head(laptop: Laptop):
    held = laptop.ec2.hold_reply("RunInstances")
    with subprocess.Popen([sys.executable, "-c", UP]) as child:
        assert held.wait(60)
        child.kill()
    (head,) = laptop.heads()
    laptop.ec2.unlisted.add(head)
    laptop.up()
    laptop.ec2.catch_up()
    assert laptop.heads() == [head]
    assert laptop.how()["launch the head"] is MADE


def test_a_head_that_ec2_does_not_list_yet_is_not_launched_twice(laptop: Laptop):
    laptop.ec2.lag_behind = True
    laptop.up()
    laptop.up()
    laptop.ec2.catch_up()
    assert len(laptop.heads()) == 1


def test_of_two_heads_launched_at_the_same_time_the_first_stays(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    laptop.ec2.lag_behind = True
    laptop.up()
    (first,) = laptop.ec2.unlisted
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    other = Laptop(laptop.ec2, laptop.aws)

    def tell_then(step: Step) -> None:
        if step.name == "launch the head" and step.detail:
            laptop.ec2.catch_up()

    said = other.up(on_step=tell_then)
    assert first in said
    assert laptop.heads() == [first]


def test_a_profile_that_ec2_has_not_heard_of_yet_is_waited_for(laptop: Laptop):
    words = "Value (ray-autoscaler-v1) for parameter iamInstanceProfile.name is invalid"
    laptop.ec2.fail("RunInstances", "InvalidParameterValue", message=words, times=7)
    laptop.up()
    assert laptop.how()["launch the head"] is MADE
    assert len(laptop.heads()) == 1


def test_a_launch_that_ec2_refuses_is_told_in_its_words_and_begins_anew(laptop: Laptop):
    laptop.ec2.fail("RunInstances", "VcpuLimitExceeded", message="you have 0 of 0", times=10**6)
    said = laptop.up()
    assert "VcpuLimitExceeded: you have 0 of 0" in said
    laptop.ec2.faults.clear()
    laptop.up()
    assert len(laptop.heads()) == 1


def test_a_head_that_died_is_launched_anew(laptop: Laptop):
    laptop.up()
    (first,) = laptop.heads()
    laptop.ec2.take_back(first, "Server.InternalError", "the host failed")
    laptop.up()
    (second,) = laptop.heads()
    assert second != first


def test_a_head_of_another_node_config_is_made_anew_when_a_person_agrees(laptop: Laptop):
    laptop.up()
    (head,) = laptop.heads()
    asked: list[str] = []
    laptop.up(laptop.cluster(OTHER), relaunch=lambda text: not asked.append(text))
    assert len(asked) == 1
    assert head in asked[0]
    (now,) = laptop.at_ec2()
    assert now["InstanceId"] != head
    assert now["InstanceType"] == "m5.xlarge"


def test_a_person_who_does_not_agree_keeps_it(laptop: Laptop):
    laptop.up()
    (head,) = laptop.heads()
    said = laptop.up(laptop.cluster(OTHER), relaunch=lambda _: False)
    assert "left as it was" in said
    assert laptop.heads() == [head]


@pytest.mark.parametrize("options", [{}, {"restarts": Restarts(no_restart=True), "relaunch": bool}])
def test_where_nobody_is_asked_it_stays_and_that_is_said(
    laptop: Laptop, options: dict[str, object]
):
    laptop.up()
    (head,) = laptop.heads()
    laptop.up(laptop.cluster(OTHER), **options)
    assert laptop.heads() == [head]
    assert "left as it is" in laptop.steps["compare the head with the file"].detail


def test_a_head_that_this_machine_does_not_know_is_not_ended_unasked(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    laptop.up()
    (head,) = laptop.heads()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
        other = Laptop(laptop.ec2, laptop.aws)
        other.up(other.cluster(OTHER), relaunch=agree)
        assert other.heads() == [head]
        assert "without -y" in other.steps["compare the head with the file"].detail
    laptop.up(laptop.cluster(OTHER), relaunch=agree)
    assert head not in laptop.heads()


def test_a_head_of_rays_is_not_ended_for_its_hash_which_is_of_another_file(laptop: Laptop):
    laptop.up()
    (head,) = laptop.heads()
    rays = {"ray-launch-config": "of-the-file-as-ray-fills-it-in", "ray-launch-request": ""}
    pairs = [{"Key": key, "Value": value} for key, value in rays.items()]
    laptop.aws.call("ec2", "create_tags", Resources=[head], Tags=pairs)
    laptop.up(relaunch=lambda _: True)
    assert laptop.heads() == [head]


def test_a_newer_image_does_not_make_another_head(laptop: Laptop):
    laptop.up()
    (head,) = laptop.heads()
    laptop.ec2.parameters = dict.fromkeys(laptop.ec2.parameters, "ami-9b32e8e2")
    laptop.up(relaunch=lambda _: pytest.fail("nobody is to be asked"))
    assert laptop.heads() == [head]


def test_without_credentials_one_sentence_says_what_was_tried(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    said = laptop.up()
    assert said.startswith("no AWS credentials: profile default in us-west-2 was tried")
    assert not laptop.ec2.calls
