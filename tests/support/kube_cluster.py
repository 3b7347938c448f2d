"""A whole Kubernetes cluster for tests: a real API server, and one machine that runs pods."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.session import KubeSession
from raytui.config.locations import packaged
from tests.kubernetes.control_plane import ControlPlane, control_plane
from tests.kubernetes.waiting import until
from tests.support.kube_machine.deployments import deployments
from tests.support.kube_machine.machine import Machine, machine

Json = dict[str, Any]
_names = itertools.count()


@dataclass(frozen=True)
class KubeCluster:
    """The cluster as its administrator has it."""

    plane: ControlPlane
    admin: KubeSession
    machine: Machine

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.plane.folder / "admin.yaml"

    def new_namespace(self) -> str:
        """A namespace with a name that was none yet."""
        name = f"room-{next(_names)}"
        self.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def clusters(self, namespace: str) -> str:
        """The path of a namespace's RayClusters."""
        return f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters"

    def pods(self, namespace: str, **labels: str) -> list[Json]:
        """The pods of a namespace with these values of KubeRay's labels (`node_type="worker"`)."""
        wanted = ",".join(
            f"ray.io/{key.replace('_', '-')}={value}" for key, value in labels.items()
        )
        query = {"labelSelector": wanted} if wanted else {}
        return self.admin.items(f"/api/v1/namespaces/{namespace}/pods", **query)

    def until_pods(
        self,
        namespace: str,
        condition: Callable[[list[Json]], object],
        what: str,
        within_s: float = 90.0,
        **labels: str,
    ) -> list[Json]:
        """Until the pods are so; gives them. A failure tells how they are, and their last lines."""

        def one() -> list[Json] | None:
            found = self.pods(namespace, **labels)
            return [*found, {}] if condition(found) else None

        try:
            return until(one, what, within_s)[:-1]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.told(namespace)}") from None

    def told(self, namespace: str) -> str:
        """How the pods of a namespace are, for whom a test has failed."""
        lines = []
        for pod in self.pods(namespace):
            name, status = pod["metadata"]["name"], pod.get("status", {})
            states = [row["state"] for row in status.get("containerStatuses") or ()]
            lines.append(f"--- {name}: {status.get('phase')} {states}")
            lines += self.machine.log(namespace, name).splitlines()[-25:]
        return "\n".join(lines)


@contextmanager
def kube_cluster(folder: Path) -> Iterator[KubeCluster]:
    """A cluster as long as the context lasts, RayCluster defined."""
    with ExitStack() as stack:
        plane = stack.enter_context(control_plane(folder))
        admin = KubeSession(Access(kubeconfig=str(folder / "admin.yaml")))
        crd = packaged("charts") / "raytui-operator" / "crds" / "ray.io_rayclusters.yaml"
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        admin.create(definitions, yaml.safe_load(crd.read_text()))
        until(lambda: admin.get("/apis/ray.io/v1"), "the RayCluster resource is served", 60)
        stack.enter_context(deployments(admin))
        running = stack.enter_context(machine(admin, plane.url, plane.certificate))
        yield KubeCluster(plane, admin, running)


def is_ready(pod: Json) -> bool:
    """Whether a pod says that it is."""
    rows = pod.get("status", {}).get("conditions") or ()
    return any(row["type"] == "Ready" and row["status"] == "True" for row in rows)
