"""Why: a code plus arguments. The words are made in one place, `raytui.autoscaler.explain`."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Why(StrEnum):
    """Every reason raytui can give. The comment names the arguments."""

    # Why a demand waits, or where it goes.
    FITS_RUNNING = "fits-running"  # nodes, fallback (of a placement group, when it goes by one)
    WAITS_FOR_STARTING = "waits-for-starting"  # nodes (text "2 × cpu"), ready_at (0: ?), fallback
    MAX_WORKERS_TYPE = "max-workers-type"  # node_type, now, max, ceiling (when a person set it)
    MAX_WORKERS_GLOBAL = "max-workers-global"  # now, max
    UPSCALING_SPEED = "upscaling-speed"  # node_type, allowed, speed
    NO_TYPE_HAS = "no-type-has"  # resource
    TOO_LARGE = "too-large"  # resource, wanted, most, node_type
    NO_TYPE_LABELS = "no-type-labels"  # selector
    BACKING_OFF = "backing-off"  # node_type, offering, kind, message, retry_at
    GANG_TOO_FEW_NODES = "gang-too-few-nodes"  # strategy, wanted, possible, node_type
    GANG_BOUND = "gang-bound"  # strategy, node
    BUDGET = "budget"  # now, max, price (USD per hour)
    PAUSED = "paused"  # by
    NOT_OBSERVED = "not-observed"  # source, since
    DOUBTED = "doubted"  # source, doubt
    WATCHED = "watched"  # cause

    # Why a node is launched.
    MIN_WORKERS = "min-workers"  # node_type, floor
    USER_FLOOR = "user-floor"  # node_type, floor, by
    FOR_DEMAND = "for-demand"  # count, shape
    FOR_GANG = "for-gang"  # gang, strategy, fallback
    FOR_CONSTRAINT = "for-constraint"  # count, shape
    REPLACES = "replaces"  # count, shape: what runs on nodes that are taken back

    # Why a node type was taken or not.
    CHEAPEST = "cheapest"
    ONLY_FIT = "only-fit"
    BEST_MIX = "best-mix"  # part of the cheapest mix of types
    DEARER = "dearer"  # factor
    AS_GOOD = "as-good"  # same price; earlier in the file or of higher priority won
    SPARES_GPU = "spares-gpu"  # the type has GPUs and the work needs none
    NO_ROOM = "no-room"  # now, max
    DOES_NOT_FIT = "does-not-fit"  # what: a resource name or a label selector

    # Why a node stays.
    HEAD = "head"
    BUSY = "busy"  # activity
    IDLE = "idle"  # since, leaves_at
    HOLDS_OBJECTS = "holds-objects"  # bytes
    STARTING = "starting"  # status, since
    HELD = "held"  # by, until (0: without end)
    EXPECTED = "expected"  # shape: pending demand is about to run here
    UNMANAGED = "unmanaged"  # joined by hand, not ours to remove
    ORPHAN = "orphan"  # since, sweep_at (0: only by order)
    REMOVAL_BUDGET = "removal-budget"  # leaving, max
    QUIET_HOURS = "quiet-hours"  # until
    QUARANTINED = "quarantined"  # error

    # Why a node leaves.
    IDLE_TIMEOUT = "idle-timeout"  # idle_s, timeout_s
    OVER_MAX_TYPE = "over-max-type"  # node_type, max, ceiling (when a person set it)
    OVER_MAX_GLOBAL = "over-max-global"  # max
    TYPE_GONE = "type-gone"  # node_type
    ORPHAN_SWEPT = "orphan-swept"  # since, price (USD per hour; 0: not known)
    BY_COMMAND = "by-command"  # by
    ORDERED_SOON = "ordered-soon"  # by, at: an order that can still be taken back
    TAKEN_BACK = "taken-back"  # by, deadline
    AT_RISK = "at-risk"  # by
    DRAINED = "drained"  # deadline (0: none): by somebody else
    DRAINING = "draining"  # cause, deadline
    SETUP_FAILED = "setup-failed"  # message
    LAUNCH_FAILED = "launch-failed"  # message
    LOST = "lost"  # message
    TIMED_OUT = "timed-out"  # status, after_s


class Reason(Struct, frozen=True, omit_defaults=True):
    """A code and its arguments. Times are absolute (unix seconds) so that they never go stale."""

    why: Why
    args: dict[str, str | int | float] = {}


def because(why: Why, **args: str | int | float) -> Reason:
    """Short way to build a Reason."""
    return Reason(why, args)
