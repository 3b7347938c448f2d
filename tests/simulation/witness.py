"""What an outsider sees: the provider's and Ray's truth, the file on disk, orders, the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from raytui.autoscaler.loop.ledger import Ledger
from raytui.backends.base import LaunchRequest
from raytui.model.lifecycle import LEAVING, InstanceStatus
from raytui.model.plan import Decision, Removal
from raytui.model.snapshot import Snapshot
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance
from tests.simulation.clock import Clock
from tests.simulation.cloud import Cloud, Ended, Machine
from tests.simulation.people import Order
from tests.simulation.raycluster import GcsDoor, RayTruth

_ASKED = frozenset({InstanceStatus.QUEUED, InstanceStatus.REQUESTED})


@dataclass
class Decided:
    """A removal as it was found on disk."""

    removal: Removal
    seen_at: float
    """True seconds of the step in which it was found."""


@dataclass
class Witness:
    """Gathers evidence for the invariants; asks the loop nothing but what its screen shows."""

    clock: Clock
    cloud: Cloud
    truth: RayTruth
    gcs: GcsDoor
    disk: Ledger
    """Another connection to the ledger's file: what is committed, and nothing else."""
    spec: ClusterSpec
    snapshot: Snapshot | None = None
    rows: dict[str, Instance] = field(default_factory=dict)
    """Open rows on disk, by instance id."""
    had_row: set[str] = field(default_factory=set)
    """What has had a row as a machine that came, not only as one that was asked for."""
    ran: set[str] = field(default_factory=set)
    """Whose row has been RUNNING: before that nobody can know that work runs there."""
    orders: list[Order] = field(default_factory=list)
    requests: dict[str, tuple[LaunchRequest, int]] = field(default_factory=dict)
    """Launch requests found on disk, each with its decision's number."""
    awaited: frozenset[str] = frozenset()
    """Those of them that have no answer yet."""
    removals: dict[str, list[Decided]] = field(default_factory=dict)
    new_decisions: list[Decision] = field(default_factory=list)
    """Found on disk in this step."""
    allowed: Counter[str] = field(default_factory=Counter)
    """How many nodes of a type (of all: "") there may be though a limit was lowered since."""
    limits_lowered: bool = False
    clock_set: bool = False
    ended: list[Ended] = field(default_factory=list)
    """What terminate calls ended in this step."""
    unheard: dict[str, int] = field(default_factory=dict)
    """Words of failed calls that the daemon got, and for how many good rounds they were missing."""
    refused_writes: int = 0
    """Writes that found the disk full in this step."""
    unheeded: Counter[str] = field(default_factory=Counter)
    """In how many good rounds a node worked on that will be taken back."""
    evidence: list[str] = field(default_factory=list)
    """Violations found at the moment they happened."""
    _newest_decision: int = 0

    def __post_init__(self) -> None:
        self.cloud.on_launched = self._launched
        self.cloud.on_terminate = self._terminating

    # -- at the moment it happens ---------------------------------------------------------------

    def _launched(self, request: LaunchRequest, machines: Sequence[Machine]) -> None:
        if request.is_head:
            return
        self.read_requests()
        known = self.requests.get(request.request_id)
        if known is None:
            self.evidence.append(f"{request.request_id} was launched before it was written down")
        elif len(machines) > known[0].count:
            self.evidence.append(
                f"{request.request_id} has {len(machines)} machines, not {known[0].count}"
            )

    def _terminating(self, machine: Machine) -> None:
        node = self.truth.nodes.get(machine.id)
        self.ended.append(
            Ended(
                machine,
                self.clock.now,
                self.clock.wall(),
                alive=machine.alive,
                node_since=node.booted_at if node is not None else None,
                busy=tuple(work.name for work in node.running) if node is not None else (),
            )
        )

    def read_requests(self) -> None:
        """Note the launch requests on disk that have no answer yet."""
        waiting = self.disk.open_requests()
        self.awaited = frozenset(request.request_id for request, _ in waiting)
        self.requests.update((r.request_id, (r, decision_id)) for r, decision_id in waiting)

    # -- once a step ----------------------------------------------------------------------------

    def look(self, snapshot: Snapshot | None) -> None:
        """Read the disk after a step; `snapshot` is what the screen shows if there was a tick."""
        self.snapshot = snapshot
        self.rows = {instance.instance_id: instance for instance in self.disk.open_instances()}
        self.had_row.update(n for n, row in self.rows.items() if row.status not in _ASKED)
        self.ran.update(n for n, row in self.rows.items() if row.status is InstanceStatus.RUNNING)
        self.read_requests()
        self.new_decisions = self._read_decisions()
        for decision in self.new_decisions:
            for removal in decision.plan.removals:
                decided = Decided(removal, self.clock.now)
                self.removals.setdefault(removal.instance_id, []).append(decided)

    def _read_decisions(self) -> list[Decision]:
        found: list[Decision] = []
        for limit in (2, 100):
            found = [
                d for d in self.disk.decisions(None, limit) if d.decision_id > self._newest_decision
            ]
            if len(found) < limit:
                break
        if found:
            self._newest_decision = found[0].decision_id
        return found[::-1]

    def limits_change(self, spec: ClusterSpec) -> None:
        """Somebody lowers a limit: what is there or asked for may be above it until it drained."""
        there = self.standing()
        for name in ("", *self.spec.node_types):
            self.allowed[name] = max(self.allowed[name], there[name])
        self.limits_lowered = True
        self.spec = spec

    def standing(self) -> Counter[str]:
        """Workers that are not on their way out, per type and (under "") of all.

        Rows without a machine count too: they are asked for. So do machines without a row, except
        those that nobody here asked for.
        """
        kinds = [
            row.node_type
            for row in self.rows.values()
            if not row.is_head and row.status not in LEAVING
        ]
        kinds += [
            machine.instance.node_type
            for name, machine in self.cloud.alive.items()
            if not (machine.instance.is_head or machine.is_stranger)
            and name not in self.rows
            and not self.expected(machine)
        ]
        counts = Counter(kinds)
        counts[""] = len(kinds)
        return counts

    def expected(self, machine: Machine) -> bool:
        """Whether it comes of a launch call whose answer is awaited; its rows stand for it."""
        return machine.instance.request_id in self.awaited

    def forget_step(self) -> None:
        """The evidence of this step was looked at."""
        self.ended.clear()
        self.evidence.clear()
        self.refused_writes = 0
