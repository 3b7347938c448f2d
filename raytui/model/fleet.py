"""Many clusters at once, as a list shows them: a line for each, and how well they are seen."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from raytui.model.resources import Resources


class FleetState(StrEnum):
    """How a cluster is, in one word."""

    READY = "ready"
    STARTING = "starting"
    SUSPENDED = "suspended"
    FAILED = "failed"
    LEAVING = "deleting"
    """Its resource is being deleted, and what it has made goes."""


class ScaledBy(StrEnum):
    """Who decides how many nodes a cluster has."""

    OPERATOR = "raytui operator"
    DAEMON = "raytui daemon"
    RAY = "KubeRay"
    """Ray's own autoscaler, which KubeRay runs beside the head."""
    NOBODY = "nobody"
    """It has the nodes that its resource says."""


class FleetRow(Struct, frozen=True, omit_defaults=True):
    """One cluster of a list."""

    namespace: str
    name: str
    state: FleetState = FleetState.STARTING
    running: int = 0
    """Nodes that run, the head too."""
    desired: int = 0
    total: Resources = Resources()
    """What the running nodes have."""
    demand: int | None = None
    """Tasks, actors and placement groups that wait; None: nobody tells."""
    cost_per_hour: float | None = None
    """USD; None: no prices are known."""
    created_at: float = 0.0
    """Unix seconds."""
    scaled_by: ScaledBy = ScaledBy.NOBODY
    trouble: str = ""
    """What is wrong, in Kubernetes' own words; empty when all is well."""

    @property
    def key(self) -> str:
        """Tells it apart in one Kubernetes cluster: `NAMESPACE/NAME`."""
        return f"{self.namespace}/{self.name}"


class Fleet(Struct, frozen=True, omit_defaults=True):
    """All clusters that are seen at one moment."""

    context: str
    """What of the kubeconfig is looked at; empty: this pod's own cluster."""
    namespace: str
    """The only one that is looked at; empty: all."""
    rows: tuple[FleetRow, ...] = ()
    is_complete: bool = False
    """Whether everything was read once; until then rows are those that have come so far."""
    troubles: tuple[str, ...] = ()
    """What cannot be seen now and why, each in one sentence; rows are the last that were seen."""
