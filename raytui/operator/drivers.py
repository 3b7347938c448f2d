"""One driver for each RayCluster that there is, as the watch tells of them."""

from __future__ import annotations

import asyncio
import logging

from raytui.autoscaler.daemon.log import note
from raytui.backends.kubernetes.marks import FINALIZER
from raytui.backends.kubernetes.session import Json
from raytui.operator.driver import Driver, Shared
from raytui.operator.pod_view import Cluster
from raytui.operator.upkeep import is_ending

_log = logging.getLogger(__name__)


class Drivers:
    """Belongs to the event loop."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._drivers: dict[Cluster, Driver] = {}
        self._tasks: dict[Cluster, asyncio.Task[None]] = {}
        self._is_closing = False

    def __len__(self) -> int:
        return len(self._drivers)

    def saw(self, kind: str | None, resource: Json) -> None:
        """Take in what the watch tells: ADDED, MODIFIED, DELETED, or None for what is there."""
        meta = resource["metadata"]
        cluster = (str(meta["namespace"]), str(meta["name"]))
        driver = self._drivers.get(cluster)
        if driver is not None and _is_news_of_one_before(driver, kind, meta):
            return
        if driver is not None and (kind == "DELETED" or driver.uid != meta["uid"]):
            driver.forget()
            del self._drivers[cluster]
            driver = None
        is_over = is_ending(resource) and FINALIZER not in (meta.get("finalizers") or ())
        if kind == "DELETED" or self._is_closing:
            return
        if driver is not None:
            driver.update(resource)
        elif not is_over:
            self._begin(cluster, resource)

    def look_at(self, cluster: Cluster) -> None:
        """Something of a cluster has changed."""
        if driver := self._drivers.get(cluster):
            driver.wake()

    async def close(self) -> None:
        """Stop driving; everything stays as it is, and the next operator goes on."""
        self._is_closing = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, cluster: Cluster, resource: Json) -> None:
        driver = self._drivers[cluster] = Driver(resource, self._shared)
        before = self._tasks.get(cluster)
        task = asyncio.create_task(_run(driver, before), name="/".join(cluster))
        self._tasks[cluster] = task
        task.add_done_callback(lambda done: self._ended(cluster, driver, done))

    def _ended(self, cluster: Cluster, driver: Driver, task: asyncio.Task[None]) -> None:
        if self._drivers.get(cluster) is driver:
            del self._drivers[cluster]
        if self._tasks.get(cluster) is task:
            del self._tasks[cluster]
        if not task.cancelled() and (error := task.exception()) is not None:
            where = "/".join(cluster)
            note(_log, logging.ERROR, "driver broke", cluster=where, error=repr(error))


async def _run(driver: Driver, before: asyncio.Task[None] | None) -> None:
    """Drive a cluster when the one of this name before it has ended."""
    if before is not None:
        await asyncio.wait([before])
    await driver.run()


def _is_news_of_one_before(driver: Driver, kind: str | None, meta: Json) -> bool:
    """Whether it is about a RayCluster that had this name before the one that is driven."""
    if meta["uid"] == driver.uid:
        return False
    return kind == "DELETED" or str(meta["creationTimestamp"]) < driver.began
