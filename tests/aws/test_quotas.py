"""What of a cluster does not fit in the account's quotas: told with the numbers, never enforced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from raytui.backends.aws import catalog, tags
from raytui.backends.aws.machines import Ec2Machines
from raytui.backends.aws.quotas import counted, current_quotas, quota_lines, used_by_others
from raytui.backends.aws.session import AwsSession
from raytui.launcher.dry_run import what_up_would_do
from raytui.launcher.options import UpOptions
from raytui.model.spec import ClusterSpec, Market, NodeType, Offering, ProviderSpec
from tests.aws.emulated import REGION, Emulated
from tests.aws.laptop import Laptop
from tests.aws.world import IMAGE, World

STANDARD, STANDARD_SPOT = "L-1216C47A", "L-34B43A08"
P, P_SPOT = "L-417A185B", "L-7212CCBC"
SPOT = Market.SPOT
Ways = dict[str, tuple[Offering, ...]]


@pytest.fixture
def aws(ec2: Emulated, opened: AwsSession) -> AwsSession:
    """A door that is open already."""
    ec2.quotas = {STANDARD: 1000.0, STANDARD_SPOT: 1000.0, P: 384.0, P_SPOT: 0.0}
    return opened


def cluster(least: int = 0, most: int = 8, of_all: int = 8, **more: NodeType) -> ClusterSpec:
    worker = NodeType("gpu", min_workers=least, max_workers=most)
    kinds = {"head": NodeType("head", max_workers=0), "gpu": worker, **more}
    provider = ProviderSpec("aws", {"type": "aws", "region": REGION})
    return ClusterSpec("mine", provider, kinds, "head", max_workers=of_all)


def ways(*gpu: Offering, head: str = "m5.large", **more: Offering) -> Ways:
    offered = {name: (way,) for name, way in more.items()}
    return {"head": (Offering(head),), "gpu": gpu or (Offering("p4d.24xlarge"),), **offered}


def lines(aws: AwsSession, spec: ClusterSpec, ways_to_buy: Ways | None = None) -> list[str]:
    return quota_lines(spec, ways_to_buy or ways(), aws, 1000.0)


def run_instances(aws: AwsSession, kind: str, count: int = 1, cluster_name: str = "theirs") -> None:
    aws.call(
        "ec2",
        "run_instances",
        ImageId=IMAGE,
        InstanceType=kind,
        MinCount=count,
        MaxCount=count,
        TagSpecifications=tags.specification(["instance"], {tags.CLUSTER: cluster_name}),
    )


def test_what_cannot_be_reached_is_told_with_the_command_that_asks_for_more(
    aws: AwsSession,
) -> None:
    assert lines(aws, cluster()) == [
        "8 × p4d.24xlarge at full size need 768 vCPUs; the quota of P instances (on-demand) in "
        "us-west-2 is 384 (L-417A185B). Ask for more: aws service-quotas "
        "request-service-quota-increase --region us-west-2 --service-code ec2 "
        "--quota-code L-417A185B --desired-value 768"
    ]


def test_what_fits_is_not_spoken_of(aws: AwsSession) -> None:
    assert lines(aws, cluster(least=4, most=4)) == []


def test_floors_that_do_not_fit_are_told_as_such(aws: AwsSession) -> None:
    (line,) = lines(aws, cluster(least=5))
    assert line.startswith("5 × p4d.24xlarge at once need 480 vCPUs")


def test_the_head_counts_with_the_workers_and_the_clusters_limit_with_the_types(
    ec2: Emulated, aws: AwsSession
) -> None:
    ec2.quotas = {STANDARD: 10.0}
    cpu, big = NodeType("cpu", max_workers=100), NodeType("big", max_workers=2)
    spec = cluster(most=0, of_all=3, cpu=cpu, big=big)
    bought = ways(cpu=Offering("m5.large"), big=Offering("m5.xlarge"))
    (line,) = lines(aws, spec, bought)
    assert line.startswith("2 × m5.xlarge + 2 × m5.large at full size need 12 vCPUs")


def test_what_others_use_is_left_to_them_and_our_own_is_not_counted_twice(
    aws: AwsSession,
) -> None:
    run_instances(aws, "p4d.24xlarge")
    run_instances(aws, "p4d.24xlarge", 2, cluster_name="mine")
    assert lines(aws, cluster(most=3)) == []
    (line,) = lines(aws, cluster(most=4))
    assert "is 384 (L-417A185B), of which others use 96. Ask" in line
    assert line.endswith("--desired-value 480")


def test_spot_has_quotas_of_its_own(aws: AwsSession) -> None:
    (line,) = lines(aws, cluster(most=1), ways(Offering("p4d.24xlarge", market=SPOT)))
    assert "P instances (spot) in us-west-2 is 0 (L-7212CCBC)" in line


def test_what_may_be_bought_under_several_quotas_is_left_out(aws: AwsSession) -> None:
    both = (Offering("p4d.24xlarge"), Offering("p4d.24xlarge", market=SPOT))
    assert lines(aws, cluster(), ways(*both)) == []


def test_the_smallest_of_several_instance_types_is_counted(aws: AwsSession) -> None:
    either = (Offering("p4d.24xlarge"), Offering("p5.4xlarge"))
    assert lines(aws, cluster(most=24, of_all=24), ways(*either)) == []
    (line,) = lines(aws, cluster(most=25, of_all=25), ways(*either))
    assert line.startswith("25 × p5.4xlarge at full size need 400 vCPUs")


def test_a_type_that_nobody_knows_and_a_quota_that_is_not_told_are_left_out(
    ec2: Emulated, aws: AwsSession
) -> None:
    assert lines(aws, cluster(), ways(Offering("p99.large"))) == []
    assert lines(aws, cluster(), ways(Offering(""))) == []
    ec2.quotas = {}
    assert lines(aws, cluster()) == []


@pytest.mark.parametrize("action", ["ListServiceQuotas", "DescribeInstances"])
def test_who_may_not_ask_hears_once_that_it_is_unknown(
    action: str, ec2: Emulated, aws: AwsSession
) -> None:
    ec2.fail(action, "AccessDeniedException", status=400)
    (line,) = lines(aws, cluster())
    assert line.startswith("whether the account's quotas suffice is unknown: AccessDenied")


def test_quotas_are_asked_for_once_a_day_by_all_their_pages(
    ec2: Emulated, aws: AwsSession, tmp_path: Path
) -> None:
    first = current_quotas(aws, 1000.0, tmp_path)
    assert first.vcpus == ec2.quotas
    asked = ec2.calls["ListServiceQuotas"]
    ec2.quotas[P] = 768.0
    assert current_quotas(aws, 1000.0 + 23 * 3600, tmp_path) == first
    assert ec2.calls["ListServiceQuotas"] == asked
    assert current_quotas(aws, 1000.0 + 25 * 3600, tmp_path).vcpus[P] == 768.0


def test_a_damaged_file_of_quotas_is_asked_for_anew(aws: AwsSession, tmp_path: Path) -> None:
    (tmp_path / f"quotas-{REGION}.json").write_text("{")
    assert current_quotas(aws, 1000.0, tmp_path).vcpus[P] == 384.0


def test_use_is_one_call_however_many_run(ec2: Emulated, aws: AwsSession) -> None:
    run_instances(aws, "m5.large", 30)
    run_instances(aws, "t3.small", 1)
    used = used_by_others("mine", catalog.load(), aws)
    assert used == {("Standard", Market.ON_DEMAND): 62}
    assert ec2.calls["DescribeInstances"] == 1


def test_use_of_a_type_that_the_catalog_lacks_is_what_ec2_says_of_it() -> None:
    told = {"InstanceType": "p99.large", "CpuOptions": {"CoreCount": 4, "ThreadsPerCore": 2}}
    assert counted([told, told], "mine", {}) == {("P", Market.ON_DEMAND): 16}


def test_hosts_of_ones_own_and_capacity_blocks_count_elsewhere() -> None:
    told: list[dict[str, Any]] = [
        {"InstanceType": "m5.large", "Placement": {"Tenancy": "host"}},
        {"InstanceType": "p5.48xlarge", "InstanceLifecycle": "capacity-block"},
        {"InstanceType": "m5.large", "InstanceLifecycle": "spot"},
    ]
    assert counted(told, "mine", catalog.load()) == {("Standard", SPOT): 2}


def test_all_quotas_of_families_in_the_catalog_are_known_by_code() -> None:
    from raytui.backends.aws.buckets import bucket_of
    from raytui.backends.aws.quotas import _CODE_OF, _CODES

    buckets = {bucket_of(name) for name in catalog.load()}
    assert {bucket for bucket, market in _CODE_OF if market is Market.ON_DEMAND} >= buckets
    assert all(re.fullmatch(r"L-[0-9A-F]{8}", code) for code in _CODES)
    assert len(_CODE_OF) == len(_CODES)


def test_a_floor_of_another_type_does_not_hide_this_ones(aws: AwsSession) -> None:
    spec = cluster(least=5, of_all=9, cpu=NodeType("cpu", min_workers=1, max_workers=1))
    bought = ways(cpu=Offering("m5.large"))
    assert len(lines(aws, spec, bought)) == 1
    assert len(lines(aws, replace(spec, max_workers=0), bought)) == 1


# On the head.


def on_head(world: World, **limits: int) -> ClusterSpec:
    worker = replace(world.spec.node_types["worker"], **limits)
    types = {**world.spec.node_types, "worker": worker}
    return replace(world.spec, on_head=True, node_types=types, max_workers=1000)


def of_quotas(machines: Ec2Machines) -> list[str]:
    return [words for words in machines.notices() if "quota" in words]


def test_a_head_tells_once_what_does_not_fit_and_again_when_its_file_changes(
    ec2: Emulated, world: World
) -> None:
    ec2.quotas = {STANDARD: 10.0}
    machines = world.again(on_head(world, max_workers=4))
    machines.fill(world.spec)
    assert of_quotas(machines) == []
    machines.fill(world.spec)
    assert ec2.calls["ListServiceQuotas"] == 1
    machines.fill(on_head(world, max_workers=5))
    (notice,) = of_quotas(machines)
    assert notice.startswith("6 × m5.large at full size need 12 vCPUs")
    assert ec2.calls["ListServiceQuotas"] == 1  # they were on disk


def test_elsewhere_nobody_asks(ec2: Emulated, world: World) -> None:
    world.machines.fill(world.spec)
    assert ec2.calls["ListServiceQuotas"] == 0


def test_a_head_that_may_not_ask_says_so_and_goes_on(ec2: Emulated, world: World) -> None:
    ec2.fail("ListServiceQuotas", "AccessDeniedException", status=400)
    machines = world.again(on_head(world))
    machines.fill(world.spec)
    (notice,) = of_quotas(machines)
    assert "is unknown: AccessDenied" in notice


def test_a_dry_run_tells_it_before_anything_is_launched(laptop: Laptop) -> None:
    laptop.ec2.quotas = {STANDARD: 1.0, STANDARD_SPOT: 1.0}
    lines = [line for line in what_up_would_do(laptop.cluster(), UpOptions()) if "quota" in line]
    assert [line.partition(" need ")[0] for line in lines] == [
        "1 × m5.large at once",
        "2 × m5.large at full size",
    ]
