"""The loop's one round: observe, plan, record, act. The real Engine."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from enum import Enum
from pathlib import Path

import msgspec

from raytui.autoscaler.loop import failures
from raytui.autoscaler.loop.commands import CommandRefused, carry_out
from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.observing import Observer
from raytui.autoscaler.loop.orders import LaunchDone, Orders, TerminateDone
from raytui.autoscaler.loop.picture import Picture
from raytui.autoscaler.loop.syncing import Sync
from raytui.autoscaler.planning.planner import plan
from raytui.backends.base import LaunchRequest, NodeProvider, ProviderError
from raytui.model.command import Ack, Command, Impact
from raytui.model.lifecycle import STARTING, InstanceStatus
from raytui.model.plan import (
    Decision,
    DrainUnderWay,
    FailureKind,
    Launch,
    Memory,
    Plan,
    Removal,
    Wait,
)
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Level, Snapshot
from raytui.model.spec import ClusterSpec, Offering
from raytui.model.state import ClusterState, Instance, Member, Node
from raytui.model.text import count_text, duration_text
from raytui.ray.base import AutoscalerReport, RayCluster, RayError

_TAKE_OVER_EVERY_S = 10.0
_RETRY_TERMINATE_S = 10.0
_HEAD_DOWN = "the head is down; run `raytui up` to start it again"
_S = InstanceStatus


class _Drain(Enum):
    """How far a drain is."""

    UNDER_WAY = 1
    DONE = 2
    REFUSED = 3


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
    ) -> None:
        self.spec = spec
        self._provider = provider
        self._ray = ray
        self._ledger = ledger
        self._clock = clock
        self._new_id = new_id
        self._pool = pool or ThreadPoolExecutor(8, thread_name_prefix="provider")
        self._observer = Observer(provider, ray, self._pool, clock)
        self._orders = Orders(provider, self._pool)
        self._fleet = Fleet(ledger)
        self.journal = Journal(ledger)
        self._sync = Sync(self._fleet, self.journal)
        self._picture = Picture(info)
        self._memory = ledger.memory()
        self.state = ClusterState(observed_at=clock())
        self._trouble = ""
        self._session = ""
        self._take_over_at = 0.0
        self._retry_at: dict[str, float] = {}
        self._woken = True
        self._asked_at: dict[str, float] = {}
        self._nodes: dict[str, Node] = {}
        self._told: set[str] = set()
        """Draining instances of which Ray was told in this life."""
        self._begin()

    # -- Engine ---------------------------------------------------------------------------------

    def due(self) -> bool:
        """See Engine."""
        return self._woken or self._orders.any_done or self._observer.due()

    def tick(self) -> Snapshot:
        """See Engine."""
        started = time.perf_counter()
        self._woken = False
        now = self._clock()
        decided = Plan()
        try:
            self._observe(now)
            solve_started = time.perf_counter()
            decided = plan(self.state, self.spec, self._memory, now)
            solved_ms = (time.perf_counter() - solve_started) * 1000
            if decided.acts and not self._trouble:
                self._act(decided, now, solved_ms)
            self._report(decided)
        except (sqlite3.Error, OSError) as error:
            self._trouble = f"the ledger cannot be written ({error}); not acting"
        return self._picture.draw(
            self.state,
            decided,
            self.spec,
            self._memory,
            events=tuple(self.journal.events),
            decisions=tuple(self.journal.decisions),
            trouble=self._trouble,
            tick_ms=round((time.perf_counter() - started) * 1000, 2),
            now=now,
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

    # -- what commands need ---------------------------------------------------------------------

    @property
    def memory(self) -> Memory:
        """What planning remembers."""
        return self._memory

    def remember(self, **changes: object) -> None:
        """Change what planning remembers, on disk first."""
        memory = msgspec.structs.replace(self._memory, **changes)
        if memory != self._memory:
            self._ledger.save_memory(memory)
            self._memory = memory

    def remove(self, removals: Sequence[Removal], by: str, now: float) -> None:
        """Drain and terminate by order of a person."""
        with self._ledger.transaction():
            decision = self.journal.decide(
                now, Plan(removals=tuple(removals)), len(self.state.members), 0.0
            )
            self._intend_removals(removals, now)
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
        self._learn(now)
        if self._observer.gcs.ok:
            self._nodes = nodes
            self._progress_drains(nodes, now)
        self._terminate([i for i in self._sync.clear if self._retry_at.get(i, 0.0) <= now])
        self.state = ClusterState(
            observed_at=now,
            members=tuple(self._members(nodes, listing or {})),
            demands=view.demands if view else (),
            gangs=view.gangs if view else (),
            constraints=view.constraints if view else (),
            sources=(self._observer.gcs, self._observer.provider),
            version=view.version if view else 0,
        )
        self._check_head()

    def _members(self, nodes: dict[str, Node], listing: dict[str, Instance]) -> Iterable[Member]:
        for instance in self._fleet:
            yield Member(instance, nodes.get(instance.instance_id))
        for node in self._observer.view.nodes if self._observer.view else ():
            if self._fleet.get(node.instance_id) is None and node.instance_id not in listing:
                yield Member(None, node)
        for instance_id, listed in listing.items():
            if self._fleet.get(instance_id) is None and listed.status is not _S.LOST:
                orphan = msgspec.structs.replace(listed, orphan=True)
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

    def _learn(self, now: float) -> None:
        """Remember how long boots take and which offerings fail or work."""
        known, boots = self._memory.failures, dict(self._memory.boot_s)
        for instance, boot_s in self._sync.started:
            known = failures.forgive(
                known, instance.node_type, instance.instance_type, instance.zone
            )
            before = boots.get(instance.node_type, boot_s)
            boots[instance.node_type] = round(0.7 * before + 0.3 * boot_s, 1)
        for instance in self._sync.failed:
            error = ProviderError(_first_line(instance.detail) or "set-up failed")
            error.kind = FailureKind.SETUP
            known = failures.remember(known, instance.node_type, _offering(instance), error, now)
        self.remember(failures=failures.fade(known, now), boot_s=boots)

    # -- act ------------------------------------------------------------------------------------

    def _act(self, decided: Plan, now: float, solved_ms: float) -> None:
        """Write the decision and every intent in one transaction, then carry them out."""
        requests = []
        with self._ledger.transaction():
            # Why each node stays is in every snapshot; a line per node per decision is not kept.
            recorded = msgspec.structs.replace(decided, kept=())
            decision = self.journal.decide(now, recorded, len(self.state.members), solved_ms)
            for launch in decided.launches:
                request = self._request(launch)
                self._ledger.begin_request(request, decision.decision_id, now)
                kind = self.spec.node_types[launch.node_type]
                self._fleet.intend(request, kind, launch.holdings(), now)
                requests.append(request)
            self._intend_removals(decided.removals, now)
            self.journal.say(now, Level.INFO, decision.summary, decision_id=decision.decision_id)
        for request in requests:
            self._launch(request, decision.decision_id, now)
        self._terminate(i.instance_id for i in self._fleet if i.status is _S.TERMINATING)
        self._progress_drains(self._nodes, now)

    def _request(self, launch: Launch) -> LaunchRequest:
        return LaunchRequest(
            request_id=f"{launch.node_type}-{self._new_id()}",
            node_type=launch.node_type,
            count=launch.count,
            offering=launch.offering,
            head_address=self._ray.gcs_address,
        )

    def _launch(self, request: LaunchRequest, decision_id: int, now: float) -> None:
        for instance in self._fleet.of_request(request.request_id):
            if instance.status is _S.QUEUED:
                self._fleet.move(instance.instance_id, _S.REQUESTED, now, "provider called")
        self._asked_at[request.request_id] = now
        self._orders.launch(request, decision_id)

    def _begin(self) -> None:
        """Repeat the calls whose answers a crash swallowed; the request id makes that harmless."""
        now = self._clock()
        self.journal.say(now, Level.INFO, "the autoscaler starts")
        for request, decision_id in self._ledger.open_requests():
            self.journal.say(
                now,
                Level.WARNING,
                f"resuming the launch of {request.count} × {request.node_type} after a restart",
                decision_id=decision_id,
            )
            self._launch(request, decision_id, now)

    def _collect(self, now: float) -> None:
        """Take in the answers of provider calls."""
        for done in self._orders.collect():
            if isinstance(done, LaunchDone):
                self._launched(done, now)
            elif isinstance(done, TerminateDone) and done.error is not None:
                self._not_terminated(done.instance_ids, done.error, now)

    def _launched(self, done: LaunchDone, now: float) -> None:
        request, error = done.request, done.error
        took_s = now - self._asked_at.pop(request.request_id, now)
        outcome = f"{len(done.launched)} × {request.node_type} allocated in {took_s:.1f} s"
        if error is not None:
            outcome = f"{len(done.launched)} of {request.count} {request.node_type}: {error}"
        with self._ledger.transaction():
            self._fleet.arrived(request, done.launched, now)
            if error is not None:
                self._launch_failed(request, error, now)
            self._ledger.end_request(request.request_id, outcome)
            before = next(
                (d.outcome for d in self.journal.decisions if d.decision_id == done.decision_id), ""
            )
            self.journal.outcome(done.decision_id, "; ".join(filter(None, (before, outcome))))

    def _launch_failed(self, request: LaunchRequest, error: ProviderError, now: float) -> None:
        for instance in self._fleet.of_request(request.request_id):
            if instance.status is _S.REQUESTED:
                self._fleet.move(instance.instance_id, _S.LAUNCH_FAILED, now, str(error))
        known = failures.remember(
            self._memory.failures, request.node_type, request.offering, error, now
        )
        self.remember(failures=known)
        self.journal.say(
            now,
            Level.ERROR,
            f"{request.node_type}: {error.kind}: {_first_line(str(error))}",
            detail="\n".join(part for part in (str(error), error.detail) if part),
        )

    def _not_terminated(
        self, instance_ids: Sequence[str], error: ProviderError, now: float
    ) -> None:
        for instance_id in instance_ids:
            self._retry_at[instance_id] = now + _RETRY_TERMINATE_S
        whom = ", ".join(instance_ids[:3]) + ("…" if len(instance_ids) > 3 else "")
        text = f"{whom} not terminated: {_first_line(str(error))}"
        self.journal.say(now, Level.ERROR, text, detail=str(error))

    def _intend_removals(self, removals: Sequence[Removal], now: float) -> None:
        """Write what is to leave; part of the transaction that records the decision."""
        drains = list(self._memory.drains)
        for removal in removals:
            name = removal.instance_id
            instance = self._fleet.get(name)
            if instance is None:
                continue
            if instance.status is _S.RUNNING:
                self._fleet.move(name, _S.DRAINING, now, removal.reason.why.value)
                drains.append(DrainUnderWay(name, now, removal.deadline, removal.reason))
            elif instance.status in STARTING:
                self._fleet.move(name, _S.TERMINATING, now, removal.reason.why.value)
        self.remember(drains=tuple(drains))

    def _progress_drains(self, nodes: dict[str, Node], now: float) -> None:
        """Ask Ray to drain what it was not asked for yet, and terminate what has drained.

        Ray does not enforce the deadline, so we do.
        """
        under_way, gone = [], []
        for drain in self._memory.drains:
            instance = self._fleet.get(drain.instance_id)
            if instance is None or instance.status is not _S.DRAINING:
                continue
            step = self._step_drain(drain, nodes.get(drain.instance_id), now)
            if step is _Drain.UNDER_WAY:
                under_way.append(drain)
            elif step is _Drain.DONE:
                gone.append(drain.instance_id)
        with self._ledger.transaction():
            for name in gone:
                self._fleet.move(name, _S.TERMINATING, now, "drained")
            self.remember(drains=tuple(under_way))
        self._terminate(gone)

    def _step_drain(self, drain: DrainUnderWay, node: Node | None, now: float) -> _Drain:
        name = drain.instance_id
        if node is None:
            return _Drain.DONE
        if name not in self._told:
            try:
                answer = self._ray.drain(
                    node.node_id,
                    idle_only=not drain.deadline,
                    message=f"raytui: {drain.reason.why.value}",
                    deadline=drain.deadline or now,
                )
            except RayError as error:
                self.journal.say(now, Level.WARNING, f"{name} not drained yet: {error}")
                return _Drain.UNDER_WAY
            if not answer.accepted:
                self._fleet.move(name, _S.RUNNING, now, answer.message)
                text = f"kept {name}: {answer.message or 'Ray refused to drain it'}"
                self.journal.say(now, Level.INFO, text, instance_id=name)
                return _Drain.REFUSED
            self._told.add(name)
        if not drain.deadline:
            return _Drain.DONE
        took = duration_text(now - drain.since)
        if node.idle_since:
            text = f"{name} drained in {took}; terminating"
            self.journal.say(now, Level.INFO, text, instance_id=name)
            return _Drain.DONE
        if now >= drain.deadline:
            text = f"{name} was busy at its deadline after {took}; terminating"
            self.journal.say(now, Level.WARNING, text, instance_id=name)
            return _Drain.DONE
        return _Drain.UNDER_WAY

    def _terminate(self, instance_ids: Iterable[str]) -> None:
        heads = {m.id for m in self.state.members if m.is_head}
        self._orders.terminate(i for i in instance_ids if i not in heads)

    # -- tell -----------------------------------------------------------------------------------

    def _report(self, decided: Plan) -> None:
        """Let Ray's own status and libraries know; a Ray that is away hears it next time."""
        if not self._observer.gcs.ok or not self._session:
            return
        report = AutoscalerReport(
            seen_version=self.state.version,
            starting=tuple(i for i in self._fleet if i.status in STARTING),
            failures=self._memory.failures,
            infeasible=tuple(o for o in decided.outcomes if o.wait is Wait.INFEASIBLE),
        )
        try:
            self._ray.report(report)
        except RayError as error:
            self._observer.gcs = msgspec.structs.replace(
                self._observer.gcs, ok=False, error=str(error)
            )


def _offering(instance: Instance) -> Offering:
    return Offering(instance.instance_type, instance.zone, instance.market)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


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
