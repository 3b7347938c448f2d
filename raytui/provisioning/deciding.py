"""What a node needs so that it is as the cluster file says: in Ray's order, and no more."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from raytui.provisioning.hashes import NodeHashes


class Change(StrEnum):
    """How far a node is from what it should be."""

    RELAUNCH = "relaunch"
    """Another machine or node type is wanted: nothing that is done here helps."""
    SET_UP = "set up"
    """Files, initialization commands, container, set-up commands."""
    RESYNC = "copy files"
    """Only what is in the files is different."""
    NOTHING = "nothing"


class Restarts(Struct, frozen=True):
    """What `raytui up` was told about restarts."""

    no_restart: bool = False
    """Leave Ray as it is on nodes that were set up before."""
    restart_only: bool = False
    """Run no set-up commands on nodes that were set up before."""


_AS_USUAL = Restarts()


class Work(Struct, frozen=True):
    """What is to be done on a node."""

    change: Change
    setup_commands: bool = False
    start_ray: bool = False


def decide(
    known: NodeHashes,
    wanted: NodeHashes,
    *,
    is_head: bool,
    same_type: bool = True,
    fresh: bool = False,
    container_waits: bool = False,
    restarts: Restarts = _AS_USUAL,
) -> Work:
    """Compare what a node was made from, by its tags, with what it should be made from.

    As Ray's updater (`_private/updater.py`): another launch hash means another machine, another
    runtime hash a full set-up, other contents a copy of the files. A container that has to be
    started makes everything count as undone (`container_waits`). `ray up` starts Ray on the head
    again each time; a worker's Ray is left alone unless the worker was set up.

    A machine that was set up before and is given as a new node (`fresh`) has no Ray running, and
    it is the machine that there is.
    """
    if not fresh and (not same_type or (known.launch and known.launch != wanted.launch)):
        return Work(Change.RELAUNCH)
    was_up = bool(known.runtime) and not fresh
    if known.runtime != wanted.runtime or container_waits:
        change = Change.SET_UP
    elif wanted.contents and known.contents != wanted.contents:
        change = Change.RESYNC
    else:
        change = Change.NOTHING
    set_up = change is Change.SET_UP
    return Work(
        change,
        setup_commands=set_up and (container_waits or not (restarts.restart_only and was_up)),
        start_ray=(set_up or is_head or fresh)
        and (container_waits or not (restarts.no_restart and was_up)),
    )
