"""RayCluster manifests: read as Ray's own autoscaler reads them, or refused with every reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from raytui.backends.kubernetes.manifest import is_manifest, parse_manifest, spec_of
from raytui.config.problems import ConfigErrors
from raytui.model.resources import Resources
from tests.kubernetes.clusters import group, manifest, template

FULL = """\
# Two groups, and a script for the head.
apiVersion: v1
kind: ConfigMap
metadata: {name: scripts}
data:
  hello.py: |
    kind = "RayCluster"
---
apiVersion: ray.io/v1
kind: RayCluster
metadata:
  name: full
  namespace: research
  annotations:
    raytui.io/config: |
      node_types:
        gpu: {price_per_hour: 3.5}
      budget: {max_per_hour: 40}
spec:
  rayVersion: "2.60.0"
  autoscalerOptions:
    upscalingMode: Conservative
    idleTimeoutSeconds: 90
  headGroupSpec:
    rayStartParams: {num-cpus: "0"}
    template:
      spec:
        containers:
          - name: ray-head
            image: rayproject/ray:2.60.0
            resources: {limits: {cpu: "2", memory: 8Gi}}
  workerGroupSpecs:
    - groupName: cpu
      replicas: 1
      minReplicas: 1
      maxReplicas: 10
      idleTimeoutSeconds: 300
      priority: 5
      rayStartParams:
        resources: '"{\\"fast_disk\\": 2}"'
      labels: {team: search}
      template:
        spec:
          containers:
            - name: ray-worker
              resources:
                limits: {cpu: 1500m}
                requests: {cpu: "1", memory: 2G}
            - name: sidecar
              resources: {limits: {cpu: "9"}}
    - groupName: gpu
      minReplicas: 0
      maxReplicas: 3
      numOfHosts: 2
      rayStartParams: {}
      template:
        spec:
          containers:
            - name: ray-worker
              resources:
                limits: {cpu: "8", memory: 32Gi, nvidia.com/gpu: "4"}
"""


def _problems(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse_manifest(text, "c.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_manifest_becomes_a_spec() -> None:
    spec = parse_manifest(FULL, "c.yaml")

    assert spec.cluster_name == "full"
    assert spec.provider.type == "kuberay"
    assert spec.provider.options["namespace"] == "research"
    assert spec.head_node_type == "headgroup"
    assert spec.idle_timeout_s == 90
    assert spec.upscaling_speed == 1.0
    assert spec.max_workers == 16
    assert spec.head.resources == Resources.of({"memory": 8 << 30})
    cpu, gpu = spec.node_types["cpu"], spec.node_types["gpu"]
    assert cpu.resources == Resources.of({"CPU": 2, "memory": 2 * 10**9, "fast_disk": 2})
    assert (cpu.min_workers, cpu.max_workers) == (1, 10)
    assert (cpu.idle_timeout_s, cpu.priority, cpu.labels) == (300, 5, {"team": "search"})
    assert gpu.resources == Resources.of({"CPU": 8, "GPU": 4, "memory": 32 << 30})
    assert (gpu.min_workers, gpu.max_workers) == (0, 6)


def test_annotation_is_the_block_that_cluster_files_have_in_metadata() -> None:
    spec = parse_manifest(FULL, "c.yaml")

    assert spec.node_types["gpu"].price_per_hour == 3.5
    assert spec.budget_per_hour == 40


def test_nothing_of_the_manifest_is_lost() -> None:
    spec = parse_manifest(FULL, "c.yaml")

    resource = list(yaml.safe_load_all(FULL))[1]
    assert spec.provider.options["resource"] == resource


def test_resource_of_the_api_server_is_read_like_a_file() -> None:
    resource = list(yaml.safe_load_all(FULL))[1]
    resource["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    resource["status"] = {"state": "ready"}

    assert spec_of(resource).node_types == parse_manifest(FULL, "c.yaml").node_types


def test_what_is_left_out_is_as_ray_has_it() -> None:
    spec = spec_of(manifest(group("cpu", maxReplicas=None)))

    assert spec.idle_timeout_s == 60
    assert spec.upscaling_speed == 1000
    assert spec.node_types["cpu"].max_workers == 2**31 - 1
    assert spec.max_workers == 2**31 - 1


@pytest.mark.parametrize("suspended", ["cluster", "group"])
def test_suspended_group_has_no_nodes(suspended: str) -> None:
    own = {"suspend": True} if suspended == "group" else {}
    whole = {"suspend": True} if suspended == "cluster" else {}
    spec = spec_of(manifest(group("cpu", minReplicas=2, **own), **whole))

    assert (spec.node_types["cpu"].min_workers, spec.node_types["cpu"].max_workers) == (0, 0)


def test_tpu_slice_has_its_head_s_resource() -> None:
    pod = template("8")
    pod["spec"]["containers"][0]["resources"]["limits"] = {"google.com/tpu": "4"}
    pod["spec"]["nodeSelector"] = {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v4-podslice",
        "cloud.google.com/gke-tpu-topology": "2x2x2",
    }

    spec = spec_of(manifest(group("tpu", numOfHosts=2, template=pod)))

    assert spec.node_types["tpu"].resources == Resources.of(
        {"CPU": 8, "TPU": 4, "TPU-v4-16-head": 1}
    )


def test_problems_are_told_together_with_their_places() -> None:
    text = (
        FULL.replace("idleTimeoutSeconds: 90", "idleTimeoutSeconds: soon")
        .replace('num-cpus: "0"', "num-cpus: 0")
        .replace("minReplicas: 0", "minReplicas: -1")
    )

    assert _problems(text) == [
        "c.yaml:23: spec.autoscalerOptions.idleTimeoutSeconds: expected a number of seconds from "
        '0 to 1,000,000,000, got text, "soon"',
        "c.yaml:25: spec.headGroupSpec.rayStartParams.num-cpus: expected text, got a whole "
        'number, "0" (to mean the text, quote it: "0")',
        "c.yaml:52: spec.workerGroupSpecs[1].minReplicas: expected a whole number, 0 or more, "
        "got -1",
    ]


def test_pod_without_a_container_is_refused_with_its_place() -> None:
    made = manifest(group("cpu"))
    made["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"] = []

    with pytest.raises(ConfigErrors) as refused:
        spec_of(made)

    (problem,) = refused.value.problems
    assert "spec.workerGroupSpecs[0].template.spec.containers: expected a list" in str(problem)
    assert "1 or more, got 0" in str(problem)


def test_amount_that_is_none_is_told_with_its_place() -> None:
    (problem,) = _problems(FULL.replace("memory: 8Gi", "memory: 8 gigs"))

    assert problem.startswith(
        "c.yaml:31: spec.headGroupSpec.template.spec.containers[0].resources.limits.memory: "
    )
    assert "no quantity of Kubernetes" in problem


def test_custom_resources_that_are_no_json_are_told_with_an_example() -> None:
    (problem,) = _problems(FULL.replace('\\"fast_disk\\": 2', "fast_disk=2"))

    assert "workerGroupSpecs[0].rayStartParams.resources: expected JSON in quotes" in problem


def test_groups_that_contradict_themselves_are_refused() -> None:
    text = FULL.replace("groupName: gpu", "groupName: cpu").replace(
        "maxReplicas: 10", "maxReplicas: 0"
    )
    text = text.replace(
        "        gpu: {price_per_hour: 3.5}\n", "        cpu: {price_per_hour: 3}\n"
    )

    assert _problems(text) == [
        "c.yaml:35: spec.workerGroupSpecs[0].minReplicas: is 1, more than maxReplicas of 0 (lower "
        "minReplicas or raise maxReplicas)",
        'c.yaml:51: spec.workerGroupSpecs[1].groupName: "cpu" is the name of another group',
    ]


def test_problem_in_the_annotation_is_told_where_the_annotation_is() -> None:
    problems = _problems(FULL.replace("price_per_hour: 3.5", "price_per_hour: much"))
    unknown = _problems(FULL.replace("        gpu: {price", "        tpu: {price"))

    place = "c.yaml:15: metadata.annotations.raytui.io/config.node_types"
    assert problems[0].startswith(f"{place}.gpu.price_per_hour: expected a number")
    assert unknown[0].startswith(f"{place}.tpu: is not a node type")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Pod\n", "has no RayCluster"),
        ("", "has no RayCluster"),
        ("kind: RayCluster\n---\nkind: RayCluster\n", "has more than one RayCluster"),
        ("kind: RayCluster\n", "spec: is required"),
        (FULL.replace("ray.io/v1\n", "ray.io/v9\n"), '"ray.io/v9" is not known'),
    ],
)
def test_file_without_one_good_raycluster_is_refused(text: str, said: str) -> None:
    assert any(said in problem for problem in _problems(text))


def test_manifest_is_told_from_a_cluster_file() -> None:
    assert is_manifest(FULL)
    assert is_manifest(json.dumps(manifest(), indent=1))
    assert not is_manifest("cluster_name: a\nprovider: {type: local}\n")


def test_manifest_on_one_line_of_json_is_read(tmp_path: Path) -> None:
    text = json.dumps(manifest(group("cpu")))

    assert parse_manifest(text, "c.json").node_types["cpu"].resources == Resources.of(CPU=1)


_amounts = st.sampled_from(["0", "1", "4", "500m", "1500m", "2.5", "2Gi", "3G", "1e3", "1Ki"])
_whole = st.sampled_from(["0", "1", "7", "64"])
_GPUS = ("nvidia.com/gpu", "amd.com/gpu")


@st.composite
def _groups(draw: st.DrawFn) -> dict[str, Any]:
    """A group that says what its nodes have in any of the ways."""

    def some(keys: tuple[str, ...], amounts: st.SearchStrategy[str]) -> dict[str, str]:
        return draw(st.dictionaries(st.sampled_from(keys), amounts))

    container = ("memory", "cpu", *_GPUS, "google.com/tpu", "ephemeral-storage")
    options = some(("num-cpus", "num-gpus", "memory", "object-store-memory"), _whole)
    if custom := some(("one", "two"), _whole):
        words = json.dumps({name: int(amount) for name, amount in custom.items()})
        options["resources"] = json.dumps(words)
    return {
        "groupName": "cpu",
        "minReplicas": draw(st.integers(0, 3)),
        "maxReplicas": draw(st.integers(3, 9)),
        "numOfHosts": draw(st.integers(1, 4)),
        "rayStartParams": options,
        "resources": some(("CPU", "GPU", "memory", "TPU", "three"), _amounts),
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "ray",
                        "resources": {
                            "limits": some(container, _amounts),
                            "requests": {**some(container, _amounts), "cpu": "1"},
                        },
                    }
                ]
            }
        },
    }


@settings(max_examples=200, deadline=None)
@given(_groups())
def test_resources_are_what_ray_s_own_autoscaler_makes_of_them(made: dict[str, Any]) -> None:
    from ray.autoscaler._private.kuberay import autoscaling_config

    autoscaling_config.logger.setLevel("CRITICAL")

    theirs = autoscaling_config._node_type_from_group_spec(made, is_head=False)
    ours = spec_of(manifest(made)).node_types["cpu"]

    assert ours.resources == Resources.of(theirs["resources"])
    assert ours.min_workers == theirs["min_workers"]
    assert ours.max_workers == theirs["max_workers"]
