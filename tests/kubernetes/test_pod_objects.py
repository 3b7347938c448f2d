"""Pods and services of a RayCluster: what a person wrote stays, and Ray gets what is planned."""

from __future__ import annotations

import copy
import json
import re
import shlex
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytui.backends.kubernetes.manifest import spec_of
from raytui.backends.kubernetes.objects import (
    WorkerName,
    head_pod,
    head_service,
    template_hash,
    token_secret,
    volume_claim,
    worker_pod,
    workers_of,
    workers_service,
)
from raytui.backends.kubernetes.pods import pod_of
from tests.kubernetes.clusters import World, group, manifest, template

Json = dict[str, Any]
_DNS = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_ONE = WorkerName("demo-cpu-worker-1", "r1")


def cluster(*groups: Json, name: str = "demo", **spec: Any) -> Json:
    """A RayCluster as the API server gives it."""
    found = manifest(*groups, **spec)
    found["metadata"] = {"name": name, "namespace": "ml", "uid": "6f1c", **found["metadata"]}
    found["metadata"]["name"] = name
    return found


def container(pod: Json) -> Json:
    found: Json = pod["spec"]["containers"][0]
    return found


def variables(pod: Json) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container(pod)["env"]}


def words(pod: Json) -> list[str]:
    """What the shell makes of the command of `ray start`."""
    text = container(pod)["args"][0]
    assert container(pod)["command"] == ["/bin/bash", "-c", "--"]
    start = re.sub(r".*?(?=ray start)", "", text, count=1)
    script = f"ray() {{ printf '%s\\0' ray \"$@\"; }}; {start}"
    done = subprocess.run(
        ["bash", "-c", script], check=True, capture_output=True, env={"POD_IP": "10.0.0.7"}
    )
    return done.stdout.decode().split("\0")[:-1]


def options(pod: Json) -> dict[str, str]:
    """The options of `ray start`, by name."""
    pairs = (word.removeprefix("--").partition("=") for word in words(pod)[2:])
    return {name: value for name, _, value in pairs}


# Names.


@given(
    st.from_regex(r"[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?", fullmatch=True),
    st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=90),
    st.integers(1, 4),
)
def test_names_are_dns_labels_and_different(name: str, kind: str, hosts: int) -> None:
    asked = cluster(group(kind, numOfHosts=hosts), name=name)
    found = asked["spec"]["workerGroupSpecs"][0]

    workers = [one for request in ("r1", "r2") for one in workers_of(asked, found, request, 5)]

    names = [one.name for one in workers] + [one.replica for one in workers if hosts > 1]
    names += [head_pod(asked)["metadata"]["name"], head_service(asked)["metadata"]["name"]]
    assert all(_DNS.fullmatch(one) and len(one) <= 63 for one in names)
    assert len({one.name for one in workers}) == len(workers) >= 10
    assert len({one.replica for one in workers}) == (len(workers) // hosts if hosts > 1 else 1)


def test_long_names_of_two_clusters_stay_two() -> None:
    first, second = (cluster(name="a" * 60 + end) for end in "xy")

    assert head_service(first)["metadata"]["name"] != head_service(second)["metadata"]["name"]
    assert head_pod(first)["metadata"]["name"] != head_pod(second)["metadata"]["name"]


def test_a_request_has_the_same_pods_each_time_and_a_new_cluster_has_others() -> None:
    first, anew = cluster(group("cpu")), cluster(group("cpu"))
    anew["metadata"]["uid"] = "another"
    asked = first["spec"]["workerGroupSpecs"][0]

    names = [[one.name for one in workers_of(of, asked, "r1", 3)] for of in (first, first, anew)]

    assert names[0] == names[1]
    assert not set(names[0]) & set(names[2])


# What a pod is.


def test_what_the_template_says_stays() -> None:
    own = {
        "metadata": {"labels": {"team": "a"}, "annotations": {"why": "b"}},
        "spec": {
            "containers": [
                {
                    "name": "mine",
                    "image": "mine:1",
                    "env": [{"name": "RAY_ADDRESS", "value": "elsewhere"}],
                    "ports": [{"name": "metrics", "containerPort": 9}],
                    "livenessProbe": {"tcpSocket": {"port": 1}},
                    "volumeMounts": [{"name": "fast", "mountPath": "/dev/shm"}],
                    "resources": {"limits": {"cpu": "1"}},
                    "futureField": {"deep": [1]},
                },
                {"name": "sidecar", "image": "log"},
            ],
            "initContainers": [{"name": "first", "image": "x"}],
            "nodeSelector": {"disk": "ssd"},
            "runtimeClassName": "gvisor",
        },
    }
    asked = cluster(group("cpu", template=copy.deepcopy(own)))

    pod = worker_pod(asked, "cpu", _ONE)

    kept = container(pod)
    assert asked["spec"]["workerGroupSpecs"][0]["template"] == own
    assert variables(pod)["RAY_ADDRESS"] == "elsewhere"
    assert kept["ports"] == [{"name": "metrics", "containerPort": 9}]
    assert kept["livenessProbe"] == {"tcpSocket": {"port": 1}}
    assert kept["readinessProbe"]["httpGet"]["port"] == 52365
    assert kept["futureField"] == {"deep": [1]}
    assert [one["mountPath"] for one in kept["volumeMounts"]] == ["/dev/shm"]
    assert "volumes" not in pod["spec"]
    assert [one["name"] for one in pod["spec"]["initContainers"]] == ["first", "wait-gcs-ready"]
    assert pod["spec"]["containers"][1] == {"name": "sidecar", "image": "log"}
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert pod["spec"]["runtimeClassName"] == "gvisor"
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["annotations"]["why"] == "b"


def test_a_pod_is_found_by_labels_that_no_template_changes() -> None:
    own = template()
    fixed = ("ray.io/cluster", "ray.io/node-type", "ray.io/group", "app.kubernetes.io/created-by")
    own["metadata"] = {"labels": dict.fromkeys(fixed, "other")}
    asked = cluster(group("cpu", template=own), headGroupSpec={"template": own})

    for pod in (head_pod(asked), worker_pod(asked, "cpu", _ONE)):
        assert "other" not in pod["metadata"]["labels"].values()
    selected = head_service(asked)["spec"]["selector"].items()
    assert selected <= head_pod(asked)["metadata"]["labels"].items()
    assert not selected <= worker_pod(asked, "cpu", _ONE)["metadata"]["labels"].items()


def test_a_pod_read_back_is_what_was_asked_for() -> None:
    asked = cluster(group("tpu", numOfHosts=2))
    worker = workers_of(asked, asked["spec"]["workerGroupSpecs"][0], "r7", 2, frozenset({0}))[1]

    pod = pod_of(worker_pod(asked, "tpu", worker))

    assert (pod.name, pod.group, pod.replica) == (worker.name, "tpu", worker.replica)
    assert (pod.cluster, pod.namespace, pod.owner) == ("demo", "ml", "6f1c")
    assert (pod.instance.request_id, pod.replica_index, pod.is_head) == ("r7", 1, False)
    assert pod.template_hash == template_hash(asked, "tpu")


def test_a_worker_that_ended_is_not_started_again_in_place() -> None:
    own = template()
    own["spec"]["restartPolicy"] = "Always"

    assert worker_pod(cluster(group("a", template=own)), "a", _ONE)["spec"]["restartPolicy"] == (
        "Never"
    )


def test_a_pod_goes_with_its_cluster() -> None:
    asked = cluster(group("tpu", numOfHosts=2), gcsFaultToleranceOptions={"backend": "rocksdb"})

    for thing in (
        head_pod(asked),
        worker_pod(asked, "tpu", _ONE),
        head_service(asked),
        workers_service(asked),
        volume_claim(asked),
    ):
        assert thing is not None
        owner = thing["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("RayCluster", "6f1c", True)


def test_shared_memory_is_as_large_as_the_memory_of_the_container() -> None:
    own = template()
    own["spec"]["containers"][0]["resources"] = {"limits": {"memory": "3Gi"}}

    pod = worker_pod(cluster(group("a", template=own)), "a", _ONE)

    assert pod["spec"]["volumes"] == [
        {"name": "shared-mem", "emptyDir": {"medium": "Memory", "sizeLimit": "3Gi"}}
    ]
    elsewhere = group("a", rayStartParams={"plasma-directory": "/disk"})
    assert "volumes" not in worker_pod(cluster(elsewhere), "a", _ONE)["spec"]


def test_workers_wait_for_the_port_at_which_the_head_listens() -> None:
    asked = cluster(group("cpu"))
    asked["spec"]["headGroupSpec"]["rayStartParams"] = {"port": "7777"}

    pod = worker_pod(asked, "cpu", _ONE, domain="corp.example")

    at = "demo-head-svc.ml.svc.corp.example"
    assert options(pod)["address"] == variables(pod)["RAY_ADDRESS"] == f"{at}:7777"
    assert f"ray health-check --address {at}:7777" in pod["spec"]["initContainers"][0]["args"][0]
    assert (variables(pod)["FQ_RAY_IP"], variables(pod)["RAY_IP"]) == (at, "demo-head-svc")
    assert options(head_pod(asked))["port"] == "7777"


@pytest.mark.parametrize(
    ("version", "kind"),
    [("2.53.0", "httpGet"), ("2.60.0", "httpGet"), ("2.9.3", "exec"), ("", "exec")],
)
def test_health_is_asked_as_the_ray_of_the_cluster_answers(version: str, kind: str) -> None:
    for pod in (
        head_pod(cluster(group("cpu"), rayVersion=version)),
        worker_pod(cluster(group("cpu"), rayVersion=version), "cpu", _ONE),
    ):
        for probe in ("readinessProbe", "livenessProbe"):
            assert kind in container(pod)[probe]


# The command.


def test_the_head_scales_nothing_by_itself_and_shows_its_dashboard() -> None:
    found = words(head_pod(cluster(group("cpu"))))

    assert found[:3] == ["ray", "start", "--head"]
    assert {"--no-monitor", "--block", "--dashboard-host=0.0.0.0"} <= set(found)


def test_values_reach_ray_as_they_are_meant() -> None:
    params = {
        "node-ip-address": "$POD_IP",
        "system-config": '{"a": "b c"}',
        "labels": '"x=1,y=2"',
        "temp-dir": "/tmp/a b; rm -rf /",
        "node-name": "it's",
        "disable-usage-stats": "true",
        "verbose": "false",
        "log-color": "false",
        "resources": '"{\\"one\\": 1, \\"two\\": 2.5}"',
    }

    found = words(
        head_pod(cluster(headGroupSpec={"rayStartParams": params, "template": template()}))
    )

    assert {
        "--node-ip-address=10.0.0.7",
        '--system-config={"a": "b c"}',
        "--labels=x=1,y=2",
        "--temp-dir=/tmp/a b; rm -rf /",
        "--node-name=it's",
        "--disable-usage-stats",
        "--log-color=false",
        '--resources={"one":1,"two":2.5}',
    } <= set(found)
    assert not any(word.startswith("--verbose") for word in found)


@pytest.mark.parametrize(
    ("group_fields", "limits"),
    [
        ({}, {"cpu": "1500m", "memory": "1Gi", "nvidia.com/gpu": "2"}),
        ({"rayStartParams": {"num-cpus": "0", "memory": "5"}}, {"cpu": "4"}),
        ({"rayStartParams": {"resources": '"{\\"a\\": 2}"'}}, {"cpu": "4"}),
        ({"resources": {"CPU": "7", "GPU": "1", "memory": "2Gi", "custom": "3"}}, {"cpu": "4"}),
        ({"resources": {"CPU": "7"}, "rayStartParams": {"resources": '"{\\"a\\": 2}"'}}, {}),
        ({"labels": {"zone": "a", "ray.io/tier": "b"}}, {"cpu": "1", "google.com/tpu": "4"}),
    ],
)
def test_ray_is_told_what_is_planned_with(group_fields: Json, limits: Json) -> None:
    own = template()
    own["spec"]["containers"][0]["resources"] = {"limits": limits}
    asked = cluster(group("a", **{"template": own, **group_fields}))
    planned = spec_of(asked).node_types["a"]

    told = options(worker_pod(asked, "a", _ONE))

    names = {"CPU": "num-cpus", "GPU": "num-gpus", "memory": "memory"}
    amounts = dict(planned.resources.amounts())
    for name, option in names.items():
        assert int(told.get(option, 0)) == amounts.pop(name, 0)
    custom = {} if "resources" not in told else json.loads(told["resources"])
    assert custom == amounts
    assert told.get("labels", "") == ",".join(
        f"{name}={planned.labels[name]}" for name in sorted(planned.labels)
    )


def test_its_own_command_comes_before_ray() -> None:
    def text(**own: Any) -> str:
        pod = template()
        pod["spec"]["containers"][0] |= own
        found: str = container(worker_pod(cluster(group("a", template=pod)), "a", _ONE))["args"][0]
        return found

    assert text(command=["echo 1"], args=["2"]).startswith("echo 1 2 && ulimit -n ")
    shell = text(command=["/bin/bash", "-c", "--"], args=["one; two 'three'"])
    assert shlex.split(shell)[:5] == ["/bin/bash", "-c", "--", "one; two 'three'", "&&"]


def test_a_command_that_starts_ray_stays_and_can_cite_ours() -> None:
    own = template()
    own["spec"]["containers"][0] |= {"command": ["bash", "-c"], "args": ["ulimit -n 1; ray start"]}
    pod = worker_pod(cluster(group("a", template=own)), "a", _ONE)
    assert (container(pod)["command"], container(pod)["args"]) == (
        ["bash", "-c"],
        ["ulimit -n 1; ray start"],
    )

    own["spec"]["containers"][0] |= {"args": ["$KUBERAY_GEN_RAY_START_CMD"]}
    asked = cluster(group("a", template=own, resources={"CPU": "1", "rack": "2"}))
    asked["metadata"]["annotations"] = {"ray.io/overwrite-container-cmd": "true"}
    pod = worker_pod(asked, "a", _ONE)
    assert container(pod)["args"] == ["$KUBERAY_GEN_RAY_START_CMD"]
    script = 'ray() { printf "%s\\n" "$@"; }; $KUBERAY_GEN_RAY_START_CMD'
    done = subprocess.run(
        ["bash", "-c", script], check=True, capture_output=True, text=True, env=variables(pod)
    )
    assert '--resources={"rack":2}' in done.stdout.splitlines()


# Rolling.


def test_how_many_pods_there_are_is_no_change_of_what_they_are() -> None:
    before = cluster(group("a"))
    after = cluster(
        group("a", replicas=5, minReplicas=1, maxReplicas=9, scaleStrategy={"workersToDelete": []})
    )
    after["spec"]["workerGroupSpecs"][0]["template"]["spec"]["tolerations"] = [{"key": "queue"}]

    assert template_hash(before, "a") == template_hash(after, "a")


@pytest.mark.parametrize(
    "change",
    [
        {"rayStartParams": {"num-cpus": "3"}},
        {"resources": {"CPU": "3"}},
        {"labels": {"zone": "b"}},
        {"template": template("2")},
        {"numOfHosts": 2},
    ],
)
def test_a_changed_group_is_another_one_and_the_others_stay(change: Json) -> None:
    before = cluster(group("a"), group("b"))
    after = cluster(group("a", **change), group("b"))

    assert template_hash(before, "a") != template_hash(after, "a")
    assert template_hash(before, "b") == template_hash(after, "b")
    assert template_hash(before, "headgroup") == template_hash(after, "headgroup")


# Services, storage, secrets.


def test_the_service_has_the_ports_of_the_head() -> None:
    def ports(asked: Json) -> dict[str, int]:
        return {one["name"]: one["port"] for one in head_service(asked)["spec"]["ports"]}

    assert ports(cluster()) == {
        "client": 10001,
        "dashboard": 8265,
        "gcs-server": 6379,
        "metrics": 8080,
        "serve": 8000,
    }
    own = template()
    own["spec"]["containers"][0]["ports"] = [
        {"name": "gcs-server", "containerPort": 7000},
        {"containerPort": 9},
    ]
    asked = cluster(headGroupSpec={"template": own})
    assert ports(asked) == {"gcs-server": 7000, "9-port": 9, "metrics": 8080}
    assert options(head_pod(asked))["port"] == "7000"


def test_the_service_is_headless_unless_somebody_wants_another_kind() -> None:
    assert head_service(cluster())["spec"]["clusterIP"] == "None"
    wanted = cluster(headGroupSpec={"template": template(), "serviceType": "NodePort"})
    spec = head_service(wanted)["spec"]
    assert (spec["type"], "clusterIP" in spec) == ("NodePort", False)


def test_a_service_of_ones_own_is_completed() -> None:
    own = {
        "metadata": {"name": "mine", "labels": {"a": "b"}, "annotations": {"c": "d"}},
        "spec": {"ports": [{"name": "extra", "port": 1}], "selector": {"wrong": "one"}},
    }
    asked = cluster(
        group("cpu"),
        headGroupSpec={"template": template(), "headService": own},
        headServiceAnnotations={"e": "f"},
    )

    found = head_service(asked)

    assert found["metadata"]["name"] == "mine"
    assert found["metadata"]["labels"]["a"] == "b"
    assert found["metadata"]["annotations"] == {"c": "d", "e": "f"}
    assert {"extra", "gcs-server"} <= {one["name"] for one in found["spec"]["ports"]}
    assert "wrong" not in found["spec"]["selector"]
    assert options(worker_pod(asked, "cpu", _ONE))["address"].startswith("mine.ml.svc.")


def test_gcs_in_redis_gets_its_password_from_the_secret_only() -> None:
    secret = {"secretKeyRef": {"name": "redis", "key": "password"}}
    asked = cluster(
        group("cpu"),
        gcsFaultToleranceOptions={
            "redisAddress": "redis:6379",
            "redisPassword": {"valueFrom": secret},
        },
    )

    head, worker = head_pod(asked), worker_pod(asked, "cpu", _ONE)

    assert variables(head)["RAY_REDIS_ADDRESS"] == "redis:6379"
    assert variables(head)["RAY_external_storage_namespace"] == "6f1c"
    assert {"name": "REDIS_PASSWORD", "valueFrom": secret} in container(head)["env"]
    assert "--redis-password=$REDIS_PASSWORD" in container(head)["args"][0]
    assert head["metadata"]["annotations"]["ray.io/ft-enabled"] == "true"
    assert variables(worker)["RAY_gcs_rpc_server_reconnect_timeout_s"] == "600"
    assert "REDIS_PASSWORD" not in variables(worker)


def test_a_token_is_in_a_secret_and_reaches_all_that_speak_with_ray() -> None:
    asked = cluster(group("cpu"), authOptions={"mode": "token"})

    pod = worker_pod(asked, "cpu", _ONE)

    secret = token_secret(asked, "t0k3n")
    assert secret is not None and secret["stringData"] == {"auth_token": "t0k3n"}
    for one in (container(pod), container(head_pod(asked)), pod["spec"]["initContainers"][0]):
        assert {
            "name": "RAY_AUTH_TOKEN",
            "valueFrom": {
                "secretKeyRef": {"name": secret["metadata"]["name"], "key": "auth_token"}
            },
        } in one["env"]
    assert token_secret(cluster(), "t") is None
    named = cluster(authOptions={"mode": "token", "secretName": "mine"})
    assert token_secret(named, "t") is None


def test_ray_does_not_run_without_the_tls_that_was_asked_for() -> None:
    asked = cluster(group("cpu"), tlsOptions={"enabled": True})

    for pod, secret in (
        (head_pod(asked), "ray-head-secret-demo"),
        (worker_pod(asked, "cpu", _ONE), "ray-worker-secret-demo"),
    ):
        assert variables(pod)["RAY_USE_TLS"] == "1"
        assert {"name": "ray-tls", "secret": {"secretName": secret}} in pod["spec"]["volumes"]
        assert "ray-tls" in {one["name"] for one in container(pod)["volumeMounts"]}


# The API server.


@pytest.mark.kubernetes
def test_the_api_server_takes_everything(world: World) -> None:
    asked = world.create(
        group("cpu", labels={"zone": "a"}, resources={"CPU": "1", "rack": "2"}),
        group("tpu", numOfHosts=2),
        gcsFaultToleranceOptions={"backend": "rocksdb", "storage": {"size": "2Gi"}},
        authOptions={"mode": "token"},
        tlsOptions={"enabled": True},
    )
    pods = [head_pod(asked)]
    for one in asked["spec"]["workerGroupSpecs"]:
        pods += [
            worker_pod(asked, one["groupName"], worker) for worker in workers_of(asked, one, "r", 2)
        ]
    others = {
        "services": [head_service(asked), workers_service(asked)],
        "persistentvolumeclaims": [volume_claim(asked)],
        "secrets": [token_secret(asked, "token")],
    }

    for pod in pods:
        made = world.admin.create(world.pods_path, pod)
        assert variables(made) == variables(pod)
        assert container(made)["args"] == container(pod)["args"]
    for plural, things in others.items():
        for thing in things:
            assert thing is not None
            world.admin.create(f"/api/v1/namespaces/{world.namespace}/{plural}", thing)
