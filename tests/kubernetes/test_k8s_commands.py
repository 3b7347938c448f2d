"""`raytui k8s` against a real API server; pods stay objects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.marks import CREATED_BY, DAEMON_OF, KUBERAY
from raytui.cli.exit_codes import ExitCode
from raytui.cli.program import run
from tests.kubernetes.clusters import World, group
from tests.kubernetes.kuberay import KubeRay

pytestmark = pytest.mark.kubernetes

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def at_a_laptop(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kubectl's own variable names the cluster; this is no pod."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def test_list_has_a_row_for_each_cluster(world: World, capsys: Out) -> None:
    world.create(group("cpu", replicas=2))
    assert run(["k8s"]) == ExitCode.OK
    titles, row = capsys.readouterr().out.splitlines()
    assert titles.split()[:4] == ["NAMESPACE", "NAME", "STATE", "NODES"]
    assert row.split()[:5] == [world.namespace, "demo", "starting", "0/3", "—"]
    assert row.endswith("nobody")


def test_list_as_json_is_one_object(world: World, capsys: Out) -> None:
    world.create(group("cpu", replicas=2), enableInTreeAutoscaling=True)
    assert run(["k8s", "list", "--json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["context"], found["namespace"]) == ("admin", world.namespace)
    assert [(row["name"], row["desired"], row["scaled_by"]) for row in found["rows"]] == [
        ("demo", 3, "KubeRay")
    ]


def test_empty_namespace_says_how_to_see_the_others(world: World, capsys: Out) -> None:
    assert run(["k8s"]) == ExitCode.OK
    said = capsys.readouterr()
    assert said.out == ""
    assert f"no RayClusters in namespace {world.namespace}; -A lists" in said.err


def test_scale_sets_the_replicas_of_the_only_group(world: World, capsys: Out) -> None:
    world.create(group("cpu", replicas=1, maxReplicas=5))
    assert run(["k8s", "scale", "demo", "-r", "4"]) == ExitCode.OK
    assert world.group()["replicas"] == 4
    assert "cpu of demo: 1 → 4 replicas" in capsys.readouterr().err


def test_scale_says_what_an_autoscaler_does(world: World, capsys: Out) -> None:
    world.create(group("cpu", maxReplicas=5), enableInTreeAutoscaling=True)
    assert run(["k8s", "scale", "demo", "-w", "cpu", "-r", "4"]) == ExitCode.OK
    assert "Ray's own autoscaler scales it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-w", "cpu", "-r", "6"), "raise its maxReplicas to 6"),
        (("-w", "gpu", "-r", "0"), "lower its minReplicas to 0"),
        (("-w", "tpu", "-r", "1"), "no worker group tpu; it has cpu, gpu"),
        (("-r", "1"), "name one by -w (cpu, gpu)"),
    ],
)
def test_scale_refuses_what_cannot_be(
    world: World, capsys: Out, words: tuple[str, ...], said: str
) -> None:
    world.create(group("cpu", maxReplicas=5), group("gpu", replicas=1, minReplicas=1))
    assert run(["k8s", "scale", "demo", *words]) == ExitCode.FAILED
    assert said in capsys.readouterr().err
    assert world.group(0)["replicas"] == 0


def test_create_makes_a_cluster_that_the_server_accepts(world: World) -> None:
    words = ["--image", "ray", "--worker-replicas", "2", "--worker-gpu", "1", "--autoscale"]
    assert run(["k8s", "create", "demo", *words]) == ExitCode.OK
    made = world.read()["spec"]
    workers = made["workerGroupSpecs"][0]
    assert made["enableInTreeAutoscaling"] is True
    assert (workers["replicas"], workers["minReplicas"], workers["maxReplicas"]) == (2, 0, 2)
    limits = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"}


def test_create_leaves_a_cluster_of_the_name_alone(world: World, capsys: Out) -> None:
    world.create(group("cpu"))
    before = world.read()
    assert run(["k8s", "create", "demo", "--image", "ray"]) == ExitCode.FAILED
    assert "AlreadyExists" in capsys.readouterr().err
    assert world.read() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--worker-cpu", "two"), "cpu: 'two' is no quantity"),
        (("--worker-replicas", "3", "--worker-max-replicas", "2"), "not between the least"),
    ],
)
def test_create_refuses_nonsense(
    world: World, capsys: Out, words: tuple[str, ...], said: str
) -> None:
    assert run(["k8s", "create", "demo", "--image", "ray", *words]) == ExitCode.FAILED
    assert said in capsys.readouterr().err
    with pytest.raises(NotFoundError):
        world.read()


def test_dry_run_of_create_prints_what_up_would_take(world: World, capsys: Out) -> None:
    assert run(["k8s", "create", "demo", "--image", "ray", "--dry-run"]) == ExitCode.OK
    assert "kind: RayCluster" in capsys.readouterr().out
    with pytest.raises(NotFoundError):
        world.read()


def test_delete_asks_somebody(world: World, capsys: Out) -> None:
    world.create(group("cpu"))
    assert run(["k8s", "delete", "demo"]) == ExitCode.USAGE
    assert "-y deletes it" in capsys.readouterr().err
    assert world.read()


def test_delete_waits_until_the_cluster_is_gone(world: World) -> None:
    world.create(group("cpu"))
    assert run(["k8s", "delete", "demo", "-y"]) == ExitCode.OK
    with pytest.raises(NotFoundError):
        world.read()


def test_install_brings_a_daemon_and_uninstall_takes_it_away(world: World, capsys: Out) -> None:
    world.create(group("cpu"))
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/demo-raytui"
    assert run(["k8s", "install", "demo", "--dry-run"]) == ExitCode.OK
    assert "kind: Deployment" in capsys.readouterr().out
    with pytest.raises(NotFoundError):
        world.admin.get(path)
    assert run(["k8s", "install", "demo"]) == ExitCode.OK
    labels = world.admin.get(path)["spec"]["template"]["metadata"]["labels"]
    assert labels[DAEMON_OF] == "demo"
    assert run(["k8s", "uninstall", "demo"]) == ExitCode.OK
    with pytest.raises(NotFoundError):
        world.admin.get(path)


def test_install_restarts_no_cluster_unasked(world: World, capsys: Out) -> None:
    world.create(group("cpu"), enableInTreeAutoscaling=True, upgradeStrategy={"type": "Recreate"})
    before = world.read()

    assert run(["k8s", "install", "demo", "--dry-run"]) == ExitCode.OK
    assert "delete head and workers" in capsys.readouterr().err
    assert run(["k8s", "install", "demo"]) == ExitCode.USAGE
    assert "delete head and workers" in capsys.readouterr().err
    assert world.read() == before

    assert run(["k8s", "install", "demo", "--restart"]) == ExitCode.OK
    assert world.read()["spec"]["enableInTreeAutoscaling"] is False


def test_up_applies_a_manifest_and_down_deletes_it(
    world: World, kuberay: KubeRay, capsys: Out, tmp_path: Path
) -> None:
    path = tmp_path / "raycluster.yaml"
    assert (
        run(["k8s", "create", "demo", "--image", "ray", "--worker-replicas", "0", "--dry-run"]) == 0
    )
    path.write_text(capsys.readouterr().out)
    head = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "demo-head",
            "labels": {
                "ray.io/cluster": "demo",
                "ray.io/node-type": "head",
                "ray.io/group": "headgroup",
                CREATED_BY: KUBERAY,
            },
        },
        "spec": {"containers": [{"name": "ray", "image": "ray"}]},
    }
    world.admin.create(world.pods_path, head)
    ready = {"type": "Ready", "status": "True"}
    status = {"op": "add", "path": "/status", "value": {"phase": "Running", "conditions": [ready]}}
    world.admin.patch(f"{world.pods_path}/demo-head/status", [status])

    assert run(["up", str(path)]) == ExitCode.OK
    assert world.read()["spec"]["workerGroupSpecs"][0]["groupName"] == "default-group"
