"""The machine that runs pods for real: what other tests stand on."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.session import KubeSession
from tests.kubernetes.waiting import until
from tests.support.kube_machine.container import MISSING_IMAGE, NEVER_READY_IMAGE
from tests.support.kube_machine.machine import Machine

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

Json = dict[str, Any]


class Pods:
    """Pods of the test's namespace."""

    def __init__(self, session: KubeSession, namespace: str) -> None:
        self.session = session
        self.namespace = namespace
        self.path = f"/api/v1/namespaces/{namespace}/pods"

    def create(self, name: str, *command: str, labels: Json | None = None, **spec: Any) -> None:
        """A pod with one container, whose fields are `container`."""
        container = {"name": "main", "image": "any", "command": list(command)}
        container |= spec.pop("container", {})
        meta = {"name": name, "labels": labels or {}}
        body = {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}
        self.session.create(
            self.path, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": body}
        )

    def status(self, name: str) -> Json:
        """What the machine has told of it."""
        found: Json = self.session.get(f"{self.path}/{name}").get("status", {})
        return found

    def wait(self, name: str, condition: Callable[[Json], object], what: str) -> Json:
        """Until its status is so."""

        def one() -> Json | None:
            status = self.status(name)
            return status if condition(status) else None

        return until(one, what)

    def run(self, name: str, *command: str, **spec: Any) -> Json:
        """Create it and wait until it runs."""
        self.create(name, *command, **spec)
        return self.wait(name, lambda status: status.get("phase") == "Running", "it runs")

    def is_gone(self, name: str) -> bool:
        """Whether the API server has it no more."""
        try:
            self.status(name)
        except NotFoundError:
            return True
        return False


@pytest.fixture
def pods(admin: KubeSession, namespace: str) -> Pods:
    """Pods of this test."""
    return Pods(admin, namespace)


@pytest.fixture
def api(kubeconfig: Path) -> Any:
    """Kubernetes' own client, so that both sides are not ours."""
    from kubernetes import client, config

    return client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))


def _state(status: Json) -> Json:
    rows = status.get("containerStatuses") or [{}]
    found: Json = rows[0].get("state") or {}
    return found


def _restarts(status: Json) -> int:
    rows = status.get("containerStatuses") or [{}]
    return int(rows[0].get("restartCount", 0))


def _reason(status: Json) -> str:
    return str(_state(status).get("waiting", {}).get("reason", ""))


def test_command_in_a_container_gives_its_streams_and_its_exit_code(
    machine: Machine, pods: Pods, api: Any
) -> None:
    from kubernetes.stream import stream

    pods.run("one", "sleep", "1000")
    opened = stream(
        api.connect_get_namespaced_pod_exec,
        "one",
        pods.namespace,
        command=["sh", "-c", "hostname; read word; echo $word >&2; exit 3"],
        stdin=True,
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    opened.write_stdin("back\n")
    opened.run_forever(timeout=10)

    assert opened.read_stdout() == "one\n"
    assert opened.read_stderr() == "back\n"
    assert opened.returncode == 3


def test_terminal_has_the_size_that_it_is_told(machine: Machine, pods: Pods, api: Any) -> None:
    from kubernetes.stream import stream

    pods.run("one", "sleep", "1000")
    opened = stream(
        api.connect_get_namespaced_pod_exec,
        "one",
        pods.namespace,
        command=["sh"],
        stdin=True,
        stdout=True,
        tty=True,
        _preload_content=False,
    )
    opened.write_channel(4, '{"Width": 77, "Height": 33}')
    opened.write_stdin("stty size; tty; exit\n")
    opened.run_forever(timeout=10)

    shown = opened.read_stdout()
    assert "33 77" in shown
    assert "/dev/pts/" in shown


def test_lines_of_a_container_are_kept_for_each_of_its_lives(
    machine: Machine, pods: Pods, api: Any
) -> None:
    life = "echo one; echo two; date +%s%N; sleep 0.2; exit 1"
    pods.create("one", "sh", "-c", life)
    pods.wait("one", lambda s: _restarts(s) >= 1, "it began again")

    def read(**query: Any) -> str:
        return str(api.read_namespaced_pod_log("one", pods.namespace, **query))

    assert read(previous=True).startswith("one\ntwo\n")
    assert read(follow=True).splitlines()[:2] == ["one", "two"]
    assert len(read(tail_lines=1).splitlines()) == 1
    assert read(timestamps=True)[:2] == "20"
    pods.wait("one", lambda s: _reason(s) == "CrashLoopBackOff", "it waits to begin again")


def test_port_that_only_the_pod_may_reach_is_forwarded(
    machine: Machine, pods: Pods, api: Any
) -> None:
    from kubernetes.stream import portforward

    pods.run("one", "python", "-m", "http.server", "--bind", "127.0.0.1", "8000")

    def answer() -> bytes:
        forward = portforward(
            api.connect_get_namespaced_pod_portforward, "one", pods.namespace, ports="8000,8001"
        )
        opened = forward.socket(8000)
        opened.sendall(b"GET / HTTP/1.0\r\n\r\n")
        received = b""
        try:
            while block := opened.recv(4096):
                received += block
        except ConnectionResetError:  # nothing listens there yet
            return b""
        assert not received or "refused" in str(forward.error(8001))
        return received

    assert until(answer, "an answer").startswith(b"HTTP/1.0 200")


def test_pods_have_addresses_names_and_files_of_their_own(
    machine: Machine, pods: Pods, admin: KubeSession, namespace: str
) -> None:
    env = [
        {"name": "MY_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "PAGE", "value": "http://$(MY_IP):8000"},
    ]
    status = pods.run(
        "serves",
        *("python", "-m", "http.server", "8000", "-d", "/data"),
        labels={"app": "page"},
        container={
            "env": env,
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "readinessProbe": {"httpGet": {"port": 8000}, "periodSeconds": 1},
        },
        initContainers=[
            {
                "name": "before",
                "image": "any",
                "command": ["sh", "-c", "echo hello > /data/page; touch /tmp/mine /etc/mine"],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }
        ],
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    service = {"selector": {"app": "page"}, "clusterIP": "None", "ports": [{"port": 8000}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "pages"}, "spec": service}
    admin.create(f"/api/v1/namespaces/{namespace}/services", body)
    pods.run("asks", "sleep", "1000")

    def page() -> str:
        url = f"http://pages.{namespace}.svc:8000/page"
        return machine.exec(namespace, "asks", "wget", "-qO-", url).stdout

    assert until(page, "a page by the service's name") == "hello\n"
    shown = machine.exec(namespace, "serves", "sh", "-c", "echo $PAGE; hostname; ls /tmp /etc")
    assert shown.stdout.startswith(f"http://{status['podIP']}:8000\nserves\n")
    assert "mine" not in shown.stdout
    with urllib.request.urlopen(f"http://{status['podIP']}:8000/page") as reply:
        assert reply.read() == b"hello\n"


def test_pod_asks_the_api_server_with_its_own_account(
    machine: Machine, pods: Pods, admin: KubeSession, namespace: str
) -> None:
    here = f"namespaces/{namespace}"
    meta = {"name": "reader"}
    admin.create(f"/api/v1/{here}/serviceaccounts", {"metadata": meta})
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    rbac = f"/apis/rbac.authorization.k8s.io/v1/{here}"
    admin.create(f"{rbac}/roles", {"metadata": meta, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    binding = {"metadata": meta, "roleRef": role, "subjects": [subject]}
    admin.create(f"{rbac}/rolebindings", binding)
    pods.run("one", "sleep", "1000", serviceAccountName="reader")
    code = (
        "from raytui.backends.kubernetes.session import KubeSession as S\n"
        f"print([p['metadata']['name'] for p in S().items('/api/v1/{here}/pods')])\n"
        f"S().get('/api/v1/{here}/services')\n"
    )

    done = machine.exec(namespace, "one", "python", "-c", code)

    assert done.stdout == "['one']\n"
    assert f"system:serviceaccount:{namespace}:reader" in done.stderr


def test_deleted_pod_may_end_by_itself_and_then_nothing_of_it_is_left(
    machine: Machine, pods: Pods
) -> None:
    pods.run("polite", "bash", "-c", "trap 'exit 0' TERM; (sleep 1000 & wait) & wait")
    pods.run("deaf", "sh", "-c", "sleep 1000")
    run = machine.find(pods.namespace, "deaf")
    assert run

    for name in ("polite", "deaf"):
        pods.session.delete(f"{pods.path}/{name}")

    until(lambda: pods.is_gone("polite") and pods.is_gone("deaf"), "both are gone")
    until(lambda: run.is_over() and not run.folder.exists(), "nothing is left")


def test_pod_that_does_not_fit_says_so_in_the_scheduler_s_words(
    machine: Machine, pods: Pods
) -> None:
    machine.capacity["cpu"] = 2.0
    resources = {"resources": {"requests": {"cpu": "1500m"}}}
    pods.run("first", "sleep", "1000", container=resources)
    pods.create("second", "sleep", "1000", container=resources)

    status = pods.wait("second", lambda s: s.get("conditions"), "it is refused")
    assert status["conditions"][0]["message"] == "0/1 nodes are available: 1 Insufficient cpu."
    pods.session.delete(f"{pods.path}/first")
    pods.wait("second", lambda s: s["phase"] == "Running", "it runs in the other's place")


def test_faults_that_a_test_may_order(machine: Machine, pods: Pods) -> None:
    pods.create("imageless", "sleep", "1000", container={"image": MISSING_IMAGE})
    pods.run("unready", "sleep", "1000", container={"image": NEVER_READY_IMAGE})
    pods.run("evicted", "sleep", "1000")
    pods.run("lost", "sleep", "1000")

    machine.evict(pods.namespace, "evicted")
    machine.lose(pods.namespace, "lost")

    pods.wait("imageless", lambda s: _reason(s) == "ImagePullBackOff", "its image is missing")
    pods.wait("evicted", lambda s: s.get("reason") == "Evicted", "it is evicted")
    pods.wait("lost", lambda s: s.get("reason") == "NodeLost", "it is lost")
    pods.session.delete(f"{pods.path}/lost")
    assert not pods.status("unready")["containerStatuses"][0]["ready"]
    assert not pods.is_gone("lost")
