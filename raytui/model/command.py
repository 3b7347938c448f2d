"""What a person asks for: an intent bound to ids at the moment it was made."""

from __future__ import annotations

from msgspec import Struct

from raytui.model.resources import Resources


class SetFloor(Struct, frozen=True, tag="set-floor"):
    """Keep at least `floor` nodes of a type; None gives the type its min_workers back."""

    node_type: str
    floor: int | None


class SetCeiling(Struct, frozen=True, tag="set-ceiling"):
    """Have at most `ceiling` nodes of a type; None leaves only its max_workers.

    What runs above it is drained. It goes before a floor.
    """

    node_type: str
    ceiling: int | None


class Terminate(Struct, frozen=True, tag="terminate", omit_defaults=True):
    """Drain the given instances, then terminate them, at the latest after `drain_s` seconds.

    There is no drain alone: Ray cannot take a drain back, and its node would end all the same.
    """

    instance_ids: tuple[str, ...]
    drain_s: float | None = None
    """None: as `removal.drain_deadline` of the cluster file says."""
    wait_s: float = 0.0
    """Seconds until it begins. Until then `KeepNodes` takes it back; Ray takes no drain back."""


class KeepNodes(Struct, frozen=True, tag="keep"):
    """Take back the orders to terminate these nodes that have not begun."""

    instance_ids: tuple[str, ...]


class SweepOrphans(Struct, frozen=True, tag="sweep"):
    """Terminate the given orphans; refused when one of them is none."""

    instance_ids: tuple[str, ...]


class HoldNodes(Struct, frozen=True, tag="hold"):
    """Protect nodes from removal until a moment (unix seconds; 0: until released)."""

    instance_ids: tuple[str, ...]
    until: float = 0.0


class ReleaseNodes(Struct, frozen=True, tag="release"):
    """Take a hold away."""

    instance_ids: tuple[str, ...]


class RetrySetup(Struct, frozen=True, tag="retry-setup"):
    """Try the failed set-up steps of instances again now."""

    instance_ids: tuple[str, ...]


class RequestResources(Struct, frozen=True, tag="request-resources"):
    """`request_resources`: make sure that these (shape, count) exist; empty cancels."""

    bundles: tuple[tuple[Resources, int], ...]


class Pause(Struct, frozen=True, tag="pause"):
    """Stop acting; keep watching and explaining."""


class Resume(Struct, frozen=True, tag="resume"):
    """Act again."""


class Reload(Struct, frozen=True, tag="reload"):
    """Read the cluster YAML again; a bad file changes nothing."""


class Stop(Struct, frozen=True, tag="stop"):
    """Stop the daemon; nodes stay."""


Command = (
    SetFloor
    | SetCeiling
    | Terminate
    | KeepNodes
    | SweepOrphans
    | HoldNodes
    | ReleaseNodes
    | RetrySetup
    | RequestResources
    | Pause
    | Resume
    | Reload
    | Stop
)
"""Any of the above."""


class Ack(Struct, frozen=True, omit_defaults=True):
    """The answer to a command: done (with what it did), or refused (with why)."""

    ok: bool
    text: str


class Impact(Struct, frozen=True, omit_defaults=True):
    """What dies with a node: shown before a person confirms."""

    instance_id: str
    node_type: str = ""
    tasks: tuple[str, ...] = ()
    """Running tasks, `name ×count`."""
    actors: tuple[str, ...] = ()
    placement_groups: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    """Job drivers that run on the node."""
    object_bytes: int = 0
    """Bytes in the node's object store; copies elsewhere are not known."""
    notes: tuple[str, ...] = ()
    """What could not be found out, in words."""
