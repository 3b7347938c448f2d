"""The loop's one round: observe, plan, record, act. The real Engine."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import msgspec

from raytui.autoscaler.loop.commands import CommandRefused, carry_out
from raytui.autoscaler.loop.draining import Draining
from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.launching import Launching
from raytui.autoscaler.loop.ledger import Ledger, LedgerError
from raytui.autoscaler.loop.observing import Observer
from raytui.autoscaler.loop.orders import LaunchDone, Orders
from raytui.autoscaler.loop.orphans import orphans_in, since_when
from raytui.autoscaler.loop.picture import Picture
from raytui.autoscaler.loop.remembered import Remembered
from raytui.autoscaler.loop.syncing import Sync
from raytui.autoscaler.planning.planner import DEFAULT_BUDGET, plan
from raytui.backends.base import NodeProvider, ProviderError
from raytui.model.command import Ack, Command, Impact
from raytui.model.lifecycle import STARTING, InstanceStatus
from raytui.model.plan import Decision, Memory, Plan, Removal, Wait
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Level, Snapshot
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState, Instance, Member, Node
from raytui.model.text import count_text
from raytui.ray.base import AutoscalerReport, RayCluster, RayError

_TAKE_OVER_EVERY_S = 10.0
_PRUNE_EVERY_S = 10.0
_HEAD_DOWN = "the head is down; run `raytui up` to start it again"
_S = InstanceStatus


class Reconciler:
    """Drives one cluster. See `raytui.autoscaler.engine.Engine` for which thread may call what."""

    def __init__(
        self,
        spec: ClusterSpec,
        provider: NodeProvider,
        ray: RayCluster,
        ledger: Ledger,
        *,
        info: ClusterInfo,
        pool: Executor | None = None,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(3),
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        self.spec = spec
        self._budget = budget
        self._provider = provider
        self._ray = ray
        self._ledger = ledger
        self._clock = clock
        self._new_id = new_id
        self._pool = pool or ThreadPoolExecutor(8, thread_name_prefix="provider")
        self._observer = Observer(provider, ray, self._pool, clock)
        self._orders = Orders(provider, self._pool)
        self._picture = Picture(info)
        self.state = ClusterState(observed_at=clock())
        self._trouble = ""
        self._session = ""
        self._take_over_at = 0.0
        self._prune_at = 0.0
        self._woken = True
        self._nodes: dict[str, Node] = {}
        self._orphans: dict[str, Instance] = {}
        self._read_ledger()
        self.journal.say(clock(), Level.INFO, "the autoscaler starts")
        self._launching.resume(clock())

    def _read_ledger(self) -> None:
        """Take up what is on disk: at the start, and again after a write that failed."""
        ledger, orders = self._ledger, self._orders
        self.journal = Journal(ledger)
        self._fleet = Fleet(ledger)
        self._remembered = Remembered(ledger)
        self._sync = Sync(self._fleet, self.journal)
        self._launching = Launching(
            self._fleet, ledger, self.journal, orders, self._remembered, self._new_id
        )
        self._draining = Draining(
            self._fleet, ledger, self.journal, orders, self._remembered, self._ray
        )

    # -- Engine ---------------------------------------------------------------------------------

    def due(self) -> bool:
        """See Engine."""
        return self._woken or self._orders.any_done or self._observer.due()

    def tick(self) -> Snapshot:
        """See Engine."""
        started = time.perf_counter()
        self._woken = False
        now = self._clock()
        decided, solved_ms = Plan(), 0.0
        try:
            self._observe(now)
            solve_started = time.perf_counter()
            decided = plan(self.state, self.spec, self.memory, now, self._budget)
            solved_ms = (time.perf_counter() - solve_started) * 1000
            if decided.acts and not self._trouble:
                self._act(decided, now, solved_ms)
            self._report(decided)
            self._prune(now)
        except (sqlite3.Error, LedgerError, OSError) as error:
            self._trouble = f"the ledger cannot be written ({error}); not acting"
        return self._picture.draw(
            self.state,
            decided,
            self.spec,
            self.memory,
            events=tuple(self.journal.events),
            decisions=tuple(self.journal.decisions),
            trouble=self._trouble,
            tick_ms=round((time.perf_counter() - started) * 1000, 2),
            now=now,
            plan_ms=round(solved_ms, 2),
            session=self._session,
            moves=self._fleet.take_moves(),
        )

    def command(self, command: Command, by: str) -> Ack:
        """See Engine."""
        self._woken = True
        try:
            return Ack(True, carry_out(self, command, by, self._clock()))
        except CommandRefused as refused:
            return Ack(False, str(refused))
        except (RayError, ProviderError) as error:
            return Ack(False, str(error))

    def history(self, before: int | None, limit: int) -> Sequence[Decision]:
        """See Engine."""
        return self._ledger.decisions(before, limit)

    def impact(self, instance_ids: Sequence[str]) -> list[Impact]:
        """See Engine."""
        members = {member.id: member for member in self.state.members}
        wanted = [members[i] for i in instance_ids if i in members]
        found = self._ray.impact([m.node.node_id for m in wanted if m.node is not None])
        return [
            msgspec.structs.replace(
                found.get(member.node.node_id if member.node else "", Impact(member.id)),
                instance_id=member.id,
                node_type=member.node_type,
            )
            for member in wanted
        ]

    def log_tail(self, instance_id: str, lines: int) -> list[str]:
        """See Engine."""
        members = {member.id: member for member in self.state.members}
        member = members.get(instance_id)
        if member is None or member.instance is None or not member.instance.log_path:
            return []
        try:
            text = Path(member.instance.log_path).read_text(errors="replace")
        except OSError as error:
            return [str(error)]
        return text.splitlines()[-lines:]

    def close(self) -> None:
        """See Engine. Provider calls under way are left to the next start, which repeats them."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._ray.close()
        self._ledger.close()

    def reload(self, spec: ClusterSpec) -> str:
        """See Engine."""
        changes = _changes(self.spec, spec)
        self.spec = spec
        self._picture.info = msgspec.structs.replace(
            self._picture.info,
            max_workers=spec.max_workers,
            upscaling_speed=spec.upscaling_speed,
            idle_timeout_s=spec.idle_timeout_s,
        )
        self._session = ""
        self._woken = True
        text = f"reloaded: {', '.join(changes) or 'nothing changed'}"
        self.journal.say(self._clock(), Level.INFO, text)
        return text

    def note(self, level: Level, text: str, detail: str = "") -> None:
        """See Engine."""
        self.journal.say(self._clock(), level, text, detail=detail)

    # -- what commands need ---------------------------------------------------------------------

    @property
    def memory(self) -> Memory:
        """What planning remembers."""
        return self._remembered.memory

    def remember(self, **changes: object) -> None:
        """Change what planning remembers, on disk first."""
        self._remembered.change(**changes)

    def remove(self, removals: Sequence[Removal], by: str, now: float) -> None:
        """Drain and terminate by order of a person."""
        with self._ledger.transaction():
            decision = self.journal.decide(
                now, Plan(removals=tuple(removals)), len(self.state.members), 0.0
            )
            self._draining.intend(removals, self._orphans, now)
            text = decision.summary.removesuffix(f" by {by}")
            self.journal.say(now, Level.INFO, text, decision_id=decision.decision_id, by=by)

    def request_resources(self, bundles: Sequence[tuple[Resources, int]]) -> None:
        """Pass a request for resources on to Ray."""
        self._ray.request_resources(bundles)

    # -- observe --------------------------------------------------------------------------------

    def _observe(self, now: float) -> None:
        self._collect(now)
        self._observer.observe()
        view = self._observer.view
        nodes = {n.instance_id: n for n in view.nodes if n.instance_id} if view else {}
        if self._observer.gcs.ok:
            self._take_over(now)
        listed = self._observer.listing if self._observer.provider.ok else None
        listing = {i.instance_id: i for i in listed} if listed is not None else None
        self._sync.run(listing, nodes if self._observer.gcs.ok else None, now)
        self._launching.learn(self._sync.started, self._sync.failed, now)
        if self._observer.gcs.ok:
            self._nodes = nodes
        self._draining.carry_out(nodes if self._observer.gcs.ok else None, now)
        self._draining.terminate(self._sync.clear, now)
        if listing is not None:
            self._orphans = orphans_in(listing, self._fleet)
            known = since_when(self.memory.orphans, self._orphans, now)
            self._remembered.change(orphans=known)
        self.state = ClusterState(
            observed_at=now,
            members=tuple(self._members(nodes, listing)),
            demands=view.demands if view else (),
            gangs=view.gangs if view else (),
            constraints=view.constraints if view else (),
            sources=(self._observer.gcs, self._observer.provider),
            version=view.version if view else 0,
        )
        self._check_head()

    def _members(
        self, nodes: dict[str, Node], listing: dict[str, Instance] | None
    ) -> Iterable[Member]:
        for instance in self._fleet:
            yield Member(instance, nodes.get(instance.instance_id))
        for node in self._observer.view.nodes if self._observer.view else ():
            if self._fleet.get(node.instance_id) is None and node.instance_id not in (
                listing or {}
            ):
                yield Member(None, node)
        for instance_id, orphan in self._orphans.items():
            yield Member(orphan, nodes.get(instance_id))

    def _take_over(self, now: float) -> None:
        """Tell a head that is new to us who scales it; try again later when it refuses."""
        session = self._observer.view.session if self._observer.view else ""
        if session == self._session or now < self._take_over_at:
            return
        try:
            self._ray.take_over(self.spec)
            self._session = session
            self._trouble = ""
        except RayError as error:
            self._trouble = str(error)
            self._take_over_at = now + _TAKE_OVER_EVERY_S

    def _check_head(self) -> None:
        """Say it when the head is dead, and take that back when a new one lives."""
        head = next((m for m in self.state.members if m.is_head and m.instance is not None), None)
        if head is not None and head.status is _S.LOST:
            self._trouble = _HEAD_DOWN
        elif self._trouble == _HEAD_DOWN:
            self._trouble = ""

    def _collect(self, now: float) -> None:
        """Take in the answers of provider calls."""
        for done in self._orders.collect():
            if isinstance(done, LaunchDone):
                self._launching.answered(done, now)
            else:
                self._draining.answered(done, now)

    # -- act ------------------------------------------------------------------------------------

    def _act(self, decided: Plan, now: float, solved_ms: float) -> None:
        """Write the decision and every intent in one transaction, then carry them out."""
        with self._ledger.transaction():
            # Why each node stays is in every snapshot; a line per node per decision is not kept.
            recorded = msgspec.structs.replace(decided, kept=())
            decision = self.journal.decide(now, recorded, len(self.state.members), solved_ms)
            intents = self._launching.intend(
                decided.launches, self.spec, self._ray.gcs_address, decision.decision_id, now
            )
            self._draining.intend(decided.removals, self._orphans, now)
            self.journal.say(now, Level.INFO, decision.summary, decision_id=decision.decision_id)
        self._launching.carry_out(intents, now)
        self._draining.carry_out(self._nodes, now)

    # -- tell -----------------------------------------------------------------------------------

    def _report(self, decided: Plan) -> None:
        """Let Ray's own status and libraries know; a Ray that is away hears it next time."""
        if not self._observer.gcs.ok or not self._session:
            return
        report = AutoscalerReport(
            seen_version=self.state.version,
            starting=tuple(i for i in self._fleet if i.status in STARTING),
            failures=self.memory.failures,
            infeasible=tuple(o for o in decided.outcomes if o.wait is Wait.INFEASIBLE),
        )
        try:
            self._ray.report(report)
        except RayError as error:
            self._observer.gcs = msgspec.structs.replace(
                self._observer.gcs, ok=False, error=str(error)
            )

    def _prune(self, now: float) -> None:
        if not 0 <= self._prune_at - now <= _PRUNE_EVERY_S:
            self._prune_at = now + _PRUNE_EVERY_S
            self._ledger.prune(now)


def _changes(old: ClusterSpec, new: ClusterSpec) -> list[str]:
    changes = [
        f"{name} {getattr(old, name)} → {getattr(new, name)}"
        for name in ("max_workers", "upscaling_speed", "idle_timeout_s")
        if getattr(old, name) != getattr(new, name)
    ]
    names = [n for n, t in new.node_types.items() if old.node_types.get(n) != t]
    gone = [name for name in old.node_types if name not in new.node_types]
    if names:
        changes.append(f"{count_text(len(names), 'node type')} changed ({', '.join(names)})")
    if gone:
        changes.append(f"removed {', '.join(gone)}")
    return changes
