"""What a person says beside the cluster file when a cluster is brought up or taken down."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from raytui.provisioning.deciding import Restarts

Question = Callable[[str], bool]
"""Asks a person to agree; the text is one or more whole sentences, without the question mark."""


def agree(_: str) -> bool:
    """The answer where nobody is asked."""
    return True


class UpOptions(Struct, frozen=True):
    """How a cluster is brought up."""

    restarts: Restarts = Restarts()
    rays_autoscaler: bool = False
    """Ray's own autoscaler scales, and ours watches only."""
    ask: Question | None = None
    """Asked before the Ray of a head that is up is started again; None: it is left as it is."""
    relaunch: Question | None = None
    """Asked before the machine of a head that was made from another file is ended for a new one;
    None: it is left as it is."""
    trust: Question | None = None
    """Asked before unknown host keys of workers are pinned; None: they are an error."""
    login_within_s: float = 60.0
    """How long the head may take to let us in."""
    boot_within_s: float = 900.0
    """The same for a machine that was just bought (Ray's AUTOSCALER_NODE_START_WAIT_S)."""


class DownOptions(Struct, frozen=True):
    """What is left of a cluster that is taken down."""

    workers_only: bool = False
    """Head and autoscaler stay."""
    keep_min_workers: bool = False
    """Of each node type as many workers stay as its floor says."""
    keep_head: bool = False
    """The machine of the head stays, since somebody else ends it: who asks from there for an end of
    all else."""
    shared_parts: bool = False
    """Stopped machines end, too, and what `up` has made beside machines goes where nothing else
    uses it."""
    login_within_s: float = 30.0
    settle_s: float = 10.0
    """How long nothing may appear before a cloud is believed that nothing is left, where a head
    that buys machines could not be told to stop."""
