"""One container of a pod: started, probed, started again after a pause when it ends."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.session import KubeSession
from tests.support.kube_machine.network import PodNetwork
from tests.support.kube_machine.pod_spec import (
    ContainerConfigError,
    command_of,
    environment,
    mounts_of,
)
from tests.support.kube_machine.process import (
    ContainerProcess,
    Mount,
    Start,
    program_in_path,
)

Json = dict[str, Any]

MISSING_IMAGE = "registry.example/missing:1"
"""An image that is not there: `ErrImagePull`, then `ImagePullBackOff`."""
NEVER_READY_IMAGE = "registry.example/never-ready:1"
"""A container that runs and is never ready."""

_BACK_OFF_S = 1.0
_LONGEST_BACK_OFF_S = 8.0
_LONGEST_DELAY_S = 1.0
"""What a probe says of delays and periods is kept only up to this: time is dear in tests."""


class Container:
    """A container as a pod's thread drives it; states are Kubernetes' own."""

    def __init__(
        self,
        session: KubeSession,
        pod: Json,
        spec: Json,
        *,
        network: PodNetwork,
        gateway: str,
        folder: Path,
        mounts: Sequence[Mount],
        volumes: Mapping[str, Path],
        env: Mapping[str, str],
        policy: str,
    ) -> None:
        self._session = session
        self._pod = pod
        self._spec = spec
        self.network = network
        self._gateway = gateway
        self._folder = folder
        self._mounts = mounts
        self._volumes = volumes
        self._env = env
        self._policy = policy
        self.name: str = spec["name"]
        self._lives = itertools.count()
        self._life = -1
        self._process: ContainerProcess | None = None
        self._last: Json = {}
        self._state: Json = {"waiting": {"reason": "ContainerCreating"}}
        self._next_try = 0.0
        self._probe_at = 0.0
        self._probing: threading.Thread | None = None
        self.ready = False
        self.exit_code: int | None = None
        """Of the last life; None while one goes on."""
        folder.mkdir(parents=True)

    def log(self, *, previous: bool = False) -> Path | None:
        """The file with the lines of this life, or of the one before; each begins with its time."""
        life = self._life - (1 if previous and self.is_running() else 0)
        return self._folder / f"{life}.log" if life >= 0 else None

    @property
    def process(self) -> ContainerProcess | None:
        """What runs, if it does."""
        return self._process if self.is_running() else None

    def is_running(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.exit_code is None

    def has_started(self) -> bool:
        """Whether it ever has."""
        return self._life >= 0

    def is_final(self) -> bool:
        """Whether it has ended and is not started again."""
        return self.exit_code is not None and not self._is_repeated()

    def has_failed(self) -> bool:
        """Whether it has ended for good, and badly."""
        return self.is_final() and self.exit_code != 0

    def signal(self, number: signal.Signals) -> None:
        """Send its first process a signal."""
        if self._process:
            self._process.signal(number)

    def kill(self) -> None:
        """End it at once."""
        if self._process:
            self._process.kill()
            self._look()

    def go_on(self) -> None:
        """Start it when it is time to, see whether it has ended, ask whether it is ready."""
        if self._spec["image"] == MISSING_IMAGE:
            self._miss_image()
        elif self.is_running():
            self._ask_whether_ready()
        elif self._process:
            self._look()
            self._go_back()
        if (not self._process and self.exit_code is None) or self._is_due():
            self._begin()

    def status(self) -> Json:
        """As it stands in a pod's status."""
        return {
            "name": self.name,
            "image": self._spec["image"],
            "imageID": "",
            "ready": self.ready,
            "started": self.is_running(),
            "restartCount": max(0, self._life),
            "state": self._state,
            **({"lastState": self._last} if self._last else {}),
        }

    # Parts.

    def _begin(self) -> None:
        if self._spec["image"] == MISSING_IMAGE or time.monotonic() < self._next_try:
            return
        try:
            start = self._start()
        except (ContainerConfigError, ProviderError) as error:
            self._wait("CreateContainerConfigError", str(error))
            self._next_try = time.monotonic() + _BACK_OFF_S
            return
        if not program_in_path(start.command):
            self._wait(
                "RunContainerError",
                f'exec: "{start.command[0]}": executable file not found in $PATH: unknown',
            )
            self._next_try = time.monotonic() + _BACK_OFF_S
            return
        self._life = next(self._lives)
        self.exit_code = None
        self._process = ContainerProcess(self.network, start)
        self._state = {"running": {"startedAt": _text(self._process.started_at)}}
        delay = min(_LONGEST_DELAY_S, self._probe().get("initialDelaySeconds", 0))
        self._probe_at = time.monotonic() + delay

    def _start(self) -> Start:
        host = self._gateway
        env = {
            **self._env,
            **environment(self._session, self._pod, self._spec, self.network.address, host),
        }
        life = self._life + 1
        security = self._spec.get("securityContext") or {}
        return Start(
            command=command_of(self._spec, env),
            env=env,
            hostname=self._pod["metadata"]["name"][:63],
            folder=self._folder / f"{life}",
            log=self._folder / f"{life}.log",
            mounts=[*self._mounts, *mounts_of(self._spec, self._volumes)],
            working_dir=self._spec.get("workingDir") or "/",
            read_only=bool(security.get("readOnlyRootFilesystem")),
        )

    def _look(self) -> None:
        """Take in how it ended."""
        if not self._process or (code := self._process.exit_code) is None:
            return
        self.exit_code, self.ready = code, False
        ended: Json = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": _text(self._process.started_at),
            "finishedAt": _text(datetime.now(UTC)),
        }
        self._state = {"terminated": ended}
        self._process = None

    def _go_back(self) -> None:
        if not self._is_repeated():
            return
        pause = min(_LONGEST_BACK_OFF_S, _BACK_OFF_S * 2 ** min(self._life, 10))
        self._next_try = time.monotonic() + pause
        self._last = self._state
        name = f"{self._pod['metadata']['name']}_{self._pod['metadata']['namespace']}"
        self._wait(
            "CrashLoopBackOff",
            f"back-off {pause:.0f}s restarting failed container={self.name} pod={name}",
        )

    def _is_repeated(self) -> bool:
        return self._policy == "Always" or (self._policy == "OnFailure" and self.exit_code != 0)

    def _is_due(self) -> bool:
        return (
            self._process is None
            and self.exit_code is not None
            and self._is_repeated()
            and time.monotonic() >= self._next_try
        )

    def _miss_image(self) -> None:
        image = self._spec["image"]
        if "waiting" in self._state and self._state["waiting"]["reason"] == "ErrImagePull":
            if time.monotonic() >= self._next_try:
                self._wait("ImagePullBackOff", f'Back-off pulling image "{image}"')
        elif self._state["waiting"]["reason"] == "ContainerCreating":
            self._next_try = time.monotonic() + _BACK_OFF_S
            said = f'failed to pull and unpack image "{image}": not found'
            self._wait("ErrImagePull", f"rpc error: code = NotFound desc = {said}")

    def _wait(self, reason: str, message: str) -> None:
        self._state = {"waiting": {"reason": reason, "message": message}}

    # Readiness.

    def _probe(self) -> Json:
        return self._spec.get("readinessProbe") or {}

    def _ask_whether_ready(self) -> None:
        if self._spec["image"] == NEVER_READY_IMAGE:
            return
        if not self._probe():
            self.ready = True
        elif time.monotonic() >= self._probe_at and not (
            self._probing and self._probing.is_alive()
        ):
            period = min(_LONGEST_DELAY_S, self._probe().get("periodSeconds", 10))
            self._probe_at = time.monotonic() + period
            self._probing = threading.Thread(target=self._ask, daemon=True)
            self._probing.start()

    def _ask(self) -> None:
        process, probe = self.process, self._probe()
        if process:
            timeout = probe.get("timeoutSeconds", 1)
            ports = {p.get("name"): p["containerPort"] for p in self._spec.get("ports") or ()}
            answers = _answers(process, self.network, probe, timeout, ports)
            self.ready = answers and self.is_running()


def _answers(
    process: ContainerProcess,
    network: PodNetwork,
    probe: Json,
    timeout: float,
    ports: Mapping[str, int],
) -> bool:
    try:
        if command := (probe.get("exec") or {}).get("command"):
            argv = process.exec_argv(command)
            done = subprocess.run(argv, env=process.env, capture_output=True, timeout=timeout)
            return done.returncode == 0
        if get := probe.get("httpGet"):
            port = ports.get(get["port"], get["port"])
            url = f"http://{network.address}:{port}{get.get('path', '/')}"
            with urllib.request.urlopen(url, timeout=timeout) as reply:
                return 200 <= reply.status < 400
        port = probe["tcpSocket"]["port"]
        socket.create_connection((network.address, ports.get(port, port)), timeout).close()
        return True
    except (OSError, subprocess.TimeoutExpired, urllib.error.URLError):
        return False


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
