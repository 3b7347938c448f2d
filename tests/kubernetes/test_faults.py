"""Answers that a healthy API server does not give: storms, proxies, lists that are too old."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from raytui.backends.base import ConfigError, ThrottledError, TransientError
from raytui.backends.kubernetes.access import Access, contexts, opened
from raytui.backends.kubernetes.session import KubeSession

PODS = "/api/v1/namespaces/default/pods"
Answer = tuple[int, dict[str, str], object]


def _page(names: list[str], token: str = "") -> Answer:
    items = [{"metadata": {"name": name}} for name in names]
    return 200, {}, {"metadata": {"continue": token}, "items": items}


def _status(code: int, reason: str, **headers: str) -> Answer:
    message = f"said the server: {reason}"
    return code, headers, {"kind": "Status", "code": code, "reason": reason, "message": message}


@contextmanager
def _answering(folder: Path, *answers: Answer) -> Iterator[KubeSession]:
    """A server that gives these answers, one after the other, and the last one for ever."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, headers, body = left.pop(0) if len(left) > 1 else left[0]
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_PATCH(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Not heard."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "clusters": [
            {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    try:
        yield KubeSession(Access(kubeconfig=str(path)), attempts=3)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "trouble",
    [
        _status(429, "TooManyRequests", Retry_After="0"),
        _status(503, "ServiceUnavailable", Retry_After="0"),
        _status(500, "InternalError"),
        (502, {}, b"<html>Bad Gateway</html>"),
        (200, {}, b"<html>Log in</html>"),
    ],
    ids=["429", "503", "500", "proxy", "no JSON"],
)
def test_reading_goes_on_after_trouble_that_passes(tmp_path: Path, trouble: Answer) -> None:
    with _answering(tmp_path, trouble, _page(["one"])) as session:
        assert [pod["metadata"]["name"] for pod in session.items(PODS)] == ["one"]
        assert session.calls() == {"GET pods": 2}


def test_server_that_is_too_busy_for_long_is_told_of(tmp_path: Path) -> None:
    with (
        _answering(tmp_path, _status(429, "TooManyRequests", Retry_After="0")) as session,
        pytest.raises(ThrottledError, match="429 TooManyRequests: said the server"),
    ):
        session.get(PODS)


def test_proxy_s_own_page_is_cited_shortly(tmp_path: Path) -> None:
    with (
        _answering(tmp_path, (502, {}, b"<html>" + b"x" * 5000)) as session,
        pytest.raises(TransientError) as caught,
    ):
        session.get(PODS)
    assert str(caught.value).startswith("502: <html>xx")
    assert len(str(caught.value)) < 300


def test_patch_is_not_sent_again_when_it_may_have_been_done(tmp_path: Path) -> None:
    with _answering(tmp_path, _status(500, "InternalError")) as session:
        with pytest.raises(TransientError):
            session.patch(PODS, [])
        assert session.calls() == {"PATCH pods": 1}


def test_list_whose_pages_became_too_old_is_read_anew(tmp_path: Path) -> None:
    answers = (
        _page(["old"], token="more"),
        _status(410, "Expired"),
        _page(["one"], token="more"),
        _page(["two"]),
    )
    with _answering(tmp_path, *answers) as session:
        found = [pod["metadata"]["name"] for pod in session.items(PODS)]
    assert found == ["one", "two"]


def test_contexts_of_a_kubeconfig_are_told(tmp_path: Path) -> None:
    with _answering(tmp_path, _page([])):
        (only,) = contexts(str(tmp_path / "kubeconfig"))
    assert (only.name, only.cluster, only.user, only.is_current) == ("x", "c", "u", True)


@pytest.mark.parametrize(
    ("text", "context", "said"),
    [
        ("current-context: x\n", "", "kubeconfig"),
        ("[not a mapping", "", "kubeconfig"),
        (None, "y", "has no context y; it has x"),
    ],
    ids=["half", "no YAML", "unknown context"],
)
def test_kubeconfig_that_does_not_do_is_refused(
    tmp_path: Path, text: str | None, context: str, said: str
) -> None:
    with _answering(tmp_path, _page([])):
        path = tmp_path / "kubeconfig"
        if text is not None:
            path.write_text(text)
        with pytest.raises(ConfigError, match=said):
            opened(Access(kubeconfig=str(path), context=context))


def test_without_any_kubeconfig_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    assert contexts() == []
    with pytest.raises(ConfigError, match="set KUBECONFIG"):
        opened(Access())
