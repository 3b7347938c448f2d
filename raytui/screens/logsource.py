"""Where the lines of a log come from: a file on a node, or the driver of a job."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from raytui.client.base import ClientError
from raytui.client.work import Work
from raytui.model.work import FINISHED

TAIL = 1_000
"""Lines from before, at the beginning and again after each break."""


class LogSource(Protocol):
    """One log, which may be opened again and again."""

    title: str

    def lines(self) -> AsyncIterator[Sequence[str]]:
        """The last lines at once, then those that come; raises ClientError."""
        ...

    async def is_over(self) -> bool:
        """Whether nothing will come any more; asked when the lines have ended."""
        ...


class FileLog:
    """A file in the log folder of a node."""

    def __init__(self, work: Work, node_id: str, name: str, title: str) -> None:
        """`name` may be a part that only the wanted file's name has."""
        self.title = title
        self._work = work
        self._node_id = node_id
        self._name = name

    async def lines(self) -> AsyncIterator[Sequence[str]]:
        """See LogSource."""
        names = [file.name for file in (await self._work.log_files(self._node_id)).rows]
        name = next((n for n in names if n == self._name), None)
        name = name or next((n for n in names if self._name in n), None)
        if name is None:
            raise ClientError(f"there is no log file {self._name} on that node")
        async for lines in self._work.log(self._node_id, name, tail=TAIL):
            yield lines

    async def is_over(self) -> bool:
        """A file may always be written on."""
        return False


class JobLog:
    """What the driver of a job prints."""

    def __init__(self, work: Work, job_id: str) -> None:
        self.title = f"job {job_id}"
        self._work = work
        self._job_id = job_id

    def lines(self) -> AsyncIterator[Sequence[str]]:
        """See LogSource."""
        return self._work.job_log(self._job_id)

    async def is_over(self) -> bool:
        """Once the job has ended."""
        jobs = (await self._work.jobs()).rows
        job = next((job for job in jobs if job.job_id == self._job_id), None)
        return job is None or job.status in FINISHED


def unseen(known: Sequence[str], told: Sequence[str]) -> Sequence[str]:
    """What of `told`, the end of a log, comes after `known`, an earlier end of it."""
    for count in range(min(len(known), len(told)), 0, -1):
        if known[-1] == told[count - 1] and list(known[-count:]) == list(told[:count]):
            return told[count:]
    return told
