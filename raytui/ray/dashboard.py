"""JSON over HTTP with Ray's dashboard: the one place that opens its URLs."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from raytui.ray.authentication import HINT, headers_for
from raytui.ray.base import RayError

_UNKNOWN = frozenset({401, 403})
"""Codes by which a dashboard asks who we are."""


def call(
    url: str, path: str, *, method: str = "GET", body: Any = None, timeout_s: float = 5.0
) -> Any:
    """Ask the dashboard at `url` and return the decoded answer.

    Raises RayError with the dashboard's own words, or with why it could not be asked.
    """
    if not url.startswith(("http://", "https://")):
        raise RayError("this cluster has no dashboard")
    request = urllib.request.Request(  # noqa: S310  # the scheme was checked above
        url.rstrip("/") + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers_for(url)},
        method=method,
    )
    try:
        # No proxy: the dashboard is on this machine or at the end of our own tunnel.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=timeout_s) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        why = f"{_words(error)}; {HINT}" if error.code in _UNKNOWN else _words(error)
        raise RayError(f"the dashboard refused {path}: {why}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RayError(f"the dashboard at {url} does not answer: {error}") from error


def _words(error: urllib.error.HTTPError) -> str:
    """The last line that says something: an answer may be a traceback with a stop at its end."""
    try:
        text = error.read().decode(errors="replace")
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if any(map(str.isalnum, line))]
    return f"{error.code} {lines[-1] if lines else error.reason}"
