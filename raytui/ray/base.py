"""The door to a running Ray cluster: what can be read from it and told to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from raytui.model.command import Impact
from raytui.model.plan import LaunchFailure, Outcome
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec
from raytui.model.state import Constraint, Demand, Gang, Instance, Node, Notice


class RayError(Exception):
    """Ray could not be asked; `str()` is one clear sentence."""


class RayView(Struct, frozen=True):
    """ClusterResourceState in our words. Dead nodes are left out."""

    version: int
    nodes: tuple[Node, ...] = ()
    demands: tuple[Demand, ...] = ()
    gangs: tuple[Gang, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    session: str = ""
    """Ray's session name; changes when the head was started anew."""
    notices: tuple[Notice, ...] = ()
    """Of machines that will or may be taken back; a machine may have several."""
    capped: bool = False
    """It tells of as many shapes as a node tells at most: there may be more."""


class AutoscalerReport(Struct, frozen=True):
    """What Ray's own `ray status`, dashboard and libraries are told about the autoscaler."""

    seen_version: int
    starting: tuple[Instance, ...] = ()
    """Instances that are queued, requested, allocated or set up."""
    failures: tuple[LaunchFailure, ...] = ()
    infeasible: tuple[Outcome, ...] = ()


class DrainAnswer(Struct, frozen=True):
    """Whether Ray accepts to drain a node, and its words if it does not."""

    accepted: bool
    message: str = ""


class RayCluster(Protocol):
    """A running Ray cluster. Every call has a timeout and raises RayError when Ray is away."""

    @property
    def gcs_address(self) -> str:
        """`ip:port` of GCS."""
        ...

    def observe(self) -> RayView:
        """Nodes and demand now (about 1 ms)."""
        ...

    def report(self, report: AutoscalerReport) -> None:
        """Tell Ray what the autoscaler does."""
        ...

    def take_over(self, spec: ClusterSpec) -> None:
        """Switch the head to autoscaler v2 state and tell Ray the limits of the node types.

        Raises RayError when Ray's own monitor scales this cluster.
        """
        ...

    def drain(self, node_id: str, *, idle_only: bool, message: str, deadline: float) -> DrainAnswer:
        """Ask a node to take no new work and to leave when its work is done.

        `idle_only`: Ray refuses when the node is busy. `deadline` (unix s) is not enforced by Ray.
        """
        ...

    def request_resources(self, bundles: Sequence[tuple[Resources, int]]) -> None:
        """Replace the cluster's resource constraint; empty takes it away."""
        ...

    def impact(self, node_ids: Sequence[str]) -> dict[str, Impact]:
        """What runs on the given nodes, by node id; best effort, never raises."""
        ...

    def announce_metrics(self, address: str) -> None:
        """Have Ray list `host:port` for Prometheus, as it does its own autoscaler's metrics."""
        ...

    def dashboard_url(self) -> str:
        """`http://host:port` of the dashboard, or empty when there is none."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
