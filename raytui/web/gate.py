"""Who may come in: a browser on this machine that was handed the link, and no page of others.

Any page that a browser shows may send requests to 127.0.0.1, and any user of this machine may
connect to it. So every request must be meant for us (Host, against DNS rebinding), those that do
something must come from our own page (Origin), and all must carry the cookie that the link with
the token was exchanged for.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from multidict import CIMultiDictProxy

Headers = CIMultiDictProxy[str]

_BITS = 256


class Gate:
    """Guards one server.

    The token is good for one browser, once; the cookie for as long as the server runs.
    """

    def __init__(self, port: int) -> None:
        names = ("127.0.0.1", "localhost")
        self._hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())
        self._token = secrets.token_urlsafe(_BITS // 8)
        self._session = secrets.token_urlsafe(_BITS // 8)
        # Cookies do not tell ports apart: another server here must not overwrite ours.
        self.cookie = f"raytui-{port}"
        self.link = f"http://127.0.0.1:{port}/?token={self._token}"
        """What lets a browser in, once. Never to be logged."""

    def exchange(self, token: str) -> str | None:
        """The cookie's value for the right token, which is worth nothing from then on."""
        if not self._token or not _same(token, self._token):
            return None
        self._token = ""
        return self._session

    def knows(self, cookies: Mapping[str, str]) -> bool:
        """Whether these cookies come from a browser that was let in."""
        return bool(not self._token and _same(cookies.get(self.cookie, ""), self._session))

    def stranger(self, headers: Headers, *, acts: bool, enters: bool) -> str:
        """Why a request is none of ours, judged by what a page cannot forge; empty when it may be.

        `acts`: it does more than to read, so that its origin has to be told. `enters`: it opens
        the page, which a link may do from anywhere.
        """
        hosts = headers.getall("Host", [])
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            wanted = " or ".join(sorted(self._hosts))
            return f"this is {wanted}: a forwarded port has to be the same on both sides"
        origins = headers.getall("Origin", [])
        if origins != [f"http://{hosts[0]}"] and (acts or origins):
            return "the request comes from another page"
        # A page of another server on this machine counts as the same site, but not as our origin.
        if not enters and not _all_in(headers.getall("Sec-Fetch-Site", []), _OURS):
            return "the request comes from another page"
        return ""


_OURS = frozenset({"same-origin", "none"})


def _all_in(values: Sequence[str], allowed: frozenset[str]) -> bool:
    return all(value in allowed for value in values)


def _same(given: str, wanted: str) -> bool:
    """Compared in a time that tells nothing of how much was right."""
    return secrets.compare_digest(given.encode(), wanted.encode())
