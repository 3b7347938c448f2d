"""Take a cluster down in a cloud: every machine with its tags ends, whatever of it is still alive.

The head is asked first to stop buying and to end its workers in order. What it has not ended, or
all when it cannot be asked, is ended from here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from raytui.backends.abilities import look_again
from raytui.backends.base import (
    Machines,
    ProtectedError,
    ProviderError,
    ThrottledError,
    TransientError,
)
from raytui.backends.cloud import Cloud
from raytui.config.launched import forget
from raytui.config.locations import ClusterPaths
from raytui.launcher.at_the_head import alone, at_the_head
from raytui.launcher.by_the_head import down_by_the_head, tidy_up
from raytui.launcher.head_place import (
    check_account,
    forget_head,
    head_request,
    heads_in,
    note_place,
    noted_place,
    place_of,
)
from raytui.launcher.options import DownOptions
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance
from raytui.model.step import LaunchError, StepSink
from raytui.model.text import count_text, duration_text, first_line
from raytui.provisioning.progress import Progress, step
from raytui.provisioning.registry import machines_for

_WITHIN_S = 600.0
_LOOK_EVERY_S = 2.0
_GOING = (InstanceStatus.TERMINATING, InstanceStatus.TERMINATED)


def down_bought(
    spec: ClusterSpec,
    paths: ClusterPaths,
    cloud: Cloud,
    on_step: StepSink,
    options: DownOptions,
) -> None:
    """End the cluster's machines, also without its head; twice does no harm. Raises LaunchError.

    With `workers_only` the head does it, and it and its autoscaler stay.
    """
    paths.make()
    try:
        with alone(paths, "down"):
            _down(spec, paths, cloud, on_step, options)
    except ProviderError as error:
        raise LaunchError(f"{spec.cluster_name} is not down: {error}", error.detail) from error


def _down(
    spec: ClusterSpec,
    paths: ClusterPaths,
    cloud: Cloud,
    on_step: StepSink,
    options: DownOptions,
) -> None:
    check_account(spec, paths, cloud)
    machines = machines_for(spec, paths)
    # An `up` that was cut off may have been given a head that nothing tells of yet.
    is_buying = head_request(paths).exists()
    with step(on_step, "find the machines") as progress:
        found = _there(machines)
        if found:
            progress.say(_words(found))
        elif is_buying:
            progress.say("none yet, but an `up` was cut off while it bought the head")
        else:
            progress.skip(f"none is there ({cloud.whose})")
    heads = heads_in(found, noted_place(paths))
    why = "there is no head"
    if heads and heads[0].ip:
        key = spec.auth.ssh_private_key or cloud.key_file(heads[0].instance_id)
        note_place(paths, place_of(heads[0], cloud, key))
        why = _in_order(spec, paths, on_step, options)
    if options.workers_only:
        if why:
            raise LaunchError(f"{spec.cluster_name}: its workers were not ended: {why}")
        return
    if found or is_buying:
        with step(on_step, "terminate the machines") as progress:
            _end_all(machines, progress, options, in_order=not why and not is_buying)
    if options.shared_parts:
        _remove_parts(cloud, on_step)
    forget(paths)
    forget_head(paths)


def _in_order(
    spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink, options: DownOptions
) -> str:
    """Have the head end its workers and its autoscaler; why it did not, or empty."""
    try:
        with at_the_head(spec, paths, "down", on_step, options.login_within_s) as reach:
            asked = msgspec.structs.replace(options, keep_head=not options.workers_only)
            trouble = down_by_the_head(reach, on_step, asked)
            if trouble is None and not options.workers_only:
                tidy_up(spec, reach, on_step)
            return trouble.words if trouble else ""
    except (LaunchError, ProviderError) as error:
        return first_line(str(error))


def _end_all(
    machines: Machines, progress: Progress, options: DownOptions, *, in_order: bool
) -> None:
    """End what is there until nothing comes after it; raises LaunchError when it does not end.

    A head that may still buy goes first, and then a while has to pass in which nothing appears:
    what it, or an `up` that was cut off, had asked for last is listed only some seconds later.
    What somebody protects stays, and is named when all else has ended.
    """
    protected: dict[str, ProtectedError] = {}
    end = time.monotonic() + _WITHIN_S
    last = time.monotonic()
    while time.monotonic() < end:
        found = [one for one in _there(machines) if one.is_head or not options.keep_min_workers]
        found = [one for one in found if one.instance_id not in protected]
        staying = [one for one in found if one.status not in _GOING]
        heads = [one for one in staying if one.is_head]
        if staying:
            last = time.monotonic()
            going = staying if in_order else heads or staying
            try:
                _terminate(machines, going, progress)
            except ProtectedError as error:
                protected |= dict.fromkeys(error.instance_ids, error)
                continue
        else:
            buys = not in_order and any(one.is_head for one in found)
            if in_order or (not buys and time.monotonic() - last >= options.settle_s):
                break
        time.sleep(min(_LOOK_EVERY_S, options.settle_s))
    else:
        left = ", ".join(one.instance_id for one in _there(machines))
        raise LaunchError(f"still there after {duration_text(_WITHIN_S)}: {left}")
    if protected:
        raise LaunchError("; ".join(dict.fromkeys(map(str, protected.values()))))


def _remove_parts(cloud: Cloud, on_step: StepSink) -> None:
    """What `up` has made beside machines; what others use stays, and is told of."""
    with step(on_step, "look up what was made") as progress:
        parts = cloud.made_parts()
        progress.say(", ".join(part.kind for part in parts) or "nothing is left")
    failed = []
    for part in parts:
        try:
            with step(on_step, f"remove the {part.kind} {part.name}") as progress:
                if why := part.remove():
                    progress.skip(f"it stays: {why}")
        except ProviderError as error:
            failed.append(f"{part.kind} {part.name}: {error}")
    if failed:
        raise LaunchError(f"the machines are down, but not removed was {'; '.join(failed)}")


def _terminate(machines: Machines, going: Sequence[Instance], progress: Progress) -> None:
    """What may pass by itself is for the next look to try again."""
    progress.say(_words(going))
    try:
        machines.terminate([one.instance_id for one in going])
    except (TransientError, ThrottledError) as error:
        progress.say(first_line(str(error)))


def _there(machines: Machines) -> list[Instance]:
    """All that has not ended; what ended by itself is no longer there."""
    look_again(machines, at_once=True)
    gone = (InstanceStatus.TERMINATED, InstanceStatus.LOST)
    return [one for one in machines.list_instances() if one.status not in gone]


def _words(found: Sequence[Instance]) -> str:
    """`1 head, 4 workers`."""
    workers = sum(not one.is_head for one in found)
    parts = (
        count_text(len(found) - workers, "head") if workers < len(found) else "",
        count_text(workers, "worker") if workers else "",
    )
    return ", ".join(part for part in parts if part)
