"""The work on a cluster as its dashboard tells it: questions put on threads, answers typed."""

from __future__ import annotations

import contextlib
import http.client
import urllib.error
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from raytui.backends.base import ProviderError
from raytui.client.asking import apart
from raytui.client.base import ClientError, ReadOnlyError
from raytui.client.dashboard_way import DashboardWay
from raytui.client.streaming import streamed
from raytui.model.work import (
    Actor,
    Job,
    Listing,
    LogFile,
    NodeUse,
    PlacementGroup,
    StoredObject,
    Task,
    TaskSummary,
)
from raytui.ray import jobs as ray_jobs
from raytui.ray import listing
from raytui.ray.base import RayError
from raytui.ray.job_tail import JobTail
from raytui.ray.logs import LogStream, log_files
from raytui.ray.uses import uses

T = TypeVar("T")


class DashboardWork:
    """Implements Work. `is_read_only` is asked at the moment of each change."""

    def __init__(self, way: DashboardWay, is_read_only: Callable[[], bool]) -> None:
        self._way = way
        self._is_read_only = is_read_only

    async def jobs(self) -> Listing[Job]:
        """See Work."""
        return await self._asked(listing.jobs)

    async def submit(self, entrypoint: str, runtime_env: Mapping[str, Any] | None = None) -> str:
        """See Work; files of this machine that the environment names are uploaded."""
        self._refuse_if_read_only()
        return await self._asked(partial(_submit, entrypoint=entrypoint, env=runtime_env or {}))

    async def stop_job(self, job_id: str) -> bool:
        """See Work."""
        self._refuse_if_read_only()
        return await self._asked(partial(ray_jobs.stop, job_id=job_id))

    def job_log(self, job_id: str) -> AsyncIterator[Sequence[str]]:
        """See Work."""
        return streamed(lambda: JobTail(self._way.url(), job_id))

    async def actors(self, *, dead: bool = False) -> Listing[Actor]:
        """See Work."""
        return await self._asked(partial(listing.actors, dead=dead))

    async def task_summary(self) -> Listing[TaskSummary]:
        """See Work."""
        return await self._asked(listing.task_summary)

    async def tasks(self, *, name: str = "", node_id: str = "", job_id: str = "") -> Listing[Task]:
        """See Work."""
        return await self._asked(partial(listing.tasks, name=name, node_id=node_id, job_id=job_id))

    async def placement_groups(self) -> Listing[PlacementGroup]:
        """See Work."""
        return await self._asked(listing.placement_groups)

    async def objects(self) -> Listing[StoredObject]:
        """See Work."""
        return await self._asked(_objects)

    async def uses(self) -> Listing[NodeUse]:
        """See Work."""
        return await self._asked(uses)

    async def log_files(self, node_id: str) -> Listing[LogFile]:
        """See Work."""
        return await self._asked(partial(log_files, node_id=node_id))

    def log(
        self, node_id: str, name: str, *, tail: int = 1000, follow: bool = True
    ) -> AsyncIterator[Sequence[str]]:
        """See Work."""
        return streamed(lambda: LogStream(self._way.url(), node_id, name, tail=tail, follow=follow))

    @contextlib.asynccontextmanager
    async def dashboard(self) -> AsyncIterator[str]:
        """See Work. The way is the one that all questions take, and stays open with the client."""
        try:
            yield await apart(self._way.url)
        except (RayError, ProviderError) as error:
            raise ClientError(str(error)) from error

    async def close(self) -> None:
        """Let go of the way."""
        await apart(self._way.close)

    def _refuse_if_read_only(self) -> None:
        if self._is_read_only():
            raise ReadOnlyError("this client is read-only")

    async def _asked(self, question: Callable[[str], T]) -> T:
        try:
            return await apart(partial(self._ask, question))
        except (RayError, ProviderError) as error:
            raise ClientError(str(error)) from error

    def _ask(self, question: Callable[[str], T]) -> T:
        url = self._way.url()
        try:
            return question(url)
        except RayError as error:
            if _is_of_the_way(error.__cause__):
                self._way.broke(url)
            raise


def _is_of_the_way(cause: BaseException | None) -> bool:
    """Whether nobody answered. A refusal came all the way, which logs that are followed share."""
    if isinstance(cause, urllib.error.HTTPError):
        return False
    return isinstance(cause, OSError | http.client.HTTPException)


def _submit(url: str, *, entrypoint: str, env: Mapping[str, Any]) -> str:
    from raytui.ray.job_upload import brings_files, submit_with_files

    send = submit_with_files if brings_files(env) else ray_jobs.submit
    return send(url, entrypoint, env)


def _objects(url: str) -> Listing[StoredObject]:
    """Objects with the nodes that they are on, which Ray tells by address alone."""
    found = listing.objects(url)
    nodes = listing.node_addresses(url)
    rows = tuple(msgspec.structs.replace(o, node_id=nodes.get(o.node_ip, "")) for o in found.rows)
    return msgspec.structs.replace(found, rows=rows)
