"""Lists that are kept true through what a healthy API server does not do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from raytui.backends.base import ThrottledError, TransientError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.informer import Informer
from raytui.backends.kubernetes.session import Json, KubeSession
from tests.kubernetes.waiting import until

pytestmark = pytest.mark.slow

PODS = "/api/v1/namespaces/default/pods"


def _pod(name: str, version: int, colour: str = "") -> Json:
    meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": meta, "colour": colour}


def _colour(pod: Json) -> str:
    return str(pod["colour"])


class _Api:
    """An API server of one list, which does as the test says."""

    def __init__(self) -> None:
        self.pods: dict[str, Json] = {}
        self.version = 10
        self.lists = 0
        self.watches: list[str] = []
        """The versions that were asked for."""
        self.refusals: list[tuple[int, dict[str, str]]] = []
        """How the next requests are refused."""
        self.on_watch: Callable[[BaseHTTPRequestHandler], None] = _wait
        """What a watch gets; then its connection is cut."""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        watching = "watch" in query
        if watching:
            self.watches.append(query["resourceVersion"][0])
        else:
            self.lists += 1
        if self.refusals:
            code, headers = self.refusals.pop(0)
            self._send(handler, code, {"kind": "Status", "message": "not now"}, headers)
        elif watching:
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.send_header("Connection", "close")
            handler.end_headers()
            self.on_watch(handler)
        else:
            items = list(self.pods.values())
            meta = {"resourceVersion": str(self.version)}
            self._send(handler, 200, {"metadata": meta, "items": items}, {})

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler, code: int, body: Json, headers: dict[str, str]
    ) -> None:
        content = json.dumps(body).encode()
        handler.send_response(code)
        own = {"Content-Length": str(len(content)), "Connection": "close"}
        for name, value in {**headers, **own}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)


def _say(handler: BaseHTTPRequestHandler, kind: str, thing: Json) -> None:
    _chunk(handler, json.dumps({"type": kind, "object": thing}).encode() + b"\n")


def _chunk(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    handler.wfile.flush()


def _wait(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.settimeout(30)
    handler.rfile.read(1)


def _end(handler: BaseHTTPRequestHandler) -> None:
    _chunk(handler, b"")


@contextmanager
def _serving(api: _Api, folder: Path) -> Iterator[KubeSession]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api.answer(self)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Not heard."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    path = folder / "kubeconfig"
    config = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(config))
    try:
        yield KubeSession(Access(kubeconfig=str(path)), attempts=1)
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def api() -> _Api:
    """What the server does."""
    return _Api()


@pytest.fixture
def session(api: _Api, tmp_path: Path) -> Iterator[KubeSession]:
    """The way to it."""
    with _serving(api, tmp_path) as session:
        yield session


def test_cut_watch_goes_on_where_it_was_without_a_new_list(api: _Api, session: KubeSession) -> None:
    api.on_watch = lambda handler: _say(handler, "ADDED", _pod("one", 12, "red"))
    with Informer(session, PODS, keep=_colour) as held:
        until(lambda: len(api.watches) >= 3, "it watches again")

        assert api.watches[:3] == ["10", "12", "12"]
        assert api.lists == 1
        assert held.all() == {"one": "red"}


def test_bookmark_moves_the_place_to_go_on_from(api: _Api, session: KubeSession) -> None:
    bookmark = {"metadata": {"resourceVersion": "40"}}
    api.on_watch = lambda handler: _say(handler, "BOOKMARK", bookmark)
    with Informer(session, PODS, keep=_colour) as held:
        until(lambda: len(api.watches) >= 2, "it watches again")

        assert api.watches[1] == "40"
        assert held.all() == {}


def test_version_that_is_gone_means_a_new_list_that_drops_what_has_gone(
    api: _Api, session: KubeSession
) -> None:
    api.pods = {"one": _pod("one", 1, "red"), "two": _pod("two", 2, "red")}
    told = threading.Event()

    def expire(handler: BaseHTTPRequestHandler) -> None:
        if told.is_set():
            _wait(handler)
            return
        told.set()
        api.pods = {"two": _pod("two", 50, "blue")}
        api.version = 60
        _say(handler, "ERROR", {"kind": "Status", "code": 410, "message": "too old"})

    api.on_watch = expire
    with Informer(session, PODS, keep=_colour) as held:
        until(lambda: held.all() == {"two": "blue"}, "the new list is held")
        assert api.lists == 2
        assert held.error is None


def test_what_is_held_stays_while_the_server_refuses_and_the_reason_is_told(
    api: _Api, session: KubeSession
) -> None:
    api.pods = {"one": _pod("one", 1, "red")}
    api.on_watch = _end
    with Informer(session, PODS, keep=_colour) as held:
        until(lambda: held.synced, "it is listed")
        api.refusals = [(500, {})]
        error = until(lambda: held.error, "the error is told")

        assert isinstance(error, TransientError)
        assert held.all() == {"one": "red"}
        until(lambda: held.error is None, "it goes on")


def test_storm_of_429_is_waited_out_as_long_as_the_server_asks(
    api: _Api, session: KubeSession
) -> None:
    api.refusals = [(429, {"Retry-After": "1"})] * 2
    began = time.monotonic()
    with Informer(session, PODS, keep=_colour) as held:
        assert isinstance(until(lambda: held.error, "it is told"), ThrottledError)
        until(lambda: held.synced and not held.error, "it goes on")

    assert time.monotonic() - began >= 2.0
    assert api.lists == 3


def test_server_that_ends_every_watch_at_once_is_not_asked_without_pause(
    api: _Api, session: KubeSession
) -> None:
    api.on_watch = _end
    with Informer(session, PODS, keep=_colour) as held:
        assert held.wait(10)
        until(lambda: len(api.watches) >= 3, "it goes on")
        before = len(api.watches)
        time.sleep(1.5)
        assert len(api.watches) - before <= 2


def test_closing_does_not_wait_for_a_pause(api: _Api, session: KubeSession) -> None:
    api.refusals = [(429, {"Retry-After": "60"})]
    held = Informer(session, PODS, keep=_colour)
    held.start()
    until(lambda: held.error, "it pauses")
    began = time.monotonic()
    held.close()
    assert time.monotonic() - began < 1.5


def test_one_object_that_cannot_be_read_hides_no_other(api: _Api, session: KubeSession) -> None:
    api.pods = {"one": {"metadata": _pod("one", 1)["metadata"]}, "two": _pod("two", 2, "blue")}
    with Informer(session, PODS, keep=_colour) as held:
        until(lambda: held.synced, "it is listed")
        assert held.all() == {"two": "blue"}


def test_what_is_no_event_begins_a_new_list(api: _Api, session: KubeSession) -> None:
    api.on_watch = lambda handler: _chunk(handler, b"<html>\n")
    with Informer(session, PODS, keep=_colour) as held:
        error = until(lambda: held.error, "it is told")
        assert "no event of a watch" in str(error)


def test_server_whose_past_was_set_back_is_believed(api: _Api, session: KubeSession) -> None:
    api.pods = {"one": _pod("one", 900, "red"), "two": _pod("two", 901, "red")}
    api.version = 1000

    def expire(handler: BaseHTTPRequestHandler) -> None:
        api.pods = {"one": _pod("one", 5, "old")}
        api.version = 6
        _say(handler, "ERROR", {"kind": "Status", "code": 410, "message": "from the future"})

    api.on_watch = expire
    with Informer(session, PODS, keep=_colour) as held:
        until(lambda: held.all() == {"one": "old"}, "what is there now is held")


def test_first_page_is_held_before_the_list_is_whole(api: _Api, session: KubeSession) -> None:
    second_page = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        first = "continue" not in handler.path
        if not first:
            second_page.wait(20)
        meta = {"resourceVersion": "10", "continue": "more" if first else ""}
        pod = _pod("one", 1, "red") if first else _pod("two", 2, "blue")
        _Api._send(handler, 200, {"metadata": meta, "items": [pod]}, {})

    watch, api.answer = api.answer, answer  # type: ignore[method-assign]
    with Informer(session, PODS, keep=_colour) as held:
        until(lambda: held.all() == {"one": "red"}, "the first page is held")
        assert not held.synced
        api.answer = watch  # type: ignore[method-assign]
        second_page.set()
        until(lambda: held.synced, "the list is whole")
        assert held.all() == {"one": "red", "two": "blue"}
