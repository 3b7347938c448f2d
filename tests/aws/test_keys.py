"""What a person wrote is heeded, or named: node_config by EC2's own words, the rest by ours."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from raytui.backends.aws.choices import Choice, run_arguments
from raytui.backends.aws.keys import unheeded
from raytui.backends.aws.run_words import in_ec2s_words
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError
from raytui.cli.plan import plan
from raytui.launcher.dry_run import what_up_would_do
from raytui.launcher.options import UpOptions
from raytui.model.spec import Market, Offering
from raytui.model.step import StepStatus
from tests.aws.bootstrapping import MINIMAL, configs, seen, spec
from tests.aws.emulated import Emulated
from tests.aws.laptop import Laptop

AGENT = {"agent": {"config": "agent.json"}}


def notes(text: str = MINIMAL, **provider: Any) -> list[str]:
    return list(unheeded(spec(text, **provider)))


def test_a_file_of_which_all_is_heeded_is_not_talked_about() -> None:
    heeded = {
        "availability_zone": "us-west-2a",
        "cache_stopped_nodes": False,
        "security_group": {"GroupName": "ours"},
        "use_internal_ips": True,
        "key_pair": {"key_name": "team"},
        "tags": {"a": "b"},
    }
    assert notes() == notes(**heeded) == []


@pytest.mark.parametrize(
    ("provider", "begin"),
    [
        ({"cloudwatch": AGENT}, "provider.cloudwatch is not done: start the agent with setup_"),
        ({"foreground_node_launch": True}, "provider.foreground_node_launch is not heeded: "),
        ({"worker_liveness_check": False}, "provider.worker_liveness_check is not heeded: "),
        ({"head_ip": "10.0.0.1"}, "provider.head_ip means nothing on aws: it is not heeded"),
        ({"my_own": [1]}, "provider.my_own means nothing on aws: it is not heeded"),
        ({"key_pair": {"key_name": "a", "kind": "rsa"}}, "provider.key_pair.kind means nothing"),
    ],
)
def test_a_key_of_the_provider_that_is_not_heeded_is_named(
    provider: dict[str, Any], begin: str
) -> None:
    (note,) = notes(**provider)
    assert note.startswith(begin)


def test_what_stands_elsewhere_and_is_not_heeded_is_named_too() -> None:
    text = MINIMAL.replace("ssh_user: ubuntu", "ssh_user: ubuntu\n  ssh_public_key: ~/a.pub")
    text = text.replace("InstanceType: m5.large}", "InstanceType: m5.large, MaxCount: 3}")
    said = notes("min_workers: 1\n" + text)
    assert [note.split(" ")[0] for note in said] == [
        "auth.ssh_public_key",
        "min_workers",
        "ray.head.default:",
    ]


def test_what_ends_badly_later_is_told_too() -> None:
    on_spot = MINIMAL.replace("{InstanceType: m5.large}", "{InstanceType: m5.large, MARKET}", 1)
    (note,) = notes(on_spot.replace("MARKET", "InstanceMarketOptions: {MarketType: spot}"))
    assert note.startswith("ray.head.default: nobody heeds the notice that a head on spot")
    own = MINIMAL.replace("{MarketType: spot}", "{MarketType: spot}\n      IamInstanceProfile: {P}")
    (note,) = notes(own.replace("P}", "Name: jobs}"))
    assert note.startswith("ray.worker.default: the head's role ray-autoscaler-v1 may not hand on")
    assert note.endswith("the instance profile jobs: allow it iam:PassRole for that")
    # A head with a profile of its own has what its owner allows.
    assert not notes(
        own.replace("P}", "Name: jobs}").replace(
            "{InstanceType: m5.large}",
            "{InstanceType: m5.large, IamInstanceProfile: {Name: own}}",
            1,
        )
    )


# Where it is told.


def with_cloudwatch(ec2: Emulated, account: AwsSession) -> tuple[Laptop, Any]:
    laptop = Laptop(ec2, account)
    return laptop, laptop.cluster(cloudwatch=AGENT)


def test_a_spot_request_that_persists_would_launch_what_nobody_owns(account: AwsSession) -> None:
    options = "{SpotInstanceType: persistent, InstanceInterruptionBehavior: stop, MaxPrice: 0.04}"
    text = MINIMAL.replace("spot}", f"spot, SpotOptions: {options}}}")
    (told,) = notes(text)
    assert told.startswith("ray.worker.default: SpotInstanceType persistent is not heeded")
    _, worker = configs(seen(account, spec(text)).make())
    way = Choice(Offering("m5.large", market=Market.SPOT))
    asked = run_arguments(worker, way, least=1, most=1, written={}, token="request-1")
    market = asked["InstanceMarketOptions"]
    assert market["SpotOptions"] == {"SpotInstanceType": "one-time", "MaxPrice": "0.04"}


def test_up_tells_it_as_a_step_before_anything_is_made(ec2: Emulated, account: AwsSession) -> None:
    laptop, cluster = with_cloudwatch(ec2, account)
    laptop.up(cluster)
    first = next(iter(laptop.steps.values()))
    assert (first.name, first.status) == ("note 1/1", StepStatus.SKIPPED)
    assert first.detail.startswith("provider.cloudwatch is not done")


def test_a_dry_run_tells_it(ec2: Emulated, account: AwsSession) -> None:
    _, cluster = with_cloudwatch(ec2, account)
    lines = list(what_up_would_do(cluster, UpOptions(login_within_s=0.0)))
    assert any(line.startswith("note: provider.cloudwatch is not done") for line in lines)


def test_plan_tells_it_beside_the_plan(tmp_path: Any) -> None:
    text = MINIMAL.replace("region: us-west-2", "region: us-west-2\n  cloudwatch: {}")
    (tmp_path / "c.yaml").write_text(text)
    (tmp_path / "state.json").write_text("{}")
    done = CliRunner().invoke(
        plan, [str(tmp_path / "c.yaml"), "--state", str(tmp_path / "state.json")]
    )
    assert "note: provider.cloudwatch is not done" in done.stderr
    assert "cloudwatch" not in done.stdout


# node_config.


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"InstanceTyp": "m5.large"}, "InstanceTyp: EC2 has no such word here; did you mean Inst"),
        (
            {"BlockDeviceMappings": [{"Ebs": {"VolumeSiz": 9}}]},
            "BlockDeviceMappings[0].Ebs.VolumeSiz: EC2 has no such word here; did you mean Volume",
        ),
        ({"EbsOptimized": "yes"}, "EbsOptimized: EC2 wants true or false, not 'yes'"),
        ({"Monitoring": True}, "Monitoring: EC2 wants a mapping, not True"),
        ({"Monitoring": {}}, "Monitoring: lacks Enabled"),
        ({"SecurityGroupIds": "sg-1"}, "SecurityGroupIds: EC2 wants a list, not 'sg-1'"),
        ({"SubnetIds": "subnet-1"}, "SubnetIds: EC2 wants a list, not 'subnet-1'"),
        ({"InstanceType": ["m5.large", {}]}, "InstanceType: EC2 wants text, not {}"),
        ({"Ipv6AddressCount": "2"}, "Ipv6AddressCount: EC2 wants a whole number, not '2'"),
        (
            {"InstanceRequirements": {"VCpuCount": {"Min": 1}}},
            "InstanceRequirements: lacks MemoryMiB",
        ),
        (
            {
                "InstanceRequirements": {
                    "VCpus": 1,
                    "VCpuCount": {"Min": 1},
                    "MemoryMiB": {"Min": 1},
                }
            },
            "InstanceRequirements.VCpus: EC2 has no such word here; did you mean VCpuCount?",
        ),
    ],
)
def test_what_ec2_would_not_take_is_told_with_its_place(
    config: dict[str, Any], problem: str
) -> None:
    _, (told,) = in_ec2s_words(config)
    assert told.startswith(problem)


def test_numbers_are_text_where_ec2_wants_text() -> None:
    config = {
        "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": 0.05}},
        "LaunchTemplate": {"LaunchTemplateName": "ours", "Version": 2},
    }
    found, problems = in_ec2s_words(config)
    assert problems == []
    assert found["InstanceMarketOptions"]["SpotOptions"]["MaxPrice"] == "0.05"
    assert found["LaunchTemplate"]["Version"] == "2"
    assert config["LaunchTemplate"]["Version"] == 2


def test_all_that_is_wrong_is_told_at_once_before_ec2_is_asked(
    ec2: Emulated, account: AwsSession
) -> None:
    text = MINIMAL.replace("{MarketType: spot}", "{MarketTyp: spot}")
    text = text.replace("InstanceType: m5.large}", "InstanceType: m5.large, Monitoring: on}")
    with pytest.raises(ConfigError) as refused:
        seen(account, spec(text))
    assert str(refused.value).splitlines() == [
        "ray.head.default: node_config.Monitoring: EC2 wants a mapping, not True",
        "ray.worker.default: node_config.InstanceMarketOptions.MarketTyp: EC2 has no such word "
        "here; did you mean MarketType?",
    ]
    assert not ec2.calls


def test_what_was_read_is_what_is_filled_in(account: AwsSession) -> None:
    text = MINIMAL.replace("spot}", "spot, SpotOptions: {MaxPrice: 0.04}}")
    _, worker = configs(seen(account, spec(text)).make())
    assert worker["InstanceMarketOptions"]["SpotOptions"] == {"MaxPrice": "0.04"}
