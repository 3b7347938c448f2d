"""One pod on the machine, from its first container to its end, told to the API server."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.session import KubeSession
from tests.support.kube_machine.container import Container
from tests.support.kube_machine.network import Network, PodNetwork
from tests.support.kube_machine.pod_spec import volumes_of
from tests.support.kube_machine.process import Mount

Json = dict[str, Any]

_TICK_S = 0.05
_LONGEST_GRACE_S = 8.0
"""A pod's own grace period is kept only up to this: time is dear in tests."""


class PodRun:
    """A pod that is bound to this machine, in a thread of its own."""

    def __init__(
        self,
        session: KubeSession,
        network: Network,
        pod: Json,
        *,
        account: Path | None,
        env: Mapping[str, str],
    ) -> None:
        """`account` is the folder of the service account's token; `env` is told to all pods."""
        self._session = session
        self._net = network
        self._account = account
        self._env = env
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self.folder = network.folder / self.uid
        self.hosts = self.folder / "hosts"
        self.network: PodNetwork | None = None
        self._containers: list[Container] = []
        self._inits: list[Container] = []
        self._started = _now()
        self._told: Json = {}
        self._since: dict[str, tuple[str, str]] = {}
        self._ending: float | None = None
        self._verdict: Json = {}
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pod {self.name}", daemon=True)

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.pod["metadata"]["name"])

    @property
    def path(self) -> str:
        """Where the API server has it."""
        return f"/api/v1/namespaces/{self.pod['metadata']['namespace']}/pods/{self.name}"

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def is_over(self) -> bool:
        """Whether everything of it is gone from this machine."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(timeout=20)

    def end(self, grace_s: float) -> None:
        """It is to be deleted: its containers may end by themselves for a while."""
        until = time.monotonic() + min(grace_s, _LONGEST_GRACE_S)
        self._ending = until if self._ending is None else min(self._ending, until)

    def fail(self, reason: str, message: str) -> None:
        """End its containers now; the pod stays, as failed."""
        self._verdict = {"phase": "Failed", "reason": reason, "message": message}

    def lose(self) -> None:
        """The machine under it is gone: nothing runs, nobody tells, nobody confirms its end."""
        self._lost.set()

    def container(self, name: str) -> Container | None:
        """A container by its name; empty: the first."""
        known = {container.name: container for container in (*self._inits, *self._containers)}
        return next(iter(self._containers), None) if not name else known.get(name)

    def _run(self) -> None:
        try:
            self.network = self._net.attach()
            self._prepare()
            self._work()
        finally:
            for container in (*self._inits, *self._containers):
                container.kill()
            if self.network:
                self._net.detach(self.network)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _prepare(self) -> None:
        assert self.network
        spec, address = self.pod["spec"], self.network.address
        self.hosts.parent.mkdir(parents=True, exist_ok=True)
        self.hosts.write_text(f"127.0.0.1 localhost\n{address} {self.name}\n")
        resolver = self.folder / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        mounts = [Mount(self.hosts, "/etc/hosts"), Mount(resolver, "/etc/resolv.conf", "ro")]
        if self._account:
            target = "/var/run/secrets/kubernetes.io/serviceaccount"
            mounts.append(Mount(self._account, target, "ro"))
        volumes = volumes_of(self._session, self.pod, self.folder / "volumes", self._account)

        def made(container: Json, policy: str) -> Container:
            return Container(
                self._session,
                self.pod,
                container,
                network=self.network,
                gateway=self._net.gateway,
                folder=self.folder / "containers" / container["name"],
                mounts=mounts,
                volumes=volumes,
                env=self._env,
                policy=policy,
            )

        policy = spec.get("restartPolicy", "Always")
        again = "Never" if policy == "Never" else "OnFailure"
        self._inits = [made(one, again) for one in spec.get("initContainers") or ()]
        self._containers = [made(one, policy) for one in spec["containers"]]

    def _work(self) -> None:
        """Until it is deleted or the machine is lost."""
        while not self._lost.is_set():
            if self._ending is not None:
                self._finish()
                return
            if self._verdict:
                for container in (*self._inits, *self._containers):
                    container.kill()
            else:
                self._go_on()
            self._tell()
            time.sleep(_TICK_S)
        for container in (*self._inits, *self._containers):
            container.kill()
        lost = {"phase": "Running", "reason": "NodeLost"}
        lost["message"] = "Node which was running pod is unresponsive"
        self._verdict = lost
        self._tell()
        while self._ending is None:
            time.sleep(_TICK_S)

    def _go_on(self) -> None:
        for init in self._inits:
            init.go_on()
            if init.exit_code != 0:
                return
        for container in self._containers:
            container.go_on()

    def _finish(self) -> None:
        assert self._ending is not None
        running = [one for one in (*self._inits, *self._containers) if one.is_running()]
        for container in running:
            container.signal(signal.SIGTERM)
        while time.monotonic() < self._ending and any(one.is_running() for one in running):
            time.sleep(_TICK_S)
        for container in (*self._inits, *self._containers):
            container.kill()
        if not self._lost.is_set():
            with suppress(ProviderError):
                self._session.delete(self.path, gracePeriodSeconds=0)

    def _tell(self) -> None:
        """Write the status, if it is another."""
        status = self._status()
        if status == self._told:
            return
        try:
            self._session.patch(
                f"{self.path}/status",
                [
                    {"op": "test", "path": "/metadata/uid", "value": self.uid},
                    {"op": "add", "path": "/status", "value": status},
                ],
            )
            self._told = status
        except NotFoundError:
            self.end(0)
        except ProviderError:
            return  # told in the next round

    def _status(self) -> Json:
        assert self.network
        is_up = all(one.ready for one in self._containers) and not self._verdict
        is_initialized = all(one.exit_code == 0 for one in self._inits)
        return {
            "phase": self._phase(),
            "conditions": [
                self._condition("Initialized", is_initialized, "ContainersNotInitialized"),
                self._condition("Ready", is_up, "ContainersNotReady"),
                self._condition("ContainersReady", is_up, "ContainersNotReady"),
                self._condition("PodScheduled", True),
            ],
            "hostIP": self._net.gateway,
            "podIP": self.network.address,
            "podIPs": [{"ip": self.network.address}],
            "startTime": self._started,
            "qosClass": "Burstable",
            **(
                {"initContainerStatuses": [one.status() for one in self._inits]}
                if self._inits
                else {}
            ),
            "containerStatuses": [one.status() for one in self._containers],
            **self._verdict,
        }

    def _phase(self) -> str:
        codes = [one.exit_code for one in self._containers]
        if any(one.has_failed() for one in self._inits):
            return "Failed"
        if all(one.is_final() for one in self._containers):
            return "Failed" if any(codes) else "Succeeded"
        return "Running" if any(one.has_started() for one in self._containers) else "Pending"

    def _condition(self, kind: str, holds: bool, reason: str = "") -> Json:
        value = "True" if holds else "False"
        if self._since.get(kind, ("", ""))[0] != value:
            self._since[kind] = (value, _now())
        made: Json = {"type": kind, "status": value, "lastProbeTime": None}
        made["lastTransitionTime"] = self._since[kind][1]
        return made if holds else {**made, "reason": reason}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
