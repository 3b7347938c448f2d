"""The way to a cluster's dashboard: opened when it is first needed, and anew when it broke."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from urllib.parse import urlsplit

from raytui.config.locations import ClusterPaths
from raytui.launcher.place import Place, place_of
from raytui.model.spec import ClusterSpec
from raytui.ray.base import RayError

_RAYS_PORT = 8265

Opening = Callable[[], AbstractContextManager[str]]
"""Opens a way; gives a URL that holds as long as the context. Raises RayError, ProviderError."""


class DashboardWay:
    """One way for all questions. Thread-safe; every method may take as long as a login."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._url = ""
        self._closed = False

    def url(self) -> str:
        """Where the dashboard answers, on this machine; raises RayError and ProviderError."""
        with self._lock:
            if self._closed:
                raise RayError("this cluster has been left")
            if not self._url:
                self._url = self._open.enter_context(self._opening())
            return self._url

    def broke(self, url: str) -> None:
        """Have the way made anew at the next question, if `url` is still what it led to."""
        with self._lock:
            if url == self._url:
                self._shut()

    def close(self) -> None:
        """Let go of it for good."""
        with self._lock:
            self._closed = True
            self._shut()

    def _shut(self) -> None:
        self._url = ""
        self._open.close()


def opening_for(spec: ClusterSpec, paths: ClusterPaths, told: Callable[[], str]) -> Opening:
    """How to get to the dashboard of a cluster here, or on a head elsewhere.

    `told` gives the URL that its daemon tells, which is one of the head's own machine; empty while
    it is not known.
    """
    if place_of(spec) is Place.HEAD:
        return lambda: _through_ssh(spec, paths, told)
    return lambda: _here(told)


@contextlib.contextmanager
def _here(told: Callable[[], str]) -> Iterator[str]:
    url = told()
    if not url:
        raise RayError("nothing tells yet where the dashboard of this cluster is")
    yield url


@contextlib.contextmanager
def _through_ssh(spec: ClusterSpec, paths: ClusterPaths, told: Callable[[], str]) -> Iterator[str]:
    from raytui.launcher.reach import head_that_answers

    reach = head_that_answers(spec, paths)
    there = reach.dashboard_port or urlsplit(told()).port or _RAYS_PORT
    with reach.forward(there) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def through_pod(spec: ClusterSpec) -> Iterator[str]:
    """A port of this machine that leads to the head's pod; raises ProviderError."""
    from raytui.launcher.pod_reach import reach_head

    reach = reach_head(spec)
    with reach.forward(reach.dashboard_port) as port:
        yield f"http://127.0.0.1:{port}"
