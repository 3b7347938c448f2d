"""What an answer of the Kubernetes API means to us: from status code to typed error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from raytui.backends.base import (
    AuthError,
    ConfigError,
    ProviderError,
    QuotaError,
    ThrottledError,
    TransientError,
)


class NotFoundError(ConfigError):
    """404: there is no such object, or no such kind of object on this server."""


class ConflictError(TransientError):
    """409, or a `test` of a patch that failed: the object is not what it was when it was read."""


class AlreadyExistsError(ConfigError):
    """409 with reason AlreadyExists: an object of this name is there."""


class GoneError(TransientError):
    """410: the server no longer knows this resource version; list anew."""


class UnknownUserError(AuthError):
    """401: the server does not know who is asking."""


class NotRunningError(TransientError):
    """400: the pod or the container that is meant does not run yet, or no longer."""


class OverloadedError(ThrottledError):
    """429, or 503 with a time to wait."""

    retry_after_s: float = 1.0


_BY_CODE: dict[int, type[ProviderError]] = {
    401: UnknownUserError,
    403: AuthError,
    404: NotFoundError,
    408: TransientError,
    409: ConflictError,
    410: GoneError,
    429: OverloadedError,
}
_HINTS = {
    ConflictError: " (the object is not what it was when it was read)",
    UnknownUserError: " (log in again, or name another context)",
}
_SHORT = 200
_QUOTA = "exceeded quota"
"""What the admission of Kubernetes says, in a 403, when a ResourceQuota is used up."""
_NOT_RUNNING = ("does not have a host assigned", "is waiting to start", "is terminated")
"""What it says of logs and commands of a container without a process."""
_DOES_NOT_FIT = "the server rejected our request due to an error in our request"
"""All that the server says, in a 422, of a JSON patch whose `test` does not hold."""


def answered(code: int, body: bytes, headers: Mapping[str, str], asked: str) -> ProviderError:
    """The typed error of an answer that is one, in Kubernetes' own words.

    `asked` is the request, e.g. `PATCH /apis/ray.io/v1/…`, and is kept in `detail`.
    """
    status = _status_in(body)
    words, causes = str(status.get("message") or ""), _causes(status)
    reason = str(status.get("reason") or "")
    kind = _kind(code, reason, words, causes, headers)
    said = "; ".join(part for part in (words, *causes) if part)
    said = said or body[:_SHORT].decode(errors="replace")
    title = f"{code} {reason}" if reason else str(code)
    error = kind(f"{title}: {said}{_HINTS.get(kind, '')}", detail=asked)
    if isinstance(error, OverloadedError):
        error.retry_after_s = _retry_after(headers)
    return error


def unanswered(error: Exception, server: str) -> ProviderError:
    """The typed error of a request that nobody answered, or that could not be sent."""
    from urllib3 import exceptions as u

    cause = getattr(error, "reason", None) or error
    if isinstance(cause, u.SSLError):
        return ConfigError(f"{server} is not trusted: {cause}")
    if isinstance(cause, u.LocationParseError):
        return ConfigError(f"{server} is no address of an API server")
    return TransientError(f"{server} did not answer: {cause}")


def _kind(
    code: int, reason: str, words: str, causes: tuple[str, ...], headers: Mapping[str, str]
) -> type[ProviderError]:
    if code == 403 and _QUOTA in words:
        return QuotaError
    if code == 400 and any(said in words for said in _NOT_RUNNING):
        return NotRunningError
    if code == 409 and reason == "AlreadyExists":
        return AlreadyExistsError
    if code == 422 and words == _DOES_NOT_FIT and not causes:
        return ConflictError
    if code == 503 and "Retry-After" in headers:
        return OverloadedError
    if code in _BY_CODE:
        return _BY_CODE[code]
    return TransientError if code >= 500 else ConfigError


def _status_in(body: bytes) -> dict[str, Any]:
    """The `Status` object that Kubernetes answers with; a proxy before it may answer otherwise."""
    try:
        status = json.loads(body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _causes(status: Mapping[str, Any]) -> tuple[str, ...]:
    """What the message leaves out; most messages repeat their causes."""
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    words = str(status.get("message") or "")
    told = [str(c.get("message") or "") for c in causes or () if isinstance(c, dict)]
    return tuple(text for text in told if text and text not in words)


def _retry_after(headers: Mapping[str, str]) -> float:
    try:
        return max(0.0, float(headers.get("Retry-After", "1")))
    except ValueError:  # a date, which Kubernetes does not send
        return 1.0
