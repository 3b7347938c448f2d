"""Why nodes do not come: the kinds of failures, and what keeps a node from starting."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class FailureKind(StrEnum):
    """Why a launch failed; decides how widely and how long it is avoided."""

    CAPACITY = "capacity"
    QUOTA = "quota"
    AUTH = "auth"
    CONFIG = "config"
    THROTTLED = "throttled"
    TRANSIENT = "transient"
    SETUP = "setup"
    INTERRUPTED = "interrupted"
    """What was launched is taken back, or may be: others are better, but it is not refused."""


class Obstacle(Struct, frozen=True, omit_defaults=True):
    """What keeps a machine that was given from becoming a Ray node, as its provider tells."""

    kind: FailureKind
    words: str
    """The provider's own."""
    heals: bool = True
    """It may pass without anybody's doing; otherwise there is nothing to wait for."""
