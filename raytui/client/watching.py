"""A cluster on Kubernetes without an autoscaler of raytui: watched by an engine in this process.

The engine sees pods through the API server and Ray through a port that is forwarded to the head. It
changes nothing. It is served on a socket in a folder of its own, so that its clients are those of
any daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from raytui.autoscaler.cluster_info import info_of
from raytui.autoscaler.daemon.served_engine import ServedEngine
from raytui.autoscaler.engine import Engine
from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.driver import drivers_of
from raytui.backends.kubernetes.head_address import gcs_port
from raytui.backends.kubernetes.named import access_of, live
from raytui.backends.kubernetes.provider import KubeRayProvider
from raytui.backends.kubernetes.session import KubeSession
from raytui.client.transport import Stream, TransportError, UnixTransport
from raytui.config.locations import ClusterPaths
from raytui.config.problems import ConfigErrors
from raytui.launcher.pod_reach import reach_head
from raytui.model.command import Ack
from raytui.model.snapshot import Snapshot
from raytui.model.spec import ClusterSpec
from raytui.ray.base import RayError

_LOOK_EVERY_S = 10.0
_SETTLES_WITHIN_S = 3.0
_END_S = 1.0
"""How long the end waits for a round under way, which changes nothing."""


async def watched(spec: ClusterSpec, why: str) -> Stream:
    """A conversation with an engine that only watches, because of `why`.

    It ends when there is somebody to ask instead. Raises TransportError when not even the
    RayCluster can be read.
    """
    logging.getLogger("raytui").addHandler(logging.NullHandler())  # stderr is the terminal's
    folder = Path(tempfile.mkdtemp(prefix="raytui-watch-"))
    # A whole path is its own, below whatever folder it is named.
    paths = ClusterPaths(str(folder))
    way = HeadWay(spec)
    settled = asyncio.Event()

    def settle(snapshot: Snapshot) -> None:
        """Nodes that run are taken in by the first round, and known as such in the second."""
        if snapshot.seq > 1:
            settled.set()

    served = ServedEngine(
        spec.cluster_name,
        paths,
        lambda: _engine(spec, paths, way, why),
        lambda engine: _reloaded(spec, engine),
        stop=lambda: Ack(False, "nothing runs here that could be stopped"),
        take=_seen,
        show=settle,
    )
    try:
        await served.start()
        stream = await UnixTransport(paths.socket).open()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(settled.wait(), _SETTLES_WITHIN_S)
    except (ProviderError, ConfigErrors, RayError) as error:
        _clear(way, folder)
        raise TransportError(str(error)) from error
    except BaseException:
        _clear(way, folder)
        raise
    return _Watching(stream, served, spec, lambda: _clear(way, folder))


class HeadWay:
    """The way to GCS of whichever pod is the head: a forwarded port. Thread-safe."""

    def __init__(self, spec: ClusterSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._is_begun = False

    def address(self) -> str:
        """`ip:port` on this machine, made anew each time; empty the first. Raises RayError."""
        with self._lock:
            self._open.close()
            if not self._is_begun:
                # Who is made with it does not ask Ray yet, and is made without a head, too.
                self._is_begun = True
                return ""
            try:
                reach = reach_head(self._spec)
                there = gcs_port(self._spec.head.node_config)
                return f"127.0.0.1:{self._open.enter_context(reach.forward(there))}"
            except ProviderError as error:
                raise RayError(str(error)) from error

    def close(self) -> None:
        """Let go of the port."""
        with self._lock:
            self._open.close()


class _Watching:
    """The conversation, and an eye on what ends it."""

    def __init__(
        self, stream: Stream, served: ServedEngine, spec: ClusterSpec, clear: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._served = served
        self._spec = spec
        self._clear = clear
        self._looking = asyncio.create_task(self._look(), name=f"look after {spec.cluster_name}")

    async def read(self) -> bytes:
        return await self._stream.read()

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)

    async def close(self) -> TransportError | None:
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        await self._stream.close()
        await self._served.close(wait_s=_END_S)
        await asyncio.to_thread(self._clear)
        return None

    async def _look(self) -> None:
        """Reload when the resource has changed; end when somebody drives the cluster."""
        seen = 0
        session, access = KubeSession(access_of(self._spec)), access_of(self._spec)
        name = self._spec.cluster_name
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                drivers = await asyncio.to_thread(drivers_of, session, access.namespace, name)
                now = await asyncio.to_thread(live, session, name, access)
            except (ProviderError, ConfigErrors):
                continue  # the engine's own sources say so
            if drivers.pods:
                await self._stream.close()
                return
            generation = now.provider.options["resource"]["metadata"].get("generation", 0)
            if seen and generation != seen:
                self._served.reload_soon("the RayCluster changed")
            seen = generation


def _engine(spec: ClusterSpec, paths: ClusterPaths, way: HeadWay, why: str) -> Engine:
    """Made in the engine's own thread, since Ray is a heavy import."""
    from raytui.autoscaler.loop.ledger import Ledger
    from raytui.autoscaler.loop.reconciler import Reconciler
    from raytui.ray.gcs import GcsRay

    access = access_of(spec)
    session = KubeSession(access)
    now = live(session, spec.cluster_name, access)
    provider = KubeRayProvider(now, paths, session)
    info, ray = info_of(now), GcsRay(way.address)
    return Reconciler(now, provider, ray, Ledger(None), info=info, watch_only=why)


def _reloaded(spec: ClusterSpec, engine: Engine) -> Ack:
    access = access_of(spec)
    try:
        now = live(KubeSession(access), spec.cluster_name, access)
    except (ProviderError, ConfigErrors) as error:
        return Ack(False, f"nothing was changed: {error}")
    return Ack(True, engine.reload(now))


def _seen(_: Snapshot) -> None:
    """Nobody keeps what is only watched."""


def _clear(way: HeadWay, folder: Path) -> None:
    way.close()
    shutil.rmtree(folder, ignore_errors=True)
