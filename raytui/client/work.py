"""The door between a terminal and the work on a cluster: what runs there, its logs, its jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Never, Protocol

from raytui.client.base import ClientError
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


class Work(Protocol):
    """What Ray tells of its work, asked anew at each call. Node ids are Ray's hex ids.

    All methods are for one asyncio loop and raise ClientError; those that change something raise
    ReadOnlyError where the client is read-only at that moment.
    """

    async def jobs(self) -> Listing[Job]:
        """All jobs that Ray remembers, the newest first."""
        ...

    async def submit(self, entrypoint: str, runtime_env: Mapping[str, Any] | None = None) -> str:
        """Submit a shell command as a job; its id."""
        ...

    async def stop_job(self, job_id: str) -> bool:
        """Stop a submitted job; False when it had already ended."""
        ...

    def job_log(self, job_id: str) -> AsyncIterator[Sequence[str]]:
        """What a job's driver prints: all so far at once, then what comes, until it has ended."""
        ...

    async def actors(self, *, dead: bool = False) -> Listing[Actor]:
        """Actors that live or are to live; with `dead` also those that died."""
        ...

    async def task_summary(self) -> Listing[TaskSummary]:
        """Tasks by name, the most numerous unfinished ones first."""
        ...

    async def tasks(self, *, name: str = "", node_id: str = "", job_id: str = "") -> Listing[Task]:
        """Tasks one by one, the newest first: of a name, on a node, of a job, or all."""
        ...

    async def placement_groups(self) -> Listing[PlacementGroup]:
        """Placement groups that were not removed."""
        ...

    async def objects(self) -> Listing[StoredObject]:
        """References to objects in the store, the largest first."""
        ...

    async def uses(self) -> Listing[NodeUse]:
        """What the hardware of each node does now."""
        ...

    async def log_files(self, node_id: str) -> Listing[LogFile]:
        """The files in a node's log folder, by name."""
        ...

    def log(
        self, node_id: str, name: str, *, tail: int = 1000, follow: bool = True
    ) -> AsyncIterator[Sequence[str]]:
        """Lines of a log file: the last ones at once, then, with `follow`, those that come."""
        ...

    def dashboard(self) -> AbstractAsyncContextManager[str]:
        """A URL of this machine at which the dashboard answers, as long as the context lasts."""
        ...


class NoWork:
    """Work of a cluster that cannot be asked for it, and why."""

    def __init__(self, why: str) -> None:
        self._why = why

    def _refuse(self, *_: Any, **__: Any) -> Never:
        raise ClientError(self._why)

    async def _never(self, *_: Any, **__: Any) -> Never:
        self._refuse()

    jobs = submit = stop_job = actors = task_summary = tasks = placement_groups = objects = uses = (
        log_files
    ) = _never
    job_log = log = dashboard = _refuse
