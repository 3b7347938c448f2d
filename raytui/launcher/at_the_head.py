"""The way to the head for whoever changes the cluster: logged in, and nobody else at it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from raytui.autoscaler.daemon.actor_lock import ActorLock, LockHeldError
from raytui.autoscaler.daemon.control import claimed_name
from raytui.config.locations import ClusterPaths
from raytui.launcher.head_notes import claimed
from raytui.launcher.reach import HeadReach
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, StepSink
from raytui.provisioning.login import wait_for_login
from raytui.provisioning.progress import step


@contextmanager
def at_the_head(
    spec: ClusterSpec, paths: ClusterPaths, what: str, on_step: StepSink, within_s: float
) -> Iterator[HeadReach]:
    """The head, logged in to, with nobody else at work on the cluster, here or on other machines.

    Raises LaunchError when somebody is, and ProviderError when the head cannot be reached.
    """
    owner = f"{claimed_name()} (raytui {what}, {paths.dir})"
    with ExitStack() as stack:
        try:
            # Not the daemon's lock: it is that cluster's, too, where this machine is its head.
            stack.enter_context(ActorLock(paths.dir / "launch.lock", what))
        except LockHeldError as error:
            raise LaunchError(f"{error}; try again when it is done") from error
        reach = stack.enter_context(HeadReach(spec, paths))
        with step(on_step, "reach the head") as progress:
            progress.say(reach.address)
            wait_for_login(reach.host, progress, threading.Event(), within_s=within_s)
            progress.say(reach.address)
        stack.enter_context(claimed(reach.host, spec.cluster_name, owner))
        yield reach
