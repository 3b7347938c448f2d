"""Why a stream to raytui on a head has ended: ssh's words and the head's, in one sentence."""

from __future__ import annotations

from raytui.backends.base import ProviderError
from raytui.client.transport import LastingError, TransportError
from raytui.config.locations import ClusterPaths
from raytui.launcher.head_place import HeadNotFoundError, has_moved, head_place
from raytui.launcher.reach import HeadReach
from raytui.model.plan import FailureKind
from raytui.model.spec import ClusterSpec

_SSH_FAILED = 255
_CANNOT_RUN, _NOT_FOUND = 126, 127
_NO_CONNECTION = "ssh: connect to host"
_NO_CONTAINER = ("No such container", "no such container", "is not running")
_NO_DAEMON = ("no daemon listens", "no cluster and no file is called")
_MAY_HAVE_MOVED = (_NO_CONNECTION, "ost key", "HOST IDENTIFICATION")
_FOR_PEOPLE = (
    "ost key",
    "HOST IDENTIFICATION",
    "Permission denied",
    "authentication failures",
    "PRIVATE KEY",
)
"""Words of ssh about what will be the same at the next try. It says little of what to do."""


def what_head_said(spec: ClusterSpec, paths: ClusterPaths, code: int, words: str) -> TransportError:
    """The error for `ssh HEAD raytui daemon connect`, which ended with `code` and these words.

    May connect once more, by our own means, to find out what a person has to do.
    """
    head = head_place(spec, paths).address
    again = f"raytui up {spec.source or spec.cluster_name}"
    if code == _SSH_FAILED:
        return _of_ssh(spec, paths, head, words)
    if code in (_CANNOT_RUN, _NOT_FOUND):
        return LastingError(f"{head}: raytui cannot be run there ({words}). {again} installs it.")
    if spec.head.docker and any(sign in words for sign in _NO_CONTAINER):
        return TransportError(f"{head}: its Ray container does not run. Start it: {again}")
    if any(sign in words for sign in _NO_DAEMON):
        return TransportError(f"{head}: no autoscaler of this cluster runs. Start it: {again}")
    return TransportError(f"{head}: {words.removeprefix('raytui: ') or f'exit code {code}'}")


def _of_ssh(spec: ClusterSpec, paths: ClusterPaths, head: str, words: str) -> TransportError:
    if any(sign in words for sign in _MAY_HAVE_MOVED):
        try:
            if has_moved(spec, paths):
                return TransportError(f"{head}: its machine has another address by now")
        except HeadNotFoundError as error:
            return LastingError(str(error))
    if any(sign in words for sign in _FOR_PEOPLE):
        return _asked_again(spec, paths) or TransportError(f"{head}: {words}")
    if _NO_CONNECTION in words:
        why = words.rpartition(": ")[2]
        return TransportError(f"{head}: no connection ({why}). Does the machine run?")
    # It says nothing when the other side fell silent for 15 s (ServerAliveInterval).
    return TransportError(f"{head}: the connection was lost ({words or 'the host fell silent'})")


def _asked_again(spec: ClusterSpec, paths: ClusterPaths) -> TransportError | None:
    """Our own connection to the host has the same rules, and says what to do."""
    try:
        with HeadReach(spec, paths) as reach:
            reach.host.run(["true"])
    except ProviderError as error:
        lasting = error.kind is FailureKind.AUTH
        return (LastingError if lasting else TransportError)(str(error))
    return None
