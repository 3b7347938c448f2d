"""Bring a RayCluster up on Kubernetes, and take it down: others make its pods, we wait and tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from raytui.backends.base import ProviderError, TransientError
from raytui.backends.kubernetes import pods
from raytui.backends.kubernetes import raycluster as cluster_api
from raytui.backends.kubernetes.apply import applied
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.marks import APP, DAEMON_OF, OPERATOR
from raytui.backends.kubernetes.named import access_of, address_of
from raytui.backends.kubernetes.pods import Pod
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.launcher.options import DownOptions, UpOptions
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, StepSink
from raytui.model.text import count_text, first_line
from raytui.provisioning.progress import Progress, step

_LOOK_EVERY_S = 1.0
_HEEDED_WITHIN_S = 20.0
"""How long a controller may take to begin with a new RayCluster."""
_RUNS_WITHIN_S = 900.0
"""How long nodes may take: machines are bought and images pulled."""
_GONE_WITHIN_S = 300.0
_NOBODY = (
    "nobody makes pods of RayClusters here: install KubeRay's operator, or raytui's own "
    "(helm install raytui-operator charts/raytui-operator)"
)
_OPERATORS = f"{APP} in (kuberay-operator,{OPERATOR})"


class Patience(Struct, frozen=True):
    """How many seconds each stage may take."""

    heeded_s: float = _HEEDED_WITHIN_S
    runs_s: float = _RUNS_WITHIN_S
    gone_s: float = _GONE_WITHIN_S


def is_there(spec: ClusterSpec) -> bool:
    """Whether the RayCluster exists; raises ProviderError."""
    return _Cluster(spec).read() is not None


def up_on_kubernetes(
    spec: ClusterSpec,
    on_step: StepSink,
    options: UpOptions,
    patience: Patience | None = None,
) -> None:
    """Apply the RayCluster of a manifest and wait until its head and first workers run.

    One that was named by its address is only waited for. Raises LaunchError.
    """
    patience = patience or Patience()
    if options.rays_autoscaler:
        raise LaunchError("say spec.enableInTreeAutoscaling: true in the manifest instead")
    cluster = _Cluster(spec)
    try:
        with step(on_step, "apply the RayCluster") as progress:
            if Path(spec.source).is_absolute():  # of a file; others were read from the server
                progress.say(cluster.apply())
            else:
                progress.skip("it is there already")
        if spec.provider.options["resource"]["spec"].get("suspend"):
            raise LaunchError(f"{spec.cluster_name} is suspended: set spec.suspend to false")
        with step(on_step, "find who makes its pods") as progress:
            cluster.wait_to_be_heeded(progress, patience.heeded_s)
        with step(on_step, "wait for the head", "head") as progress:
            _wait(cluster.head_runs, progress, patience.runs_s)
        with step(on_step, "wait for the first workers") as progress:
            _wait(cluster.workers_run, progress, patience.runs_s)
    except ProviderError as error:
        raise LaunchError(f"{spec.cluster_name} is not up: {error}", error.detail) from error


def down_on_kubernetes(
    spec: ClusterSpec,
    on_step: StepSink,
    options: DownOptions,
    patience: Patience | None = None,
) -> None:
    """Delete the RayCluster and wait until its pods are gone; raises LaunchError."""
    patience = patience or Patience()
    name = spec.cluster_name
    if options.workers_only or options.keep_min_workers:
        raise LaunchError(
            f"on Kubernetes a cluster goes as a whole; for fewer workers: raytui k8s scale {name}"
        )
    cluster = _Cluster(spec)
    try:
        with step(on_step, "delete the RayCluster") as progress:
            if not cluster.delete():
                progress.skip("there is none")
        with step(on_step, "wait until its pods are gone") as progress:
            _wait(cluster.is_gone, progress, patience.gone_s)
    except ProviderError as error:
        raise LaunchError(f"{name} is not down: {error}", error.detail) from error


class _Cluster:
    """One RayCluster and its pods, read anew by each question."""

    def __init__(self, spec: ClusterSpec) -> None:
        access = access_of(spec)
        self._spec = spec
        self._session = KubeSession(access)
        self._namespace = access.namespace
        self._path = cluster_api.path_of(access.namespace, spec.cluster_name)

    def read(self) -> Json | None:
        try:
            return self._session.get(self._path)
        except NotFoundError:
            return None

    def apply(self) -> str:
        resource = self._spec.provider.options["resource"]
        autoscaled = bool(resource["spec"].get("enableInTreeAutoscaling"))
        daemons = f"{DAEMON_OF}={self._spec.cluster_name}"
        is_driven = autoscaled or bool(self._listed(daemons))
        return applied(self._session, self._namespace, resource, is_autoscaled=is_driven)

    def delete(self) -> bool:
        try:
            self._session.delete(self._path)
        except NotFoundError:
            return False
        return True

    def wait_to_be_heeded(self, progress: Progress, within_s: float) -> None:
        """Until pods come or the resource has a status; raises LaunchError when nobody is there."""
        if not self._has_operator():
            progress.say("none is seen; is one about to come?")
        try:
            _wait(self._is_heeded, progress, within_s)
        except TransientError as error:
            raise LaunchError(
                f"{self._spec.cluster_name} waits: {_NOBODY}. It stays there "
                f"({address_of(self._spec)}); raytui up goes on when there is one"
            ) from error

    def head_runs(self) -> tuple[bool, str]:
        heads = [pod for pod in self._pods() if pod.is_head and pod.is_there]
        running = [pod.name for pod in heads if _runs(pod)]
        return bool(running), "".join(running[:1]) or _told(heads) or "it has no pod yet"

    def workers_run(self) -> tuple[bool, str]:
        found = cluster_api.read(self._session.get(self._path))
        wanted = sum(group.wanted for group in found.groups.values() if not group.is_suspended)
        workers = [pod for pod in self._pods() if not pod.is_head and pod.is_there]
        running = sum(map(_runs, workers))
        told = found.failure or _told(workers)
        return running >= wanted, f"{running} of {count_text(wanted, 'worker')} {told}".strip()

    def is_gone(self) -> tuple[bool, str]:
        left = self._pods()
        resource = self.read()
        if not left and resource is not None:
            keepers = ", ".join(resource["metadata"].get("finalizers") or ()) or "nobody"
            return False, f"the RayCluster is kept by {keepers}"
        words = f"{count_text(len(left), 'pod')} still there: {', '.join(p.name for p in left[:3])}"
        return not left and resource is None, words if left else ""

    def _is_heeded(self) -> tuple[bool, str]:
        resource = self.read() or {}
        meta = resource.get("metadata") or {}
        is_heeded = resource.get("status") or meta.get("finalizers") or self._pods()
        return bool(is_heeded), ""

    def _has_operator(self) -> bool:
        """Whether one is seen; who may not look everywhere does not know."""
        try:
            return bool(self._session.items("/api/v1/pods", labelSelector=_OPERATORS))
        except ProviderError:
            return True

    def _pods(self) -> list[Pod]:
        return [pods.pod_of(one) for one in self._listed(pods.selector_of(self._spec.cluster_name))]

    def _listed(self, selector: str) -> list[Json]:
        return self._session.items(pods.path_of(self._namespace), labelSelector=selector)


def _runs(pod: Pod) -> bool:
    return pod.is_ready or bool(pod.instance.ray_started_at)


def _told(found: Sequence[Pod]) -> str:
    """What the first of them that does not run waits for."""
    waits = (pod for pod in found if not _runs(pod))
    return next(
        (f"{pod.name}: {first_line(pod.instance.detail) or 'is starting'}" for pod in waits), ""
    )


def _wait(look: Callable[[], tuple[bool, str]], progress: Progress, within_s: float) -> None:
    """Look until it is so, telling how far it is; raises TransientError when it takes too long."""
    until = time.monotonic() + within_s
    while True:
        is_so, words = look()
        if words:
            progress.say(words)
        if is_so:
            return
        if time.monotonic() > until:
            raise TransientError(words or f"not within {within_s:.0f} s")
        time.sleep(_LOOK_EVERY_S)
