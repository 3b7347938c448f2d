"""The daemon of a real cluster: its provider, its Ray, its ledger, put together and served."""

from __future__ import annotations

import os
import time

from raytui.autoscaler.daemon.process import run_daemon
from raytui.autoscaler.engine import Engine
from raytui.backends.registry import provider_for
from raytui.config.launched import recall, remember
from raytui.config.locations import ClusterPaths
from raytui.config.problems import ConfigErrors
from raytui.config.target import UnknownClusterError, cluster_of
from raytui.model.command import Ack
from raytui.model.snapshot import ClusterInfo
from raytui.model.spec import ClusterSpec


class NoHeadError(Exception):
    """There is no head to drive; `str()` says what to do."""


def serve(target: str, *, on_stderr: bool = True) -> None:
    """Be the autoscaler of the cluster that `target` (a file or a name) means, until stopped.

    Raises ConfigErrors, UnknownClusterError, LockHeldError, NoHeadError, and the typed errors of
    provider, Ray and ledger when they cannot be used.
    """
    spec = cluster_of(target)
    paths = ClusterPaths(spec.cluster_name).make()
    provider = provider_for(spec, paths)
    if not provider.head_address():
        raise NoHeadError(
            f"no head of {spec.cluster_name} is running; start it: raytui up {target}"
        )
    run_daemon(
        spec.cluster_name,
        paths,
        lambda: _engine(spec, paths),
        lambda engine: _reload(engine, target, paths),
        on_stderr=on_stderr,
    )


def _engine(spec: ClusterSpec, paths: ClusterPaths) -> Engine:
    # Here, in the engine's own thread: Ray is a heavy import and must not delay a refusal.
    from raytui.autoscaler.loop.ledger_rescue import open_ledger
    from raytui.autoscaler.loop.reconciler import Reconciler
    from raytui.ray.gcs import GcsRay

    provider = provider_for(spec, paths)
    address = provider.head_address()
    ray = GcsRay(address)
    info = ClusterInfo(
        cluster_name=spec.cluster_name,
        provider=spec.provider.type,
        gcs_address=address,
        dashboard_url=provider.dashboard_url(),
        daemon_pid=os.getpid(),
        source=spec.source,
        max_workers=spec.max_workers,
        upscaling_speed=spec.upscaling_speed,
        idle_timeout_s=spec.idle_timeout_s,
    )
    engine = Reconciler(spec, provider, ray, open_ledger(paths.ledger, time.time()), info=info)
    remember(paths, spec)
    return engine


def _reload(engine: Engine, target: str, paths: ClusterPaths) -> Ack:
    """Read the file again; a bad one, or another cluster's, changes nothing."""
    old = recall(paths)
    try:
        spec = cluster_of(old.source if old is not None and old.source else target)
    except (ConfigErrors, UnknownClusterError) as error:
        return Ack(False, f"nothing was changed: {error}")
    if old is not None and (spec.cluster_name, spec.provider) != (old.cluster_name, old.provider):
        return Ack(False, "nothing was changed: cluster_name and provider cannot change while up")
    changes = engine.reload(spec)
    remember(paths, spec)
    return Ack(True, changes)
