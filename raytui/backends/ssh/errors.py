"""What can go wrong on the way to a host: each error says host, what, and how to mend it."""

from __future__ import annotations

from raytui.backends.base import ProviderError
from raytui.model.plan import FailureKind


class SshError(ProviderError):
    """A host could not be used; `str()` is `host: what. fix`, one line."""

    kind = FailureKind.TRANSIENT

    def __init__(self, host: str, what: str, fix: str, *, detail: str = "") -> None:
        super().__init__(f"{host}: {what}. {fix}", detail=detail)
        self.host = host
        self.what = what
        self.fix = fix


class UnreachableError(SshError):
    """No connection: the name is unknown, nobody answers, the port is closed, the proxy ended."""


class NoAnswerError(UnreachableError):
    """Not even a refusal: the machine is down, or cut off, or a firewall drops what we send."""


class HungError(SshError):
    """There is a connection, and the other side has stopped to answer."""


class ConnectionLostError(SshError):
    """The connection ended in the middle of something; what ran may have run or not."""


class AuthFailedError(SshError):
    """The host lets us not in with any key that we have."""

    kind = FailureKind.AUTH


class HostKeyError(SshError):
    """The host could not prove that it is the one we mean."""

    kind = FailureKind.AUTH


class UnknownHostKeyError(HostKeyError):
    """Nobody has said yet which key this host has."""


class ChangedHostKeyError(HostKeyError):
    """The host shows another key than the one that is known: never gone past."""


class SyncError(SshError):
    """Files could not be copied; `detail` has rsync's own words."""


class SyncCutOffError(SyncError):
    """Files could not be copied because the connection ended or fell silent."""


CUT_OFF = (UnreachableError, HungError, ConnectionLostError, SyncCutOffError)
"""The network's doing, not the command's: when the host is back, the same may be done again."""
