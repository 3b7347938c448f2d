"""Websockets to pods, whose messages go by channels: commands, terminals, forwarded ports."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from raytui.backends.base import AuthError, ConfigError, ProviderError, TransientError
from raytui.backends.kubernetes.access import Opened
from raytui.backends.kubernetes.closing import Closing
from raytui.backends.kubernetes.errors import NotFoundError, NotRunningError, answered
from raytui.backends.kubernetes.shared_socket import SharedSocket

V5 = "v5.channel.k8s.io"
"""With it one direction can be ended alone; the API server speaks it since Kubernetes 1.30."""
V4 = "v4.channel.k8s.io"
_CLOSE = 255
_OPEN_S = 30.0
_CHUNK = 32 << 10
"""Of one message: kubelets refuse long ones."""
_UNHEARD_MS = 60_000
_HINT = "a role needs both get and create on pods/{kind}: which is asked for depends on the server"


class Channels(Closing):
    """An open websocket: one thread may read, others may send and close."""

    def __init__(self, opened: Any) -> None:
        """`opened` is a WebSocket of websocket-client after its handshake."""
        self._socket = opened
        self._shared = SharedSocket(opened.sock)
        opened.sock = self._shared
        self.protocol: str = opened.getsubprotocol() or V4

    def receive(self) -> tuple[int, bytes] | None:
        """The next message and its channel; None at the end, however it came about."""
        from websocket import ABNF, WebSocketException

        while True:
            try:
                kind, data = self._socket.recv_data()
            except (WebSocketException, OSError):
                return None
            if kind == ABNF.OPCODE_CLOSE:
                return None
            message = data.encode() if isinstance(data, str) else bytes(data)
            if message:
                return message[0], message[1:]

    def send(self, channel: int, data: bytes) -> None:
        """Send all of `data`; raises ConnectionError when the other side is gone."""
        from websocket import WebSocketException

        view = memoryview(data)
        try:
            while view:
                self._socket.send_binary(bytes([channel]) + view[:_CHUNK])
                view = view[_CHUNK:]
        except (WebSocketException, OSError) as error:
            raise ConnectionError(str(error)) from error

    def end(self, channel: int) -> bool:
        """Tell that no more comes on a channel; False where the protocol has no word for it."""
        if self.protocol != V5:
            return False
        with contextlib.suppress(ConnectionError):
            self.send(_CLOSE, bytes([channel]))
        return True

    def cut(self) -> None:
        """End the connection: who reads comes to its end."""
        with contextlib.suppress(OSError):
            self._shared.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection and let go of it; by the thread that reads."""
        self.cut()
        with contextlib.suppress(OSError):
            self._shared.close()


def connected(
    way: Opened, path: str, query: Sequence[tuple[str, str]], protocols: Sequence[str]
) -> Channels:
    """Open the websocket at a subresource of a pod, e.g. `…/pods/NAME/exec`.

    Raises a typed ProviderError in Kubernetes' words.
    """
    from websocket import WebSocket, WebSocketBadStatusException, WebSocketException

    kind = path.rsplit("/", 1)[-1]
    server = urlsplit(way.server)
    scheme = "wss" if server.scheme == "https" else "ws"
    url = f"{scheme}://{server.netloc}{server.path.rstrip('/')}{quote(path)}?{urlencode(query)}"
    made: Any = WebSocket(sslopt=_tls(way), sockopt=_SOCKET_OPTIONS, enable_multithread=True)
    try:
        made.connect(
            url,
            header=[f"{name}: {value}" for name, value in way.headers().items()],
            subprotocols=list(protocols),
            timeout=_OPEN_S,
            redirect_limit=0,
            suppress_origin=True,
            **_proxy(way),
        )
    except WebSocketBadStatusException as error:
        raise _refused(error, path, f"{kind} {path} as {way.who}") from None
    except ssl.SSLError as error:
        raise ConfigError(f"{way.server} is not trusted: {error}") from None
    except (WebSocketException, OSError) as error:
        raise TransientError(f"{way.server} did not open {path}: {error}") from None
    return Channels(made)


_SOCKET_OPTIONS = (
    [(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)]
    if hasattr(socket, "TCP_USER_TIMEOUT")
    else []
)


def _refused(error: Any, path: str, asked: str) -> ProviderError:
    pod, kind = path.split("/")[-2:]
    body = error.resp_body
    content = body.encode() if isinstance(body, str) else body or b""
    refused = answered(error.status_code, content, error.resp_headers or {}, asked)
    if isinstance(refused, AuthError) and error.status_code == 403:
        return AuthError(f"{refused} ({_HINT.format(kind=kind)})", detail=asked)
    if isinstance(refused, NotFoundError) and pod not in str(refused):
        # Kubernetes says `pods "NODE" not found` of a Node that is gone while its pod is not.
        return NotRunningError(f"{refused} (it is the machine of pod {pod})", detail=asked)
    return refused


def _tls(way: Opened) -> dict[str, Any]:
    """The same trust and identity as those of other requests to the server."""
    from urllib3.util.ssl_ import create_urllib3_context

    settings = way.client.rest_client.pool_manager.connection_pool_kw
    required = settings.get("cert_reqs", ssl.CERT_REQUIRED)
    checks_name = required != ssl.CERT_NONE and settings.get("assert_hostname") is not False
    context = settings.get("ssl_context") or create_urllib3_context(cert_reqs=required)
    if required != ssl.CERT_NONE:
        if settings.get("ca_certs"):
            context.load_verify_locations(settings["ca_certs"])
        else:
            context.load_default_certs()
    if settings.get("cert_file"):
        context.load_cert_chain(settings["cert_file"], settings.get("key_file"))
    found = {"context": context, "cert_reqs": required, "check_hostname": checks_name}
    name = settings.get("server_hostname")
    return {**found, "server_hostname": name} if name else found


def _proxy(way: Opened) -> dict[str, Any]:
    settings = way.client.configuration
    if not settings.proxy:
        return {}
    proxy = urlsplit(settings.proxy)
    found: dict[str, Any] = {
        "http_proxy_host": proxy.hostname,
        "http_proxy_port": proxy.port or 80,
        "proxy_type": "http",
    }
    if settings.no_proxy:
        found["http_no_proxy"] = settings.no_proxy.split(",")
    if proxy.username:
        found["http_proxy_auth"] = (proxy.username, proxy.password or "")
    return found
