"""The machine: it takes pods of the API server, runs them, and tells how they are."""

from __future__ import annotations

import itertools
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.errors import AlreadyExistsError
from raytui.backends.kubernetes.session import KubeSession
from tests.support.kube_machine.accounts import Accounts
from tests.support.kube_machine.network import Network, network
from tests.support.kube_machine.node_api import node_api
from tests.support.kube_machine.pod_run import PodRun
from tests.support.kube_machine.pod_spec import requests
from tests.support.kube_machine.services import hosts_lines
from tests.support.kube_machine.to_api_server import NAME, to_api_server

Json = dict[str, Any]

_EVERY_S = 0.15
_numbers = itertools.count()


class Machine:
    """A Node that runs the pods of some namespaces, or of all."""

    def __init__(
        self,
        session: KubeSession,
        network: Network,
        accounts: Accounts,
        *,
        namespaces: Sequence[str] = (),
        capacity: Mapping[str, float],
    ) -> None:
        self.name = f"machine-{next(_numbers)}-{network.bridge}"
        self.capacity = dict(capacity)
        """Resource → amount; what is not here is without end. A test may change it."""
        self.env: dict[str, str] = {}
        """Environment of every container."""
        self._session = session
        self._network = network
        self._accounts = accounts
        self._namespaces = frozenset(namespaces)
        self._runs: dict[str, PodRun] = {}
        self._refused: set[str] = set()
        self._ended = threading.Event()

    def find(self, namespace: str, name: str) -> PodRun | None:
        """A pod that is here."""
        for run in list(self._runs.values()):
            meta = run.pod["metadata"]
            if (meta["namespace"], meta["name"]) == (namespace, name):
                return run
        return None

    def exec(
        self, namespace: str, pod: str, *command: str, container: str = "", timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a container, not through the API server."""
        run = self.find(namespace, pod)
        found = run and run.container(container)
        assert found and found.process, f"{pod} does not run"
        argv = found.process.exec_argv(command)
        return subprocess.run(
            argv, env=found.process.env, capture_output=True, text=True, timeout=timeout
        )

    def log(self, namespace: str, pod: str, container: str = "") -> str:
        """What a container has said so far, each line with its time."""
        run = self.find(namespace, pod)
        found = run and run.container(container)
        log = found and found.log()
        return log.read_text() if log else ""

    def kill(self, namespace: str, pod: str, container: str = "") -> None:
        """A container's first process is killed, and with it all of it; the pod goes on."""
        run = self.find(namespace, pod)
        found = run and run.container(container)
        assert found, f"{pod} is not here"
        found.signal(signal.SIGKILL)

    def evict(self, namespace: str, pod: str) -> None:
        """The machine has no memory left for it."""
        run = self.find(namespace, pod)
        assert run, f"{pod} is not here"
        run.fail("Evicted", "The node was low on resource: memory.")

    def lose(self, namespace: str, pod: str) -> None:
        """What is under it is gone: it stays as it was told last, and does not end."""
        run = self.find(namespace, pod)
        assert run, f"{pod} is not here"
        run.lose()

    @contextmanager
    def working(self) -> Iterator[None]:
        """It takes and runs pods while the block does."""
        with node_api(self.find, self._network.folder) as port:
            self._register(port)
            thread = threading.Thread(target=self._mind, name=self.name, daemon=True)
            thread.start()
            try:
                yield
            finally:
                self._ended.set()
                thread.join(timeout=10)
                self._stop()

    def _register(self, port: int) -> None:
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name}}
        with suppress(AlreadyExistsError):
            self._session.create("/api/v1/nodes", body)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        amounts = {name: str(amount) for name, amount in self.capacity.items()}
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [{**ready, "lastHeartbeatTime": now, "lastTransitionTime": now}],
        }
        patch = [{"op": "add", "path": "/status", "value": status}]
        self._session.patch(f"/api/v1/nodes/{self.name}/status", patch)

    def _mind(self) -> None:
        while not self._ended.wait(_EVERY_S):
            try:
                self._look()
            except ProviderError:
                continue  # the next look sees it

    def _look(self) -> None:
        pods = [p for p in self._session.items("/api/v1/pods") if self._is_for_us(p)]
        there = {pod["metadata"]["uid"] for pod in pods}
        for uid, run in list(self._runs.items()):
            if run.is_over():
                del self._runs[uid]
            elif uid not in there:
                run.end(0)
        for pod in pods:
            self._take(pod)
        self._tell_names(pods)

    def _is_for_us(self, pod: Json) -> bool:
        place = pod["spec"].get("nodeName")
        namespace = pod["metadata"]["namespace"]
        return place == self.name or (
            not place and (not self._namespaces or namespace in self._namespaces)
        )

    def _take(self, pod: Json) -> None:
        meta = pod["metadata"]
        run = self._runs.get(meta["uid"])
        if run and "deletionTimestamp" in meta:
            run.end(float(meta.get("deletionGracePeriodSeconds", 0)))
        elif not run and "deletionTimestamp" in meta:
            if pod["spec"].get("nodeName"):
                path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
                self._session.delete(path, gracePeriodSeconds=0)
        elif not run and pod.get("status", {}).get("phase") in (None, "Pending"):
            if missing := self._missing(pod):
                self._refuse(pod, missing)
            else:
                self._begin(pod)

    def _missing(self, pod: Json) -> list[str]:
        used: dict[str, float] = {}
        for run in self._runs.values():
            for name, amount in requests(run.pod).items():
                used[name] = used.get(name, 0.0) + amount
        return [
            name
            for name, amount in requests(pod).items()
            if name in self.capacity and used.get(name, 0.0) + amount > self.capacity[name]
        ]

    def _begin(self, pod: Json) -> None:
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        account = self._accounts.folder_of(pod)
        if not pod["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Node", "name": self.name}
            binding = {"apiVersion": "v1", "kind": "Binding", "target": target}
            binding["metadata"] = {"name": meta["name"]}
            self._session.create(f"{path}/binding", binding)
            pod["spec"]["nodeName"] = self.name
        in_cluster = {"KUBERNETES_SERVICE_HOST": NAME, "KUBERNETES_SERVICE_PORT": "443"}
        env = {**in_cluster, **self.env}
        run = PodRun(self._session, self._network, pod, account=account, env=env)
        self._runs[meta["uid"]] = run
        self._refused.discard(meta["uid"])
        run.start()

    def _refuse(self, pod: Json, missing: Sequence[str]) -> None:
        """In the scheduler's words, once."""
        meta = pod["metadata"]
        if meta["uid"] in self._refused:
            return
        self._refused.add(meta["uid"])
        counted = ", ".join(f"1 Insufficient {name}" for name in missing)
        said = f"0/1 nodes are available: {counted}."
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        status = {
            "phase": "Pending",
            "qosClass": "Burstable",
            "conditions": [{**condition, "message": said, "lastTransitionTime": now}],
        }
        path = f"/api/v1/namespaces/{meta['namespace']}"
        patch = [{"op": "add", "path": "/status", "value": status}]
        self._session.patch(f"{path}/pods/{meta['name']}/status", patch)
        about = {"kind": "Pod", "apiVersion": "v1", "uid": meta["uid"]}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{meta['name']}."},
            "involvedObject": {**about, "name": meta["name"], "namespace": meta["namespace"]},
            "type": "Warning",
            "reason": "FailedScheduling",
            "message": said,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "default-scheduler"},
        }
        self._session.create(f"{path}/events", event)

    def _tell_names(self, pods: Sequence[Json]) -> None:
        services = self._session.items("/api/v1/services")
        for run in list(self._runs.values()):
            if run.hosts.exists() and run.network:
                own = ["127.0.0.1 localhost", f"{run.network.address} {run.name}"]
                own.append(f"{self._network.gateway} {NAME} kubernetes.default kubernetes")
                namespace = run.pod["metadata"]["namespace"]
                text = "\n".join((*own, *hosts_lines(services, pods, namespace))) + "\n"
                if run.hosts.read_text() != text:
                    run.hosts.write_text(text)  # in place: the file is mounted in the containers

    def _stop(self) -> None:
        runs = list(self._runs.values())
        for run in runs:
            run.end(0)
        for run in runs:
            run.join()
        with suppress(ProviderError):
            self._session.delete(f"/api/v1/nodes/{self.name}")


@contextmanager
def machine(
    session: KubeSession,
    server: str,
    certificate: Path,
    *,
    namespaces: Sequence[str] = (),
    capacity: Mapping[str, float] | None = None,
) -> Iterator[Machine]:
    """A machine of an API server, as long as the context lasts.

    `session` is the administrator's, `server` the API server's port on this machine as a URL, and
    `certificate` the file by which it is trusted.
    """
    with ExitStack() as stack:
        net = stack.enter_context(network())
        stack.enter_context(to_api_server(net.gateway, server))
        accounts = Accounts(session, net.folder / "accounts", certificate)
        made = Machine(
            session, net, accounts, namespaces=namespaces, capacity=capacity or {"cpu": 64.0}
        )
        stack.enter_context(made.working())
        yield made
