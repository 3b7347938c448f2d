"""The operator's process: one leads, watches RayClusters, and drives each of them until stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec import Struct

from raytui.autoscaler.daemon.log import note, start_log_on_stderr
from raytui.autoscaler.metrics.endpoint import open_endpoint
from raytui.backends.base import TransientError
from raytui.backends.kubernetes import raycluster as cluster_api
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.session import KubeSession
from raytui.model.spec import MetricsSpec
from raytui.operator.driver import Shared
from raytui.operator.drivers import Drivers
from raytui.operator.lease import Leadership
from raytui.operator.monitor import OperatorMonitor
from raytui.operator.pod_view import Cluster, PodView
from raytui.operator.watching import Watching

_log = logging.getLogger(__name__)

_CALLS, _READERS = 16, 8
"""Threads that wait for the API server, and that answer clients."""
_LIST_S = 120.0
_LEASE_ANSWER_S = 3.0
_TRY_EVERY_S = 3.0
_BEAT_EVERY_S = 2.0
_LOST = 1
"""Exit code of an operator that leads no longer: it is started anew, and stands by."""


class OperatorError(Exception):
    """The operator cannot go on; `str()` is one sentence."""


class Options(Struct, frozen=True):
    """How an operator runs."""

    access: Access = Access()
    namespaces: tuple[str, ...] = ()
    """Where it drives RayClusters; empty: everywhere."""
    lease_namespace: str = ""
    """Empty: its own."""
    elects: bool = True
    port: int = 0
    """Of metrics and health, on all addresses; 0: nowhere."""


def run_operator(options: Options) -> None:
    """Drive RayClusters until SIGTERM or SIGINT; pods stay.

    Raises ProviderError when the API server cannot be used at all, EndpointError and OperatorError.
    An operator that loses its lease ends at once, without any clean-up: another one acts.
    """
    start_log_on_stderr("kopf", "asyncio")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    session = KubeSession(options.access)
    note(_log, logging.INFO, "operator starts", who=session.who, namespaces=options.namespaces)
    monitor = OperatorMonitor(session.calls)
    open_endpoint(MetricsSpec(host="0.0.0.0", port=options.port), monitor)  # noqa: S104 (its pod)
    if not _wait_for_resource(session, stopping):
        return
    leadership = _leadership(options, session)
    if leadership is not None and not leadership.acquire(stopping.is_set):
        return
    try:
        monitor.leads()
        asyncio.run(_drive(options, session, monitor, stopping))
    finally:
        if leadership is not None:
            leadership.release()
    note(_log, logging.INFO, "operator stopped")


def _leadership(options: Options, session: KubeSession) -> Leadership | None:
    if not options.elects:
        return None
    return Leadership(
        KubeSession(options.access, attempts=1, read_s=_LEASE_ANSWER_S),
        options.lease_namespace or session.namespace,
        f"{socket.gethostname()}-{secrets.token_hex(4)}",
        lost=lambda: os._exit(_LOST),
    )


def _wait_for_resource(session: KubeSession, stopping: threading.Event) -> bool:
    """Wait until the server knows what a RayCluster is; False when told to stop meanwhile."""
    said = ""
    while not stopping.is_set():
        try:
            session.get(cluster_api.API)
            return True
        except NotFoundError:
            words = "the server does not know RayClusters yet: install their definition"
        except TransientError as error:
            words = str(error)
        if words != said:
            note(_log, logging.WARNING, "waiting", why=words)
            said = words
        stopping.wait(_TRY_EVERY_S)
    return False


async def _drive(
    options: Options, session: KubeSession, monitor: OperatorMonitor, stopping: threading.Event
) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    failure: list[BaseException | None] = []

    def stop() -> None:
        stopping.set()
        ended.set()

    def fail(error: BaseException | None) -> None:
        failure.append(error)
        monitor.failed(str(error))
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if stopping.is_set():
        return

    drivers: Drivers

    def pods_changed(cluster: Cluster) -> None:
        _in(loop, lambda: drivers.look_at(cluster))

    with (
        ThreadPoolExecutor(_CALLS, thread_name_prefix="call") as calls,
        ThreadPoolExecutor(_READERS, thread_name_prefix="reader") as readers,
    ):
        pods = PodView(session, options.namespaces, pods_changed)
        beating = asyncio.create_task(_beat(monitor, pods))
        drivers = Drivers(Shared(session, pods, calls, readers, monitor))
        watching = Watching(
            options.access,
            options.namespaces,
            lambda kind, thing: _in(loop, partial(drivers.saw, kind, thing)),
            lambda error: _in(loop, partial(fail, error)),
        )
        try:
            await asyncio.to_thread(pods.start, _LIST_S)
            watching.start()
            note(_log, logging.INFO, "operator drives")
            await ended.wait()
        finally:
            note(_log, logging.INFO, "operator stops", clusters=len(drivers))
            await asyncio.to_thread(watching.close)
            await drivers.close()
            await asyncio.to_thread(pods.close)
            beating.cancel()
    if failure:
        raise OperatorError(f"RayClusters are not watched any more: {failure[0]}")


async def _beat(monitor: OperatorMonitor, pods: PodView) -> None:
    """Show that the event loop lives, and say once why pods cannot be known."""
    said = ""
    while True:
        monitor.beat()
        trouble = pods.trouble()
        if trouble and trouble != said:
            note(_log, logging.WARNING, "pods are not known", why=trouble)
        said = trouble
        await asyncio.sleep(_BEAT_EVERY_S)


def _in(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    """Have something done in a loop that may have ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(work)
