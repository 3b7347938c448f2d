"""Where a cluster's daemon is, seen from this machine: that decides how all of it is reached."""

from __future__ import annotations

from enum import Enum, auto

from raytui.model.spec import ClusterSpec

_HERE = "fake_multinode"
_KUBERNETES = "kuberay"


class Place(Enum):
    """Of a daemon, and of the head beside it."""

    HERE = auto()
    """On this machine."""
    HEAD = auto()
    """On another machine, the head, which is reached by SSH."""
    KUBERNETES = auto()
    """In a pod, which is reached through the API server."""


def place_of(spec: ClusterSpec) -> Place:
    """Where the daemon of a cluster is."""
    if spec.provider.type == _KUBERNETES:
        return Place.KUBERNETES
    return Place.HERE if spec.provider.type == _HERE or spec.on_head else Place.HEAD
