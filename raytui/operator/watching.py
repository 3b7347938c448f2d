"""Kopf, which watches RayClusters: in a thread of its own, so that the loop beside it is ours."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import kopf

from raytui.backends.kubernetes.access import Access, Opened, opened
from raytui.backends.kubernetes.session import Json

_STOP_S = 10.0

Saw = Callable[[str | None, Json], None]


class Watching:
    """From `start` to `close`."""

    def __init__(
        self,
        access: Access,
        namespaces: Sequence[str],
        saw: Saw,
        failed: Callable[[BaseException | None], None],
    ) -> None:
        """`namespaces` is empty for all. Both callbacks are called in kopf's thread.

        `saw` is told of each RayCluster with its newest state; `failed` that the watch has ended
        though nobody closed it.
        """
        self._access = access
        self._namespaces = namespaces
        self._saw = saw
        self._failed = failed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def close(self) -> None:
        """Watch no longer."""
        self._stop.set()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            kopf.run(
                registry=self._registry(),
                settings=_settings(),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=list(self._namespaces),
                stop_flag=self._stop,
            )
        except BaseException as raised:
            error = raised
        if not self._stop.is_set():
            self._failed(error)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        def login(**_: Any) -> kopf.ConnectionInfo:
            return _connection(opened(self._access))

        @kopf.on.event("ray.io", "v1", "rayclusters", registry=registry)
        def changed(event: Any, **_: Any) -> None:
            self._saw(event["type"], dict(event["object"]))

        return registry


class _Backoffs:
    """Seconds to wait after each failure in a row: without an end."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1, 2, 4, 8), itertools.repeat(15))


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False  # events are ours to post
    settings.scanning.disabled = True  # no rights for definitions and namespaces are needed
    settings.networking.error_backoffs = _Backoffs()
    settings.watching.server_timeout = 600
    return settings


def _connection(found: Opened) -> kopf.ConnectionInfo:
    """The way in, in kopf's words."""
    given = found.client.configuration
    scheme, _, token = found.headers().get("authorization", "").partition(" ")
    return kopf.ConnectionInfo(
        server=found.server,
        ca_path=given.ssl_ca_cert,
        insecure=not given.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=given.cert_file,
        private_key_path=given.key_file,
        proxy_url=given.proxy,
        default_namespace=found.namespace,
    )
