"""The loop's one round: observe, plan, record, act. The real Engine."""

from __future__ import annotations

import contextlib
import secrets
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import msgspec

from raytui.autoscaler.cluster_info import as_ruled
from raytui.autoscaler.loop import reloading
from raytui.autoscaler.loop.announcing import Announcing
from raytui.autoscaler.loop.asking import Asking
from raytui.autoscaler.loop.believing import Believed, Believing
from raytui.autoscaler.loop.commands import CommandRefused, begin_waiting_ends, carry_out
from raytui.autoscaler.loop.draining import Draining
from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.joining import join
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.launching import Launching
from raytui.autoscaler.loop.ledger import LEDGER_FAILURES, Ledger, LedgerDamagedError
from raytui.autoscaler.loop.ledger_rescue import open_ledger
from raytui.autoscaler.loop.noticing import Noticing
from raytui.autoscaler.loop.observing import Observer
from raytui.autoscaler.loop.offers import Offers
from raytui.autoscaler.loop.orders import THREADS, LaunchDone, Orders
from raytui.autoscaler.loop.orphans import orphans_in, since_when
from raytui.autoscaler.loop.overdue import end_overdue_drains
from raytui.autoscaler.loop.picture import Picture
from raytui.autoscaler.loop.quarantine import Quarantine
from raytui.autoscaler.loop.questions import impact_of, log_end
from raytui.autoscaler.loop.remembered import Remembered
from raytui.autoscaler.loop.syncing import Sync
from raytui.autoscaler.loop.telling import Telling
from raytui.autoscaler.loop.waits import Waits
from raytui.autoscaler.loop.watching import UNHURRIED, Watching
from raytui.autoscaler.planning.planner import DEFAULT_BUDGET, plan
from raytui.backends.abilities import HeadMoves, SetsUpNodes
from raytui.backends.base import NodeProvider, ProviderError
from raytui.model.command import Ack, Command, Impact
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Decision, FailureKind, Memory, Plan, Removal
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Level, Snapshot
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState, Instance, Node
from raytui.model.step import Step
from raytui.model.text import first_line
from raytui.ray.base import RayCluster, RayError

_PRUNE_EVERY_S = 10.0
_HEAD_DOWN = "the head is down; run `raytui up` to start it again"
_HEAD_RESTARTS = "the head is down; Kubernetes starts another one"


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
        steady: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] = lambda: secrets.token_hex(3),
        budget: int = DEFAULT_BUDGET,
        watch_only: str = "",
    ) -> None:
        """`clock` tells unix seconds; `steady` seconds that nobody can set, to measure waits by.

        `watch_only`, a sentence that says why and what to do, makes it observe and explain, and
        nothing else: neither the provider nor Ray is told anything, and commands are refused.
        """
        self.spec = spec
        self._budget = budget
        self._provider = provider
        self._ray = ray
        self._ledger = ledger
        self._clock = clock
        self._steady = steady
        self._new_id = new_id
        self._pool = pool or ThreadPoolExecutor(THREADS, thread_name_prefix="provider")
        self._observer = Observer(provider, ray, self._pool, clock, steady)
        self._offers = Offers(provider)
        self._planned_for = spec
        """The cluster file with every way to buy its nodes."""
        self._believing = Believing()
        self._announcing = Announcing()
        self._orders = Orders(provider, self._pool)
        self._waits = Waits(steady)
        self._picture = Picture(info)
        self.state = ClusterState(observed_at=clock())
        self._watching = Watching(provider, watch_only)
        self._troubles: dict[str, str] = {}
        """Why nothing is done, by cause: the ledger, another autoscaler, a dead head."""
        self._telling = Telling(ray)
        self._prune_at = float("-inf")
        self._woken = True
        self._nodes: Mapping[str, Node] = {}
        self._orphans: dict[str, Instance] = {}
        self._begun = False
        self._broken: Exception | None = None
        """What ended the last round or command early: memory may not be what is on disk."""
        self._read_ledger()

    def _read_ledger(self) -> None:
        """Take up what is on disk: at the start, and again after a round that failed."""
        ledger, orders = self._ledger, self._orders
        self.journal = Journal(ledger)
        self._fleet = Fleet(ledger)
        self._quarantine = Quarantine(self._fleet, self.journal)
        self._remembered = Remembered(ledger)
        self._sync = Sync(
            self._fleet, ledger, self.journal, self._quarantine, self._waits, self._provider
        )
        self._launching = Launching(
            self._fleet, ledger, self.journal, orders, self._remembered, self._new_id
        )
        self._draining = Draining(
            self._fleet,
            ledger,
            self.journal,
            orders,
            self._remembered,
            self._ray,
            self._quarantine,
            self._steady,
            self._provider,
        )
        self._noticing = Noticing(self._fleet, self.journal, self._remembered)
        resumed = [request.request_id for request, _ in ledger.open_requests()]
        self._asking = Asking(orders, self._launching, self._draining, self.journal, resumed)

    def _begin(self, now: float) -> None:
        """Say that it goes on, and repeat what was under way; as after a restart when it broke."""
        turned = self._watching.look()
        if not self._begun or self._broken is not None:
            self._begin_anew(now)
        if turned:
            self._say_who_acts(now)
        if turned and not self._watching.why:
            self._launching.resume(now)

    def _say_who_acts(self, now: float) -> None:
        why = self._watching.why
        self._telling.session = ""
        if why:
            self.journal.say(now, Level.WARNING, f"only watching: {why}")
        else:
            self.journal.say(now, Level.INFO, "acting again: nothing stands in the way")
            # What was forbidden no longer is: it is not to be waited for.
            known = self.memory.failures
            forgiven = tuple(one for one in known if one.kind is not FailureKind.AUTH)
            self.remember(failures=forgiven)

    def _begin_anew(self, now: float) -> None:
        level, text, detail = Level.INFO, "the autoscaler starts", ""
        if self._broken is not None:
            broken = self._broken
            detail = "".join(traceback.format_exception(broken))
            level, text = Level.ERROR, f"went on from the ledger after {_words(broken)}"
            if isinstance(broken, LEDGER_FAILURES):
                level, text = Level.GOOD, "the ledger can be written again; going on"
            self._reopen_ledger(broken, now)
            self._read_ledger()
        self._remembered.take_up(now)
        self.journal.say(now, level, text, detail=detail)
        if not self._watching.why:
            self._launching.resume(now)
        self._begun, self._broken = True, None
        self._set_trouble("ledger", "")

    def _reopen_ledger(self, broken: Exception, now: float) -> None:
        if isinstance(broken, LedgerDamagedError) and self._ledger.path is not None:
            self._ledger.close()
            self._ledger = open_ledger(self._ledger.path, now)
        else:
            self._ledger.reopen()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whatever fails in here, the next round trusts nothing but the disk.

        A ledger that cannot be written is as good as a crash: nothing more is done, and it is
        said until it can be written again.
        """
        try:
            yield
        except Exception as error:
            self._broken = error
            if isinstance(error, LEDGER_FAILURES):
                self._troubles["ledger"] = f"not acting: {first_line(str(error))}"
            raise

    # -- Engine ---------------------------------------------------------------------------------

    def due(self, watched: bool = True) -> bool:
        """See Engine."""
        if self._woken or self._orders.any_done or self._observer.due(watched):
            return True
        return any(end.at <= self._clock() for end in self.memory.ends)

    def tick(self) -> Snapshot:
        """See Engine."""
        began = self._steady()
        try:
            return self._tick(began)
        finally:
            self._observer.pace.ticked(began, self._steady())

    def _tick(self, began: float) -> Snapshot:
        self._woken = False
        now = self._clock()
        try:
            with self._guarded():
                self._begin(now)
                decided, solved_ms = self._round(now)
        except LEDGER_FAILURES:
            return self._picture.again(self._trouble, now)
        return self._picture.draw(
            self.state,
            decided,
            self._planned_for,
            self.memory,
            events=tuple(self.journal.events),
            decisions=tuple(self.journal.decisions),
            trouble=self._trouble,
            tick_ms=round((self._steady() - began) * 1000, 2),
            now=now,
            plan_ms=round(solved_ms, 2),
            session=self._telling.session,
            moves=self._fleet.take_moves(),
        )

    def _round(self, now: float) -> tuple[Plan, float]:
        """Observe, plan, record, act, tell; the plan, and the milliseconds that it took."""
        self._observe(now)
        if not self._troubles and not self._watching.why:
            with self._ledger.transaction():
                begin_waiting_ends(self, now)
        self._planned_for = self._offers.on(self.spec)
        started = time.perf_counter()
        decided = plan(self.state, self._planned_for, self.memory, now, self._budget)
        solved_ms = (time.perf_counter() - started) * 1000
        if decided.acts and not self._troubles:
            self._act(decided, now, solved_ms)
        self._telling.report(self._observer, decided, self._fleet, self.memory)
        self._prune(now)
        return decided, solved_ms

    @property
    def _trouble(self) -> str:
        return "; ".join(self._troubles.values())

    def _set_trouble(self, cause: str, words: str) -> None:
        if words:
            self._troubles[cause] = words
        else:
            self._troubles.pop(cause, None)

    def command(self, command: Command, by: str, command_id: str = "") -> Ack:
        """See Engine. What a command changes and its answer are written together or not at all."""
        self._woken = True
        now = self._clock()
        try:
            with self._guarded():
                self._begin(now)
                answered = self._ledger.answer(command_id) if command_id else None
                return answered or self._ordered(command, by, command_id, now)
        except LEDGER_FAILURES as error:
            return Ack(False, f"nothing was done: {first_line(str(error))}")

    def _ordered(self, command: Command, by: str, command_id: str, now: float) -> Ack:
        try:
            if self._watching.why:
                raise CommandRefused(self._watching.why)
            with self._ledger.transaction():
                answer = Ack(True, carry_out(self, command, by, now))
                if command_id:
                    self._ledger.keep_answer(command_id, answer, now)
        except (CommandRefused, RayError, ProviderError) as refused:
            answer = Ack(False, str(refused))
            if command_id and isinstance(refused, CommandRefused):
                self._ledger.keep_answer(command_id, answer, now)
        return answer

    def history(self, before: int | None, limit: int) -> Sequence[Decision]:
        """See Engine."""
        return self._ledger.decisions(before, limit)

    def impact(self, instance_ids: Sequence[str]) -> list[Impact]:
        """See Engine."""
        return impact_of(self.state.members, instance_ids, self._ray)

    def log_tail(self, instance_id: str, lines: int) -> list[str]:
        """See Engine."""
        return log_end(self.state.members, instance_id, lines)

    def setup_steps(self) -> Sequence[Step]:
        """See Engine."""
        return self._provider.steps() if isinstance(self._provider, SetsUpNodes) else ()

    def step_output(self, node: str, name: str, lines: int) -> list[str]:
        """See Engine."""
        provider = self._provider
        return provider.step_output(node, name, lines) if isinstance(provider, SetsUpNodes) else []

    def retry_setup(self, instance_ids: Sequence[str]) -> list[str]:
        """See Controls."""
        return self._provider.retry(instance_ids) if isinstance(self._provider, SetsUpNodes) else []

    def close(self) -> None:
        """See Engine. Provider calls under way are left to the next start, which repeats them."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._ray.close()
        self._ledger.close()

    def reload(self, spec: ClusterSpec) -> str:
        """See Engine."""
        changes = reloading.changes(self.spec, spec)
        self.spec = spec
        self._provider.reload(spec)
        self._picture.info = as_ruled(self._picture.info, spec)
        self._telling.session = ""
        self._woken = True
        text = f"reloaded: {', '.join(changes) or 'nothing changed'}"
        self.note(Level.INFO, text)
        return text

    def note(self, level: Level, text: str, detail: str = "") -> None:
        """See Engine."""
        with contextlib.suppress(*LEDGER_FAILURES), self._guarded():
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
            self._release([removal.instance_id for removal in removals], now)
            self._draining.intend(removals, self._orphans, now)
            text = decision.summary.removesuffix(f" by {by}")
            self.journal.say(now, Level.INFO, text, decision_id=decision.decision_id, by=by)

    def _release(self, instance_ids: Sequence[str], now: float) -> None:
        """A person's order ends a quarantine, and at once what was half gone when it began."""
        half_gone = (InstanceStatus.DRAINING, InstanceStatus.LOST)
        for instance_id in instance_ids:
            released = self._quarantine.release(instance_id, now)
            instance = self._fleet.get(instance_id)
            if released and instance is not None and instance.status in half_gone:
                self._fleet.move(instance_id, InstanceStatus.TERMINATING, now, "ordered")

    def request_resources(self, bundles: Sequence[tuple[Resources, int]]) -> None:
        """Pass a request for resources on to Ray."""
        self._ray.request_resources(bundles)

    # -- observe --------------------------------------------------------------------------------

    def _observe(self, now: float) -> None:
        steady, observer, acts = self._steady(), self._observer, not self._watching.why
        limits = self.spec.timeouts if acts else UNHURRIED
        self._collect(now, steady)
        if acts:
            self._asking.look(limits, now, steady)
        observer.observe()
        believed = self._believing.weigh(observer, self._fleet, now, steady)
        if believed.jump_s:
            self._remembered.shift(believed.jump_s)
        if acts and observer.gcs.ok and observer.view:
            refusal = self._telling.take_over(observer.view.session, self.spec, steady)
            self._set_trouble("ray", refusal)
        with self._ledger.transaction():  # one write to disk, however many nodes have moved
            self._sync.run(believed, self._draining.ended, limits, now, acts=acts)
            self._launching.learn(self._sync.started, self._sync.failed, now)
            self._noticing.look(observer.notices, now)
        if believed.nodes is not None:
            self._nodes = believed.nodes
        if acts:
            self._draining.carry_out(believed.nodes, now)
            drains = (self._fleet, self._remembered, self.journal)
            end_overdue_drains(*drains, limits, self._waits, now)
            self._draining.terminate(self._sync.clear)
        if believed.listing is not None:
            self._orphans = orphans_in(believed.listing, self._fleet, self._provider)
            known = since_when(self.memory.orphans, self._orphans, now)
            self._remembered.change(orphans=known)
        self.state = self._seen(believed, now)
        self._announcing.look(believed.sources, self.journal, now)
        self._check_head()

    def _seen(self, believed: Believed, now: float) -> ClusterState:
        view, nodes = self._observer.view, self._observer.nodes
        all_nodes = view.nodes if view else ()
        listing, notices = believed.listing or {}, self._observer.notices
        members = join(self._fleet, nodes, all_nodes, self._orphans, listing, notices)
        return ClusterState(
            observed_at=now,
            members=tuple(members),
            demands=view.demands if view else (),
            gangs=view.gangs if view else (),
            constraints=view.constraints if view else (),
            sources=believed.sources,
            version=view.version if view else 0,
            watch_only=self._watching.why,
        )

    def _check_head(self) -> None:
        """Say it when the head is dead, and take that back when a new one lives."""
        head = next((m for m in self.state.members if m.is_head and m.instance is not None), None)
        is_down = head is not None and head.status is InstanceStatus.LOST
        words = _HEAD_DOWN
        if isinstance(self._provider, HeadMoves):
            self._picture.tell_whereabouts(*self._provider.whereabouts())
            words = _HEAD_RESTARTS
        self._set_trouble("head", words if is_down else "")

    def _collect(self, now: float, steady: float) -> None:
        """Take in the answers of provider calls."""
        for done in self._orders.collect():
            if not isinstance(done, LaunchDone):
                self._draining.answered(done, now)
                continue
            try:
                self._asking.answered(done, now, steady)
            except LEDGER_FAILURES:
                raise
            except Exception as error:
                self._read_ledger()  # forget what was half taken in
                self._launching.answered(_unusable(done, error), now)

    # -- act ------------------------------------------------------------------------------------

    def _act(self, decided: Plan, now: float, solved_ms: float) -> None:
        """Write the decision and every intent in one transaction, then carry them out."""
        with self._ledger.transaction():
            # Why each node stays is in every snapshot; a line per node per decision is not kept.
            recorded = msgspec.structs.replace(decided, kept=())
            decision = self.journal.decide(now, recorded, len(self.state.members), solved_ms)
            intents = self._launching.intend(
                decided.launches,
                self._planned_for,
                self._ray.gcs_address,
                decision.decision_id,
                now,
            )
            self._draining.intend(decided.removals, self._orphans, now)
            self.journal.say(now, Level.INFO, decision.summary, decision_id=decision.decision_id)
        self._launching.carry_out(intents, now)
        self._draining.carry_out(self._nodes, now)

    def _prune(self, now: float) -> None:
        if self._steady() >= self._prune_at:
            self._prune_at = self._steady() + _PRUNE_EVERY_S
            self._ledger.prune(now)


def _unusable(done: LaunchDone, error: Exception) -> LaunchDone:
    """An answer that broke the loop as a failed launch; its nodes, the listing will show."""
    detail = "".join(traceback.format_exception(error))
    failure = ProviderError(f"its answer cannot be used: {_words(error)}", detail=detail)
    return LaunchDone(done.request, done.decision_id, (), failure)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(str(error))}"
