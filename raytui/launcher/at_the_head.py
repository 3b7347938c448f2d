"""The way to the head for whoever changes the cluster: logged in, and nobody else at it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

from raytui.autoscaler.daemon.actor_lock import ActorLock, LockHeldError
from raytui.autoscaler.daemon.control import claimed_name
from raytui.config.locations import ClusterPaths
from raytui.launcher.head_notes import claimed
from raytui.launcher.reach import HeadReach
from raytui.model.plan import FailureKind
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, StepSink
from raytui.provisioning.login import PATIENT, wait_for_login
from raytui.provisioning.progress import step


@contextmanager
def alone(paths: ClusterPaths, what: str) -> Iterator[None]:
    """Nobody else on this machine is at work on the cluster; raises LaunchError when somebody is.

    It is not the daemon's lock: that one is the same cluster's where this machine is its head.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(ActorLock(paths.dir / "launch.lock", what))
        except LockHeldError as error:
            raise LaunchError(f"{error}; try again when it is done") from error
        yield


@contextmanager
def at_the_head(
    spec: ClusterSpec,
    paths: ClusterPaths,
    what: str,
    on_step: StepSink,
    within_s: float,
    patient: Collection[FailureKind] = PATIENT,
) -> Iterator[HeadReach]:
    """The head, logged in to, with nobody at work on the cluster from other machines.

    Raises LaunchError when somebody is, and ProviderError when the head cannot be reached: what is
    `patient` may pass within `within_s`.
    """
    owner = f"{claimed_name()} (raytui {what}, {paths.dir})"
    with HeadReach(spec, paths) as reach:
        with step(on_step, "reach the head") as progress:
            progress.say(reach.address)
            wait_for_login(
                reach.host, progress, threading.Event(), within_s=within_s, patient=patient
            )
            progress.say(reach.address)
        with claimed(reach.host, spec.cluster_name, owner):
            yield reach
