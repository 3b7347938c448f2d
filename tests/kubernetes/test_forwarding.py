"""Ports of pods as ports of this machine, through a real API server."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from raytui.backends.base import AuthError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.forwarding import Forwarding, forward
from raytui.backends.kubernetes.session import KubeSession
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.running_pods import run_pod
from tests.kubernetes.waiting import until
from tests.support.kube_machine.machine import Machine

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

_ECHO = """
import socket, threading
server = socket.create_server(("127.0.0.1", 7000), backlog=100)
def echo(one):
    while data := one.recv(1 << 16):
        one.sendall(data)
    one.close()
while True:
    one, _ = server.accept()
    threading.Thread(target=echo, args=(one,), daemon=True).start()
"""


@pytest.fixture
def echo(machine: Machine, admin: KubeSession, namespace: str) -> Iterator[Forwarding]:
    """The way to a port of a pod that says again what it hears."""
    run_pod(admin, namespace, "one", main=["python3", "-c", _ECHO])
    forwarding = until(lambda: _answering(admin, namespace), "the pod listens")
    yield forwarding
    forwarding.close()


def test_many_connections_at_once_carry_any_bytes(echo: Forwarding) -> None:
    with ThreadPoolExecutor(12) as pool:
        same = list(pool.map(_echoed, [echo.port] * 12, [300_000] * 12))

    assert same == [True] * 12
    assert echo.error is None


def test_only_this_machine_can_use_it(echo: Forwarding) -> None:
    assert echo._listener.getsockname()[0] == "127.0.0.1"


def test_connection_lasts_while_both_sides_want_it_to(echo: Forwarding) -> None:
    with socket.create_connection(("127.0.0.1", echo.port), timeout=10) as one:
        for word in (b"first", b"second"):
            one.sendall(word)
            assert one.recv(100) == word


def test_both_ways_at_once_do_not_wait_for_each_other(echo: Forwarding) -> None:
    assert _echoed(echo.port, 8 << 20)


def test_closing_ends_what_is_connected(echo: Forwarding) -> None:
    with socket.create_connection(("127.0.0.1", echo.port), timeout=10) as one:
        one.sendall(b"there?")
        assert one.recv(100) == b"there?"
        echo.close()
        assert one.recv(100) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", echo.port), timeout=10)


def test_port_that_nobody_listens_on_is_told_in_the_machine_s_words(
    echo: Forwarding, admin: KubeSession, namespace: str
) -> None:
    with (
        forward(admin, namespace, "one", 7999) as other,
        socket.create_connection(("127.0.0.1", other.port), timeout=10) as one,
    ):
        assert one.recv(100) == b""
        error = until(lambda: other.error, "the error is told")
    assert "7999" in str(error)


def test_pod_that_has_gone_ends_connections_and_says_so(
    echo: Forwarding, admin: KubeSession, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/one"
    admin.delete(path, gracePeriodSeconds=0)

    def refused() -> bool:
        with socket.create_connection(("127.0.0.1", echo.port), timeout=10) as one:
            one.settimeout(10)
            return one.recv(100) == b"" and isinstance(echo.error, NotFoundError)

    until(refused, "who connects now is told")


def test_http_server_of_a_pod_is_reached(
    machine: Machine, admin: KubeSession, namespace: str
) -> None:
    script = "cd $(mktemp -d) && echo hello > index.html && exec python3 -m http.server 8000"
    run_pod(admin, namespace, "web", main=["sh", "-c", script])

    with forward(admin, namespace, "web", 8000) as forwarding:
        url = f"http://{forwarding.address}/index.html"

        def page() -> bytes:
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return bytes(answer.read())
            except OSError:
                return b""

        assert until(page, "the page is read") == b"hello\n"


def test_pod_that_is_not_there_is_an_error_at_once(admin: KubeSession, namespace: str) -> None:
    with pytest.raises(NotFoundError, match='pods "none" not found'):
        forward(admin, namespace, "none", 80)


def test_user_who_may_not_is_told_which_verbs_it_takes(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    config = plane.kubeconfig(tmp_path / "user", user=USER, namespace=namespace)
    session = KubeSession(Access(kubeconfig=str(config)))

    with pytest.raises(AuthError, match="both get and create on pods/portforward"):
        forward(session, namespace, "one", 80)


def _answering(session: KubeSession, namespace: str) -> Forwarding | None:
    forwarding = forward(session, namespace, "one", 7000)
    if _echoed(forwarding.port, 1):
        return forwarding
    forwarding.close()
    return None


def _echoed(port: int, size: int) -> bool:
    """Whether random bytes come back as they were sent, while they are sent."""
    data = os.urandom(size)
    came = hashlib.sha256()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        sending = threading.Thread(target=_send, args=(one, data))
        sending.start()
        left = size
        while left:
            part = one.recv(min(left, 1 << 16))
            if not part:
                break
            came.update(part)
            left -= len(part)
        sending.join()
    return came.digest() == hashlib.sha256(data).digest()


def _send(one: socket.socket, data: bytes) -> None:
    try:
        one.sendall(data)
    except OSError:
        return
