"""The daemon of a real cluster: its provider, its Ray, its ledger, put together and served."""

from __future__ import annotations

import os
import time
from functools import partial

from raytui.autoscaler.cluster_info import info_of
from raytui.autoscaler.daemon.cluster_file import ClusterFile
from raytui.autoscaler.daemon.cluster_resource import ClusterResource
from raytui.autoscaler.daemon.first_look import when_it_can_be_read
from raytui.autoscaler.daemon.process import run_daemon
from raytui.autoscaler.engine import Engine
from raytui.autoscaler.metrics.endpoint import EndpointError, open_endpoint
from raytui.autoscaler.metrics.monitor import Monitor
from raytui.backends.abilities import (
    HeadMoves,
    HeadProvider,
    ReadsItsSpec,
    WorksInBackground,
    filled,
    notices_of,
)
from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from raytui.model.snapshot import Level
from raytui.model.spec import ClusterSpec
from raytui.provisioning.registry import provider_for


class NoHeadError(Exception):
    """There is no head to drive; `str()` says what to do."""


def serve(target: str, *, on_stderr: bool = True) -> None:
    """Be the autoscaler of the cluster that `target` (a file or a name) means, until stopped.

    Raises ConfigErrors, UnknownClusterError, LockHeldError, NoHeadError, BadSettingError,
    TooManyFailuresError, and the typed errors of provider, Ray and ledger when they cannot be used.
    """
    spec = when_it_can_be_read(target)
    paths = _made(ClusterPaths(spec.state_name))
    provider = provider_for(spec, paths)
    file = _followed(target, spec, paths, provider)
    monitor = Monitor(spec.cluster_name, paths.ledger)
    try:
        run_daemon(
            spec.cluster_name,
            paths,
            lambda: _engine(spec, file, provider, paths, monitor),
            file.reload,
            changed=file.changed,
            monitor=monitor,
            on_stderr=on_stderr,
        )
    finally:
        if isinstance(provider, WorksInBackground):
            provider.close()


def _made(paths: ClusterPaths) -> ClusterPaths:
    try:
        return paths.make()
    except OSError as error:
        raise OSError(
            f"nowhere to keep the ledger: {error}; set XDG_STATE_HOME to a folder that can be "
            "written"
        ) from error


def _followed(
    target: str, spec: ClusterSpec, paths: ClusterPaths, provider: HeadProvider
) -> ClusterFile | ClusterResource:
    """What says what the cluster is to be: the API server, which makes heads, too; or a file."""
    if isinstance(provider, ReadsItsSpec):
        return ClusterResource(provider, paths, spec)
    if not provider.head_address():
        raise NoHeadError(
            f"no head of {spec.cluster_name} is running; start it: raytui up {target}"
        )
    return ClusterFile(
        target,
        paths,
        spec.source,
        fill=partial(filled, provider),
        # `raytui up` brings the head's copy before it has another daemon started: the old one is
        # not to begin with the workers meanwhile.
        follows=not spec.on_head,
    )


def _engine(
    written: ClusterSpec,
    file: ClusterFile | ClusterResource,
    provider: HeadProvider,
    paths: ClusterPaths,
    monitor: Monitor,
) -> Engine:
    # Here, in the engine's own thread: Ray is a heavy import and must not delay a refusal.
    from raytui.autoscaler.loop.ledger_rescue import open_ledger
    from raytui.autoscaler.loop.reconciler import Reconciler
    from raytui.ray.gcs import GcsRay

    spec = file.fill(written)
    provider.reload(spec)  # it starts Ray with the resources that are planned with
    address = provider.head_address()
    moves = isinstance(provider, HeadMoves)
    ray = GcsRay(provider.head_address if moves else address)
    metrics_url, trouble = "", ""
    try:
        endpoint = open_endpoint(spec.metrics, monitor)
    except EndpointError as error:
        trouble = str(error)
    else:
        if endpoint is not None:
            metrics_url = endpoint.url
        if endpoint is not None and not moves:
            monitor.announce(ray.announce_metrics, endpoint.address(address))
    info = info_of(
        spec,
        gcs_address=address,
        dashboard_url=provider.dashboard_url(),
        daemon_pid=os.getpid(),
        metrics_url=metrics_url,
    )
    engine = Reconciler(spec, provider, ray, open_ledger(paths.ledger, time.time()), info=info)
    if trouble:
        engine.note(Level.WARNING, trouble)
    for words in notices_of(provider):
        engine.note(Level.WARNING, words)
    if isinstance(file, ClusterFile):
        remember(paths, written)
    if isinstance(provider, WorksInBackground):
        provider.start()
    return engine
