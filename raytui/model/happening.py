"""What a provider's own control plane said of a node, in its words."""

from __future__ import annotations

from msgspec import Struct


class Happening(Struct, frozen=True, omit_defaults=True):
    """One event, such as those of Kubernetes; what came again is one with a count."""

    at: float
    """Unix seconds; of the last time."""
    reason: str
    """One word: `FailedScheduling`, `BackOff`."""
    message: str = ""
    is_warning: bool = False
    count: int = 1
    source: str = ""
    """Who says so: `kubelet`, `default-scheduler`."""
    about: str = ""
    """What it is of, where that is not what was asked for: `Pod demo-head`."""
