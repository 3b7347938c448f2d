"""The Helm charts: rendered by Helm itself, installed into a real API server, read by raytui."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

from raytui.backends.kubernetes.manifest import parse_manifest
from raytui.config.locations import packaged

OPERATOR = packaged("charts") / "raytui-operator"
CLUSTER = packaged("charts") / "ray-cluster"
Json = dict[str, Any]


def rendered(chart: Path, **values: Any) -> list[Json]:
    """The objects of a chart."""
    with helm.Chart.load(str(chart)) as loaded:
        files = loaded.render(values, name="demo", namespace="ml")
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


def of_kind(objects: list[Json], kind: str) -> list[Json]:
    return [one for one in objects if one["kind"] == kind]


@pytest.mark.parametrize("chart", [OPERATOR, CLUSTER], ids=lambda path: path.name)
def test_helm_finds_nothing_wrong(chart: Path) -> None:
    assert helm.lint(str(chart), strict=True)["errors"] == []


@pytest.mark.parametrize(
    "values",
    [{}, {"namespacedOperator": True}, {"rights": {"secrets": True, "volumeClaims": True}}],
)
def test_rights_are_named_one_by_one(values: Json) -> None:
    objects = rendered(OPERATOR, **values)
    rules = [rule for one in objects if one["kind"].endswith("Role") for rule in one["rules"]]

    assert rules
    assert not any("*" in part for rule in rules for part in rule.values())
    secrets = [rule for rule in rules if "secrets" in rule["resources"]]
    assert bool(secrets) == ("rights" in values)


def test_notes_say_how_to_uninstall() -> None:
    with helm.Chart.load(str(OPERATOR)) as loaded:
        files = loaded.render({}, name="demo", namespace="ml")
    notes = next(text for name, text in files.items() if name.endswith("NOTES.txt"))

    assert notes.index("kubectl delete raycluster") < notes.index("helm uninstall")
    assert """--type=merge -p '{"metadata":{"finalizers":null}}'""" in notes


def test_operator_of_some_namespaces_has_no_rights_elsewhere() -> None:
    objects = rendered(OPERATOR, watchNamespaces=["a", "b"])

    assert not of_kind(objects, "ClusterRole")
    assert {one["metadata"]["namespace"] for one in of_kind(objects, "Role")} == {"a", "b", "ml"}
    (deployment,) = of_kind(objects, "Deployment")
    args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args[1:3] == ["--namespace=a", "--namespace=b"]


def test_values_of_the_older_chart_are_read_by_raytui_as_they_were_meant() -> None:
    gpu = {"minWorkers": 1, "maxWorkers": 4, "CPU": 8, "GPU": 2, "memory": "32Gi"}
    kinds = {"gpuType": {**gpu, "nodeSelector": {"zone": "a"}, "rayResources": {"shiny": 3}}}

    (made,) = rendered(CLUSTER, podTypes=kinds, upscalingSpeed=4, idleTimeoutMinutes=2.5)

    spec = parse_manifest(yaml.safe_dump(made), "demo.yaml")
    kind = spec.node_types["gpu-type"]
    assert (kind.min_workers, kind.max_workers) == (1, 4)
    assert kind.resources.amount("GPU") == 2
    assert kind.resources.amount("CPU") == 8
    assert kind.resources.amount("shiny") == 3
    assert spec.idle_timeout_s == 150
    assert spec.upscaling_speed > 1


@pytest.mark.parametrize(
    ("chart", "values", "said"),
    [
        (OPERATOR, {"replica": 2}, "replica"),
        (OPERATOR, {"port": 0}, "port"),
        (OPERATOR, {"watchNamespaces": ["A b"]}, "watchNamespaces"),
        (CLUSTER, {"podTypes": {"x": {"memory": "1Gi"}}}, "CPU"),
        (CLUSTER, {"podTypes": {"x": {"CPU": 1, "memory": "lots"}}}, "memory"),
        (CLUSTER, {"headPodType": "other"}, "headPodType other is none of podTypes"),
    ],
)
def test_wrong_value_is_named(chart: Path, values: Json, said: str) -> None:
    with pytest.raises(helm.HelmError, match=said):
        rendered(chart, **values)


@pytest.mark.kubernetes
@pytest.mark.slow
def test_api_server_takes_what_helm_installs(kubeconfig: Path, namespace: str) -> None:
    with helm.Config(kubeconfig_path=str(kubeconfig), namespace=namespace) as config:
        for chart, name in ((OPERATOR, "raytui-operator"), (CLUSTER, "demo")):
            assert config.install(str(chart), name)["status"] == "deployed"
        for name in ("demo", "raytui-operator"):
            config.uninstall(name)
