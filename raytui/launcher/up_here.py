"""Bring a cluster up whose machines are driven from here. Doing it twice does no harm."""

from __future__ import annotations

import contextlib
from importlib.metadata import PackageNotFoundError, version

from raytui.autoscaler.daemon.actor_lock import ActorLock, LockHeldError, holder
from raytui.backends.abilities import HeadProvider
from raytui.backends.base import ProviderError
from raytui.config.launched import forget, recall, remember
from raytui.config.locations import ClusterPaths
from raytui.launcher.daemon_process import daemon_runs, start_daemon, stop_daemon
from raytui.launcher.first_nodes import wait_for_first_nodes
from raytui.launcher.head import (
    HeadDiedError,
    find_head,
    head_answers,
    start_head,
    wait_for_gcs,
)
from raytui.launcher.options import UpOptions
from raytui.model.lifecycle import LEAVING
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance
from raytui.model.step import LaunchError, StepSink
from raytui.provisioning.progress import step
from raytui.provisioning.registry import provider_for


def up_here(spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink, options: UpOptions) -> None:
    """Bring the cluster up, or complete what is half up, telling each step to `on_step`.

    What runs is reused; a dead daemon is started again; a daemon that was started with another
    file or an older state of it is replaced. Raises LaunchError; a head that this call started
    and that never answered is taken away again.
    """
    paths.make()
    try:
        _bring_up(spec, paths, on_step)
    except ProviderError as error:
        raise LaunchError(str(error), error.detail) from error


def _bring_up(spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink) -> None:
    with step(on_step, "check Ray") as progress:
        provider = provider_for(spec, paths)
        progress.say(f"Ray {_ray_version()}")
    outdated = recall(paths) != spec or not head_answers(provider)
    if outdated and holder(paths.lock) is not None:
        with step(on_step, "stop the old autoscaler") as progress:
            stop_daemon(paths, progress)
    if not daemon_runs(paths):
        _bring_head_up(spec, paths, provider, on_step)
    with step(on_step, "start the autoscaler") as progress:
        if daemon_runs(paths):
            progress.skip("already running")
        else:
            start_daemon(spec, paths, progress)
    wait_for_first_nodes(paths, on_step)


def cluster_is_up(spec: ClusterSpec, paths: ClusterPaths) -> bool:
    """Whether the cluster's head runs, with or without its daemon. Raises ProviderError."""
    return recall(paths) is not None and _head_is_up(provider_for(spec, paths))


def _ray_version() -> str:
    """Ray's version as installed here, told without the second that importing Ray takes."""
    try:
        return version("ray")
    except PackageNotFoundError:
        raise LaunchError("Ray is not installed here: pip install 'raytui[ray]'") from None


def _head_is_up(provider: HeadProvider) -> bool:
    head = find_head(provider)
    return head is not None and head.status not in LEAVING


def _bring_head_up(
    spec: ClusterSpec, paths: ClusterPaths, provider: HeadProvider, on_step: StepSink
) -> None:
    """Head and GCS, under the cluster's lock: two people may say `up` at once."""
    try:
        with ActorLock(paths.lock, "up"):
            remember(paths, spec)
            known = find_head(provider)
            try:
                _start_head(spec, provider, on_step)
            except BaseException:
                _take_back(paths, provider, known)
                raise
    except LockHeldError as error:
        raise LaunchError(f"{error}; wait for it, or see `raytui status`") from error


def _start_head(spec: ClusterSpec, provider: HeadProvider, on_step: StepSink) -> None:
    with step(on_step, "start the head", "head") as progress:
        started = start_head(spec, provider, progress)
    try:
        with step(on_step, "wait for GCS", "head") as progress:
            wait_for_gcs(spec, provider, progress)
    except HeadDiedError:
        if started:
            raise
        # One that was there already was dying: a raylet outlives its GCS by a minute.
        _start_head(spec, provider, on_step)


def _take_back(paths: ClusterPaths, provider: HeadProvider, known: Instance | None) -> None:
    """Take away a head that was not there before; one that was is left for the next try."""
    head = find_head(provider)
    if head is not None and (known is None or head.instance_id != known.instance_id):
        with contextlib.suppress(ProviderError):
            provider.terminate([head.instance_id])
    if find_head(provider) is None:
        forget(paths)
