"""Where monitoring asks: `/metrics` for Prometheus and `/healthz`, over HTTP."""

from __future__ import annotations

import errno
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

from raytui.autoscaler.metrics.series import Durations, Kind, Series
from raytui.model.spec import MetricsSpec

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.registry import Collector

RAY_PORT = 44217
"""Where Ray's autoscaler serves its metrics."""

PORT_SETTING = "AUTOSCALER_METRIC_PORT"
"""Ray's environment variable for another port."""

_PORTS_TRIED = 10
_SLOW_CLIENT_S = 10.0


class EndpointError(Exception):
    """Metrics cannot be served; `str()` is one sentence."""


class Monitored(Protocol):
    """What is served. Both are called from several threads."""

    def series(self) -> list[Series]:
        """All metrics as they are now."""
        ...

    def health(self) -> tuple[bool, bytes]:
        """Whether all is well, and one line of JSON that says more."""
        ...


class Endpoint:
    """Serves a monitor from `open_endpoint` to `close`."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.host: str = str(server.server_address[0])
        self.port: int = int(server.server_address[1])
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is, as seen from this machine."""
        return f"http://{self.address('127.0.0.1:0')}"

    def address(self, gcs_address: str) -> str:
        """`host:port` for others; when it listens on every address, the one that GCS has too."""
        host = self.host
        if host in ("0.0.0.0", "::"):  # noqa: S104 - asked, not chosen
            host = gcs_address.rpartition(":")[0].strip("[]")
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def open_endpoint(spec: MetricsSpec, monitor: Monitored) -> Endpoint | None:
    """Serve as the cluster file says; None when it says not to. Raises EndpointError.

    A port that the file or Ray's setting names is taken or nothing; otherwise Ray's, or the next
    that is free, because several clusters may have their daemons on one machine.
    """
    ports = _ports(spec)
    if ports == [0]:
        return None
    registry = _registry(monitor)
    for port in ports:
        try:
            return Endpoint(_Server(spec.host, port, monitor, registry))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port == ports[-1]:
                where = f"{spec.host}:{ports[0]}" + (f"-{port}" if port != ports[0] else "")
                raise EndpointError(f"no metrics on {where}: {error.strerror or error}") from None
    raise AssertionError("a port was tried")


def _ports(spec: MetricsSpec) -> list[int]:
    if spec.port is not None:
        return [spec.port]
    try:
        return [int(os.environ[PORT_SETTING])]
    except KeyError:
        return list(range(RAY_PORT, RAY_PORT + _PORTS_TRIED))
    except ValueError:
        raise EndpointError(f"{PORT_SETTING} is not a port: no metrics") from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, host: str, port: int, monitor: Monitored, registry: CollectorRegistry
    ) -> None:
        self.monitor = monitor
        self.registry = registry
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the DNS for our name, which may take seconds, for CGI that is not.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that hangs up early is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SLOW_CLIENT_S

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                self._metrics()
            case "/healthz":
                well, body = self.server.monitor.health()
                self._answer(200 if well else 503, "application/json", body)
            case _:
                self._answer(404, "text/plain", b"see /metrics and /healthz\n")

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def _metrics(self) -> None:
        from prometheus_client.exposition import choose_encoder

        encode, kind = choose_encoder(self.headers.get("Accept", ""))
        self._answer(200, kind, encode(self.server.registry))

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        return "raytui"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """A scrape every few seconds is not worth a line."""


def _registry(monitor: Monitored) -> CollectorRegistry:
    """A registry of our own: the global one belongs to whoever imports the library."""
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector
    except ImportError:
        hint = "pip install 'raytui[ray]'"
        raise EndpointError(f"no metrics: prometheus_client is not installed: {hint}") from None

    registry = CollectorRegistry()
    registry.register(_collector(monitor))
    ProcessCollector(registry=registry)
    return registry


def _collector(monitor: Monitored) -> Collector:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector

    class FromMonitor(Collector):
        def collect(self) -> Iterator[Metric]:
            return map(family, monitor.series())

    def family(series: Series) -> Metric:
        metric = Metric(series.name, series.help, series.kind.value)
        for values, value in series.values.items():
            labels = dict(zip(series.labels, values, strict=True))
            if isinstance(value, Durations):
                for bound, count in value.buckets():
                    metric.add_sample(f"{series.name}_bucket", {**labels, "le": bound}, count)
                metric.add_sample(f"{series.name}_count", labels, value.count)
                metric.add_sample(f"{series.name}_sum", labels, value.sum_s)
            else:
                suffix = "_total" if series.kind is Kind.COUNTER else ""
                metric.add_sample(series.name + suffix, labels, value)
        return metric

    return FromMonitor()
