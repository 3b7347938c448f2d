"""One RayCluster, driven: looked at again whenever something has changed, until it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from msgspec import Struct

from raytui.autoscaler.daemon.log import note
from raytui.backends.base import ProviderError, TransientError
from raytui.backends.kubernetes.objects import template_hash
from raytui.backends.kubernetes.operated import spec_for_operator
from raytui.backends.kubernetes.pod_provider import PodProvider
from raytui.backends.kubernetes.pods import Pod
from raytui.backends.kubernetes.raycluster import HEAD_GROUP
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.config.problems import ConfigErrors
from raytui.model.snapshot import Snapshot
from raytui.model.spec import ClusterSpec
from raytui.model.text import first_line
from raytui.operator.annotations import Annotations
from raytui.operator.cluster_engine import ClusterEngine
from raytui.operator.events import EventBook, Kind
from raytui.operator.memory import Orders, orders_of
from raytui.operator.monitor import OperatorMonitor
from raytui.operator.objects_kept import Objects
from raytui.operator.pod_view import Cluster, PodView
from raytui.operator.rolling import next_to_leave, old_pods
from raytui.operator.status import Failure, Seen, status_of, was_ready
from raytui.operator.upkeep import is_ending, is_suspended, upkeep, why_others

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 20.0
"""Without any news; what was written by somebody else may have to be put right."""
_SHORTEST_ROUND_S = 0.3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0

T = TypeVar("T")


class Shared(Struct, frozen=True):
    """What all drivers of an operator have together."""

    session: KubeSession
    pods: PodView
    calls: ThreadPoolExecutor
    """Where requests to the API server wait for their answers."""
    readers: ThreadPoolExecutor
    """Where clients' questions are answered."""
    monitor: OperatorMonitor


class Driver:
    """Belongs to the event loop, but for `wake`."""

    def __init__(self, resource: Json, shared: Shared) -> None:
        self._shared = shared
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._news.set()
        self._objects = Objects(
            resource, shared.session, shared.pods.store_of(resource["metadata"]["namespace"])
        )
        self._events = EventBook(resource, shared.session, time.time)
        self._annotations = Annotations(self._objects)
        self._engine: ClusterEngine | None = None
        self._unkept: Orders | None = None
        """What people have ordered, while the RayCluster does not have it yet."""
        self._spec: ClusterSpec | None = None
        """Of the newest version of the RayCluster that makes sense."""
        self._good: Json = {}
        """The `spec` of that version."""
        self._read = 0
        """Generation of the newest version that was read."""
        self._said: set[str] = set()
        self._failure: Failure | None = None
        self._gone = False
        self._due_s = 0.0
        """Seconds until something is to be written that had to wait; 0 when nothing is."""

    @property
    def uid(self) -> str:
        """Of the RayCluster."""
        return self._objects.uid

    @property
    def began(self) -> str:
        """When the RayCluster was made, as Kubernetes writes times."""
        return str(self._objects.resource["metadata"]["creationTimestamp"])

    @property
    def _cluster(self) -> Cluster:
        return self._objects.namespace, self._objects.name

    def update(self, resource: Json) -> None:
        """Take in a newer version of the RayCluster."""
        self._objects.take(resource)
        self._news.set()

    def wake(self) -> None:
        """Have it looked at again soon; from any thread."""
        # A round of the engine that outlives the loop has nobody left to wake.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._news.set)

    async def run(self) -> None:
        """Drive the cluster until it is gone; cancelled, it stops and leaves all as it is."""
        pause = 0.0
        try:
            while not self._gone:
                await self._next_news(pause)
                try:
                    await self._round()
                    pause = 0.0
                except ProviderError as error:
                    pause = min(max(_FIRST_PAUSE_S, 2 * pause), _LONGEST_PAUSE_S)
                    self._note(logging.WARNING, "round failed", error=str(error), pause_s=pause)
                except Exception:
                    pause = min(max(_FIRST_PAUSE_S, 2 * pause), _LONGEST_PAUSE_S)
                    _log.exception(
                        "round broke", extra={"fields": {"cluster": "/".join(self._cluster)}}
                    )
        finally:
            await self._stop_engine()

    async def _next_news(self, pause: float) -> None:
        await asyncio.sleep(max(pause, _SHORTEST_ROUND_S))
        try:
            await asyncio.wait_for(self._news.wait(), 0.0 if pause else self._patience_s)
        except TimeoutError:
            return
        finally:
            self._news.clear()

    @property
    def _patience_s(self) -> float:
        if self._unkept is not None:
            return _FIRST_PAUSE_S
        return min(_LOOK_EVERY_S, self._due_s or _LOOK_EVERY_S)

    async def _round(self) -> None:
        resource = self._objects.resource
        pods = self._shared.pods.of(*self._cluster)
        if why := why_others(resource, pods):
            await self._leave_alone(why)
            return
        if is_ending(resource):
            await self._end()
            return
        await self._call(self._remember)
        self._read_spec(resource)
        if self._spec is None:
            await self._call(self._events.post)
            return
        await self._call(partial(self._objects.hold, resource))
        kept = {**resource, "spec": self._good}
        if is_suspended(kept):
            await self._stop_engine()
        await self._call(partial(self._keep_up, kept, pods))
        if not is_suspended(kept) and self._engine is None:
            await self._start_engine(resource, pods)
        await self._roll(kept, pods)
        await self._call(partial(self._tell, kept, pods))

    def _read_spec(self, resource: Json) -> None:
        """See what a new version says; one that makes no sense changes nothing."""
        generation = resource["metadata"].get("generation", 0)
        if generation == self._read:
            return
        try:
            self._use(spec_for_operator(resource), resource)
        except ConfigErrors as errors:
            self._refuse("; ".join(str(one) for one in errors.problems))
        except Exception as error:  # a fault of ours is told as well, and the last version goes on
            _log.exception(
                "unreadable spec", extra={"fields": {"cluster": "/".join(self._cluster)}}
            )
            self._refuse(f"raytui cannot read it: {type(error).__name__}; its log says more")
        self._read = generation

    def _use(self, spec: ClusterSpec, resource: Json) -> None:
        self._failure = None
        self._good = resource["spec"]
        if self._engine is not None and spec != self._spec:
            self._engine.reload(spec)
        self._spec = spec

    def _refuse(self, words: str) -> None:
        self._events.say(Kind.WARNING, "InvalidSpec", words)
        self._failure = Failure("InvalidSpec", words)

    # The engine.

    async def _start_engine(self, resource: Json, pods: list[Pod]) -> None:
        assert self._spec is not None
        # Workers start Ray when GCS has answered them: then it may know of nodes and of demand.
        workers = [pod.instance for pod in pods if not pod.is_head]
        was_up = was_ready(resource) or any(worker.ray_started_at for worker in workers)
        namespace = self._objects.namespace
        store = self._shared.pods.store_of(namespace)
        engine = ClusterEngine(
            self._spec,
            PodProvider(self._spec, self._shared.session, namespace, pods=store),
            self._unkept or orders_of(self._objects.resource),
            head_starts=lambda: not was_up and self._head_starts(),
            news=self.wake,
            readers=self._shared.readers,
        )
        await engine.start()
        self._engine = engine
        self._shared.monitor.watch(self._cluster, engine.monitor)
        self._note(logging.INFO, "autoscaler started")

    async def _stop_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            self._shared.monitor.leave(self._cluster)
            await engine.close()
            # The lease is ours until all drivers have ended: nobody else writes this now.
            if not self._gone and not is_ending(self._objects.resource):
                self._unkept = engine.orders
                await self._call(self._remember)
            self._note(logging.INFO, "autoscaler stopped")

    def _head_starts(self) -> bool:
        pods = self._shared.pods.of(*self._cluster)
        return not any(pod.is_head and pod.is_ready for pod in pods)

    async def _roll(self, resource: Json, pods: list[Pod]) -> None:
        snapshot = self._engine.snapshot if self._engine is not None else None
        if self._engine is None or snapshot is None:
            return
        hashes = _hashes(resource)
        if not (old := old_pods(pods, hashes)):
            return
        for group, count in old.items():
            self._say_once(
                Kind.NORMAL, "Rolling", f"{count} pods of {group} are of an old template"
            )
        if leaving := next_to_leave(pods, hashes, snapshot):
            ack = await self._engine.replace(leaving, "the operator, for a new template")
            if ack.ok:
                self._events.say(Kind.NORMAL, "ReplacingWorkers", ack.text)

    # Requests: each of these is called in a thread.

    def _keep_up(self, resource: Json, pods: list[Pod]) -> None:
        """Service and head there, and gone what must go."""
        todo = upkeep(resource, pods, template_hash(resource, HEAD_GROUP))
        if todo.has_old_head:
            words = "the head keeps its old template: upgradeStrategy.type is not Recreate"
            self._say_once(Kind.NORMAL, "OldHead", f"{words} (generation {self._read})")
        for pod in todo.delete:
            self._events.say(Kind.NORMAL, "DeletedPod", f"deleted pod {pod.name}")
            self._objects.delete(pod)
        if is_suspended(resource):
            return
        if todo.needs_head and (why := why_others(resource, self._objects.pods())):
            raise TransientError(f"somebody else was quicker: {why}")
        try:
            self._objects.ensure_companions(resource)
            if todo.needs_head and self._objects.create_head(resource):
                self._events.say(Kind.NORMAL, "CreatedHeadPod", "created the head pod")
        except ProviderError as error:
            self._failure = Failure("FailedCreateHeadPod", str(error))
            self._events.say(Kind.WARNING, "FailedCreateHeadPod", str(error))
            self._tell(resource, pods)
            raise
        if self._failure is not None and self._failure.reason == "FailedCreateHeadPod":
            self._failure = None

    def _remember(self) -> None:
        """Keep people's orders, whatever else fails; tried again soon when it fails itself."""
        orders = self._engine.orders if self._engine is not None else self._unkept
        if orders is None:
            return
        try:
            self._annotations.remember(orders)
            self._unkept = None
        except ProviderError as error:
            self._unkept = orders
            self._note(logging.WARNING, "orders not kept yet", error=str(error))

    def _tell(self, resource: Json, pods: list[Pod]) -> None:
        """Status, summary and events, as far as they are new."""
        engine = self._engine
        snapshot = engine.snapshot if engine is not None else None
        failure = self._failure or (_launch_failure(snapshot) if snapshot is not None else None)
        service = self._objects.service
        seen = Seen({**self._objects.resource, "spec": resource["spec"]}, pods, service, failure)
        self._objects.write_status(status_of(seen, time.time()))
        if engine is not None:
            for event in engine.fresh_events():
                self._events.tell(event)
        if snapshot is not None:
            self._due_s = self._annotations.summarise(snapshot)
        self._events.post()

    async def _end(self) -> None:
        """Take away what was made for a RayCluster that is deleted, and let it go."""
        await self._stop_engine()  # nothing is launched any more when this returns
        left = partial(self._say_once, Kind.WARNING, "LeftToGarbageCollector")
        if await self._call(partial(self._objects.clear, left)):
            self._note(logging.INFO, "cluster deleted")
            self._gone = True
            await self._call(self._events.post)
        else:
            self._news.set()

    async def _leave_alone(self, why: str) -> None:
        await self._stop_engine()
        words = f"raytui's operator leaves this cluster alone: {why}"
        self._say_once(Kind.NORMAL, "LeftAlone", words)
        await self._call(self._objects.let_go)
        await self._call(self._events.post)

    def forget(self) -> None:
        """The RayCluster is gone, whoever has taken our finalizer away."""
        self._gone = True
        self._news.set()

    # Parts.

    def _say_once(self, kind: Kind, reason: str, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            self._events.say(kind, reason, words)

    async def _call(self, ask: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._shared.calls, ask)

    def _note(self, level: int, event: str, **fields: object) -> None:
        note(_log, level, event, cluster="/".join(self._cluster), **fields)


def _hashes(resource: Json) -> dict[str, str]:
    """By worker group: of what it says now."""
    groups = resource["spec"].get("workerGroupSpecs") or ()
    return {one["groupName"]: template_hash(resource, one["groupName"]) for one in groups}


def _launch_failure(snapshot: Snapshot) -> Failure | None:
    """Why workers cannot be made now, of what was told last."""
    if not snapshot.failures:
        return None
    newest = max(snapshot.failures, key=lambda one: one.failed_at)
    words = f"{newest.node_type}: {first_line(newest.message)}"
    return Failure("FailedCreateWorkerPod", words)
