"""What Ray is told of EC2 instances, against Ray's own function and moto's EC2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from raytui.backends.aws.catalog import InstanceType, load
from raytui.backends.aws.catalog_api import described, from_ec2, runs_ray
from raytui.backends.aws.resources import (
    fill,
    instance_types_of,
    resources_of,
    types_of_cluster,
)
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError
from raytui.config.cluster import parse_cluster
from raytui.model.spec import ClusterSpec
from tests.aws.world import REGION

GIB = 2**30


@pytest.fixture
def nobody(aws: AwsSession, monkeypatch: pytest.MonkeyPatch) -> AwsSession:
    """A session without credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    return aws


def cluster(types: dict[str, Any], **raytui: Any) -> dict[str, Any]:
    return {
        "cluster_name": "aws",
        "max_workers": 10,
        "provider": {"type": "aws", "region": REGION},
        "auth": {"ssh_user": "ubuntu"},
        "head_node_type": "head",
        "available_node_types": {"head": {"node_config": {"InstanceType": "m5.large"}}} | types,
        "metadata": {"raytui": raytui},
    }


def spec_of(values: dict[str, Any]) -> ClusterSpec:
    return parse_cluster(yaml.safe_dump(values, sort_keys=False), "cluster.yaml")


def worker(instance_type: Any, **more: Any) -> dict[str, Any]:
    return {"worker": {"node_config": {"InstanceType": instance_type}, **more}}


def filled(values: dict[str, Any], name: str = "worker") -> dict[str, float]:
    return fill(spec_of(values), load()).node_types[name].resources.amounts()


def test_every_instance_type_has_what_ray_says_but_for_what_ray_gets_wrong(aws: AwsSession):
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    types = {one["InstanceType"]: one for one in described(aws) if runs_ray(one)}
    assert len(types) > 1000
    values = cluster({name: {"node_config": {"InstanceType": name}} for name in types})
    theirs = AWSNodeProvider.fillout_available_node_types_resources(values)
    ours = fill(spec_of(values), {name: from_ec2(one) for name, one in types.items()})

    for name, node_type in ours.node_types.items():
        expected = dict(theirs["available_node_types"][name]["resources"])
        described_type = types.get(name, {})
        gpus = described_type.get("GpuInfo", {}).get("Gpus", [])
        if gpus and gpus[0]["Count"] == 0:  # A share of a GPU: the machine shows one.
            expected |= {"GPU": 1, f"accelerator_type:{gpus[0]['Name']}": 1}
        for bad in [key for key in expected if " " in key]:  # Never what a node calls itself.
            del expected[bad]
            expected[f"accelerator_type:{from_ec2(described_type).accelerator}"] = 1
        if "NeuronInfo" in described_type and "neuron_cores" not in expected:
            assert name.startswith(("inf1.", "trn2.")), "Ray has a list of its own, of some"
            expected |= {
                "neuron_cores": from_ec2(described_type).neuron_cores,
                "accelerator_type:aws-neuron-core": 1,
            }
        assert node_type.resources.amounts() == expected, name


def test_ray_and_ec2_count_the_same_neuron_cores():
    from ray._private.accelerators.neuron import AWS_NEURON_INSTANCE_MAP

    types = load()
    assert {name: types[name].neuron_cores for name in AWS_NEURON_INSTANCE_MAP} == (
        AWS_NEURON_INSTANCE_MAP
    )


def test_the_share_of_memory_is_rays():
    from ray._private.ray_constants import DEFAULT_OBJECT_STORE_MEMORY_PROPORTION

    one = InstanceType("x.y", 1, 10_000_000_001)
    share = 1 - DEFAULT_OBJECT_STORE_MEMORY_PROPORTION
    assert resources_of(one).amount("memory") == int(one.memory * share)
    assert "memory" not in resources_of(one, is_head=True)


def test_what_the_file_states_stays_and_nothing_counts_as_stated():
    values = cluster(worker("g5.xlarge", resources={"CPU": 2, "GPU": 0, "fast": 3}))
    assert filled(values) == {
        "CPU": 2,
        "memory": int(16 * GIB * 0.7),
        "accelerator_type:A10G": 1,
        "fast": 3,
    }


def test_a_head_that_is_to_run_no_tasks_gets_no_cpus():
    values = cluster(
        {"head": {"node_config": {"InstanceType": "m5.large"}, "resources": {"CPU": 0}}}
    )
    assert filled(values, "head") == {}


def test_a_type_of_several_instance_types_has_what_each_of_them_has():
    values = cluster(worker(["g5.2xlarge", "g6.xlarge", "g4dn.12xlarge"]))
    assert filled(values) == {"CPU": 4, "GPU": 1, "memory": int(16 * GIB * 0.7)}


def test_the_instance_types_of_offerings_go_before_that_of_the_config():
    offered = [{"instance_type": "m5.xlarge"}, {"instance_type": "c5.2xlarge"}]
    values = cluster(worker("m5.large"), node_types={"worker": {"offerings": offered}})
    assert instance_types_of(spec_of(values).node_types["worker"]) == ("m5.xlarge", "c5.2xlarge")
    assert filled(values)["CPU"] == 4


def test_a_launch_template_tells_nothing_before_it_is_read():
    values = cluster({"worker": {"node_config": {"LaunchTemplate": {"LaunchTemplateId": "lt-1"}}}})
    assert filled(values) == {}


def test_an_unknown_instance_type_is_named_with_its_node_type_and_a_near_one():
    with pytest.raises(ConfigError, match=r"m5\.lagre, the instance type of worker.*m5\.large\?"):
        filled(cluster(worker("m5.lagre")))


def test_all_types_of_a_cluster_are_asked_for_by_one_call_and_once(aws: AwsSession, tmp_path: Path):
    spec = spec_of(cluster(worker(["p5.48xlarge", "c7i.large"])))
    types = types_of_cluster(spec, aws, {}, tmp_path)
    assert set(types) == {"c7i.large", "m5.large", "p5.48xlarge"}
    assert aws.calls() == {"ec2.DescribeInstanceTypes": 1}
    assert types_of_cluster(spec, aws, {}, tmp_path) == types
    assert aws.calls() == {"ec2.DescribeInstanceTypes": 1}


def test_of_a_grown_cluster_only_what_is_new_is_asked_for(aws: AwsSession, tmp_path: Path):
    types_of_cluster(spec_of(cluster({})), aws, {}, tmp_path)
    types = types_of_cluster(spec_of(cluster(worker("p5.48xlarge"))), aws, {}, tmp_path)
    assert set(types) == {"m5.large", "p5.48xlarge"}
    assert aws.calls() == {"ec2.DescribeInstanceTypes": 2}


def test_a_damaged_cache_is_asked_anew(aws: AwsSession, tmp_path: Path):
    (tmp_path / f"types-{REGION}.csv").write_text("instance_type,vcpus\nm5.large,many\n")
    assert set(types_of_cluster(spec_of(cluster({})), aws, {}, tmp_path)) == {"m5.large"}


def test_a_type_that_the_region_does_not_have_is_told_in_ec2s_words(aws: AwsSession):
    with pytest.raises(ConfigError, match=r"InvalidInstanceType.*m5\.lagre"):
        types_of_cluster(spec_of(cluster(worker("m5.lagre"))), aws, load())


def test_without_credentials_the_catalog_tells(nobody: AwsSession, tmp_path: Path):
    spec = spec_of(cluster(worker("p5.48xlarge")))
    types = types_of_cluster(spec, nobody, load(), tmp_path)
    assert fill(spec, types).node_types["worker"].resources.amount("GPU") == 8
    assert list(tmp_path.iterdir()) == [], "what the catalog says is not kept as EC2's word"
