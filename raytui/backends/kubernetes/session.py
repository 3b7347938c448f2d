"""The one door to a Kubernetes API server: requests with typed errors and bounded time, counted."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from raytui.backends.base import TransientError
from raytui.backends.kubernetes.access import Access, Opened, opened
from raytui.backends.kubernetes.answer_lines import AnswerLines
from raytui.backends.kubernetes.channels import Channels, connected
from raytui.backends.kubernetes.errors import GoneError, OverloadedError, answered, unanswered
from raytui.backends.kubernetes.watch import Watch

_CONNECT_S = 5.0
_READ_S = 30.0
_ATTEMPTS = 4
_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 10.0
_PAGE = 500
_WHOLE_S = 60.0
"""The longest that one answer may take to come in."""
_LONGEST_LINE = 256 << 10
_WATCH_S = (240, 300)
"""How long the server lets a watch last: not the same for all, or they would come back at once."""
_LATE_S = 30.0
"""How much later than at its time an answer may end that goes on for a time."""

_JSON_PATCH = "application/json-patch+json"
_RESOURCE = re.compile(
    r"/(?:api|apis/[^/]+)/[^/]+/(?:namespaces/[^/]+/)?(?P<resource>[a-z]+)(?:/.*)?"
)

Json = dict[str, Any]


class KubeSession:
    """One cluster, as one user. Thread-safe; nothing is loaded or asked before the first request.

    The server's certificate is verified, unless the kubeconfig says not to.
    """

    def __init__(
        self, access: Access | None = None, *, attempts: int = _ATTEMPTS, read_s: float = _READ_S
    ) -> None:
        """`attempts` counts the first one; `read_s` is the longest silence in an answer."""
        self._access = access or Access()
        self._attempts = attempts
        self._read_s = read_s
        self._lock = threading.Lock()
        self._opened: Opened | None = None
        self._calls: Counter[str] = Counter()

    @property
    def access(self) -> Access:
        """Which cluster it is, and as whom it is asked."""
        return self._access

    @property
    def namespace(self) -> str:
        """The namespace that was asked for, or the context's; raises as `get` does."""
        return self._open().namespace

    @property
    def who(self) -> str:
        """Whose credentials are used and where, for messages."""
        found = self._open()
        return f"{found.who} at {found.server}"

    def get(self, path: str, **query: str | int) -> Json:
        """Read an object or a list; what may go away by itself is tried again.

        Raises a typed ProviderError in Kubernetes' words. One call ends within about two minutes.
        """
        return self._ask("GET", path, query, repeatable=True)

    def items(self, path: str, **query: str | int) -> list[Json]:
        """The items of a list, which is read in pages; raises as `get` does."""
        for _ in range(self._attempts):
            try:
                return self._pages(path, query)
            except GoneError:
                continue  # half of a list is no list
        raise TransientError(f"{path} changes faster than it can be read")

    def watch(self, path: str, *, version: str, **query: str | int) -> Watch:
        """The changes of a list since a resource version, as they come, for some minutes.

        Raises as `get` does, without a second try; iterating raises, too: GoneError when the
        server does not know the version any more.
        """
        seconds = random.randint(*_WATCH_S)  # noqa: S311 (spreads calls, no secret)
        asked: dict[str, str | int] = {
            "timeoutSeconds": seconds,
            "allowWatchBookmarks": "true",
            **query,
            "watch": "true",
            "resourceVersion": version,
        }
        read_s = float(asked["timeoutSeconds"]) + _LATE_S
        found = self._open()
        reply = self._send(found, "GET", path, asked, read_s, counted_as="WATCH")
        return Watch(AnswerLines(reply, found.server))

    def lines(
        self, path: str, *, silence_s: float | None = None, **query: str | int
    ) -> AnswerLines:
        """An answer of text, line by line as it comes; raises as `get` does, at once.

        `silence_s` is the longest time without a line; None: any. Lines of more than 256 KiB come
        in parts.
        """
        found = self._open()
        reply = self._send(found, "GET", path, query, silence_s)
        return AnswerLines(reply, found.server, longest=_LONGEST_LINE)

    def channels(self, path: str, query: Sequence[tuple[str, str]], *protocols: str) -> Channels:
        """A websocket to a pod, at `…/exec` or `…/portforward`; raises as `get` does, at once."""
        found = self._open()
        self._count("CONNECT", path)
        return connected(found, path, query, protocols)

    def create(self, path: str, body: Json) -> Json:
        """POST an object; raises AlreadyExistsError, and as `get` does."""
        return self._ask("POST", path, {}, body)

    def patch(self, path: str, operations: list[Json], **query: str | int) -> Json:
        """Apply a JSON patch, all of it or nothing, and return the object.

        Raises ConflictError when a `test` does not hold. After a TransientError it is open whether
        it was applied.
        """
        return self._ask("PATCH", path, query, operations, content_type=_JSON_PATCH)

    def delete(self, path: str, *, uid: str = "", **query: str | int) -> Json:
        """Delete an object; raises NotFoundError, and as `get` does.

        With a `uid`, one of the same name that is another object stays: that is a ConflictError.
        """
        body = {"preconditions": {"uid": uid}} if uid else None
        return self._ask("DELETE", path, query, body)

    def calls(self) -> dict[str, int]:
        """How many requests were sent so far, repeated ones too, by `GET pods`."""
        with self._lock:
            return dict(self._calls)

    # Parts.

    def _pages(self, path: str, query: Mapping[str, str | int]) -> list[Json]:
        found: list[Json] = []
        token = ""
        while True:
            more = {**query, "limit": _PAGE, **({"continue": token} if token else {})}
            page = self._ask("GET", path, more, repeatable=True)
            found += page.get("items") or ()
            token = page.get("metadata", {}).get("continue") or ""
            if not token:
                return found

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Any = None,
        *,
        content_type: str = "application/json",
        repeatable: bool = False,
    ) -> Json:
        """One request. Who was told to come back later does, whatever it was."""
        for attempt in range(1, self._attempts + 1):
            try:
                return self._once(method, path, query, body, content_type)
            except OverloadedError as error:
                if attempt == self._attempts or error.retry_after_s > _LONGEST_PAUSE_S:
                    raise
                pause = error.retry_after_s
            except GoneError:
                raise
            except TransientError:
                if attempt == self._attempts or not repeatable:
                    raise
                pause = 0.0
            spread = random.uniform(0, _PAUSE_S * 2**attempt)  # noqa: S311 (spreads calls, no secret)
            time.sleep(min(_LONGEST_PAUSE_S, pause + spread))
        raise AssertionError("there is at least one attempt")

    def _once(
        self, method: str, path: str, query: Mapping[str, str | int], body: Any, content_type: str
    ) -> Json:
        from urllib3.exceptions import HTTPError

        found = self._open()
        reply = self._send(found, method, path, query, self._read_s, body, content_type)
        try:
            content = _read(reply, found.server)
        except (HTTPError, OSError) as error:
            raise unanswered(error, found.server) from error
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise TransientError(f"{found.server} did not answer in JSON: {error}") from error
        if not isinstance(answer, dict):
            raise TransientError(f"{found.server} did not answer with an object")
        return answer

    def _send(
        self,
        found: Opened,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        read_s: float | None,
        body: Any = None,
        content_type: str = "application/json",
        counted_as: str = "",
    ) -> Any:
        """An answer whose body is yet to be read, of a request that was not refused."""
        headers = {"Accept": "application/json, */*", "User-Agent": "raytui", **found.headers()}
        if body is not None:
            headers["Content-Type"] = content_type
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        url = found.server.rstrip("/") + quote(path) + (f"?{urlencode(query)}" if query else "")
        self._count(counted_as or method, path)
        try:
            reply = found.client.rest_client.pool_manager.request(
                method,
                url,
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=Timeout(connect=_CONNECT_S, read=read_s),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            if 200 <= reply.status < 300:
                return reply
            content = _read(reply, found.server)
        except (HTTPError, OSError) as error:
            raise unanswered(error, found.server) from error
        raise answered(reply.status, content, reply.headers, f"{method} {path} as {found.who}")

    def _open(self) -> Opened:
        with self._lock:
            if self._opened is None:
                self._opened = opened(self._access)
            return self._opened

    def _count(self, method: str, path: str) -> None:
        resource = _RESOURCE.fullmatch(path)
        with self._lock:
            self._calls[f"{method} {resource['resource'] if resource else path}"] += 1


def _read(reply: Any, server: str) -> bytes:
    """The body, however slowly it comes, within a time; a connection that is too slow is closed."""
    until = time.monotonic() + _WHOLE_S
    parts = []
    for part in reply.stream(1 << 16, decode_content=True):
        parts.append(part)
        if time.monotonic() > until:
            reply.close()
            raise TransientError(f"{server} took more than {_WHOLE_S:.0f} s to answer")
    reply.release_conn()
    return b"".join(parts)
