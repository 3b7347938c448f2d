"""The work on the sample cluster, as a test writes it down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from raytui.client.base import ClientError, ReadOnlyError
from raytui.client.recorded import RecordedClient
from raytui.client.work import NoWork
from raytui.model.work import (
    Actor,
    Bundle,
    Job,
    Listing,
    PlacementGroup,
    StoredObject,
    Task,
    TaskSummary,
)
from tests.tui import sample

GIB = 1024**3


def ray_id(name: str) -> str:
    """Ray's hex id of a node of the sample cluster."""
    return name.encode().hex().rjust(56, "0")


JOBS = (
    Job("job-train", "RUNNING", "python train.py", started_at=sample.NOW - 600,
        node_id=ray_id("i-0001"), ray_job_id="02000000"),
    Job("job-eval", "PENDING", "python eval.py", message="Job has not started yet.",
        started_at=sample.NOW - 5),
    Job("job-old", "FAILED", "python old.py", message="exit code 1", started_at=sample.NOW - 900,
        ended_at=sample.NOW - 800, node_id=ray_id("i-0001"), ray_job_id="01000000"),
    Job("03000000", "RUNNING", "", submitted=False, started_at=sample.NOW - 60,
        ray_job_id="03000000"),
)  # fmt: skip
ACTORS = (
    Actor("a" * 32, "Loader", "ALIVE", node_id=ray_id("i-0b80"), pid=4711, job_id="02000000",
          resources={"CPU": 1.0}, restarts=1),
    Actor("b" * 32, "Trainer", "PENDING_CREATION", job_id="02000000",
          resources={"CPU": 4.0, "GPU": 1.0}),
)  # fmt: skip
DEAD = Actor(
    "d" * 32,
    "Worker",
    "DEAD",
    job_id="02000000",
    why="The actor is dead because it was killed: out of memory\nmore",
)
SUMMARY = (
    TaskSummary("preprocess", "NORMAL_TASK", {"RUNNING": 4, "PENDING_NODE_ASSIGNMENT": 18,
                                             "FAILED": 1, "FINISHED": 200}),
    TaskSummary("Loader.next", "ACTOR_TASK", {"FINISHED": 1_000}),
)  # fmt: skip
TASKS = (
    Task("1" * 48, "preprocess", "RUNNING", node_id=ray_id("i-0a31"), pid=811, job_id="02000000",
         resources={"CPU": 1.0}, created_at=sample.NOW - 30, started_at=sample.NOW - 20),
    Task("2" * 48, "preprocess", "PENDING_NODE_ASSIGNMENT", job_id="02000000",
         resources={"CPU": 1.0}, created_at=sample.NOW - 30),
    Task("3" * 48, "preprocess", "FAILED", job_id="02000000", created_at=sample.NOW - 90,
         error="WORKER_DIED: the worker was [red]killed"),
)  # fmt: skip
GROUPS = (
    PlacementGroup("c0" * 16, "CREATED", "PACK", "serve",
                   (Bundle(0, {"CPU": 1.0}, ray_id("i-0b80")),
                    Bundle(1, {"CPU": 1.0}, ray_id("i-0a31")))),
    PlacementGroup("c1" * 16, "PENDING", "STRICT_SPREAD", "train-7",
                   tuple(Bundle(i, {"GPU": 1.0}) for i in range(5)), why="NO_RESOURCES"),
)  # fmt: skip
OBJECTS = (
    StoredObject("e1" * 28, 3 * GIB, "10.0.2.3", ray_id("i-0c12"), 77, "PINNED_IN_MEMORY", "WORKER",
                 call_site="train.py:12 load"),
    StoredObject("e1" * 28, 3 * GIB, "10.0.2.3", ray_id("i-0c12"), 78, "LOCAL_REFERENCE", "WORKER"),
    StoredObject("e2" * 28, 1024, "10.0.1.4", ray_id("i-0001"), 5, "LOCAL_REFERENCE", "DRIVER"),
)  # fmt: skip


class WrittenWork(NoWork):
    """Answers as they are written into it; keeps what it was told to do."""

    def __init__(self) -> None:
        super().__init__("not written down for this test")
        self.client: RecordedClient | None = None
        self.job_rows: Sequence[Job] = JOBS
        self.refusal = ""
        self.submitted: list[tuple[str, Mapping[str, Any] | None]] = []
        self.stopped: list[str] = []
        self.forwarded = 0

    def _listed(self, rows: Sequence[Struct], notes: tuple[str, ...] = ()) -> Listing[Any]:
        if self.refusal:
            raise ClientError(self.refusal)
        return Listing(tuple(rows), len(rows), notes)

    def _change(self) -> None:
        if self.client is not None and self.client.read_only:
            raise ReadOnlyError

    async def jobs(self) -> Listing[Job]:
        return self._listed(self.job_rows)

    async def submit(self, entrypoint: str, runtime_env: Mapping[str, Any] | None = None) -> str:
        self._change()
        self.submitted.append((entrypoint, runtime_env))
        return "job-new"

    async def stop_job(self, job_id: str) -> bool:
        self._change()
        self.stopped.append(job_id)
        return True

    async def actors(self, *, dead: bool = False) -> Listing[Actor]:
        return self._listed((*ACTORS, DEAD) if dead else ACTORS)

    async def task_summary(self) -> Listing[TaskSummary]:
        return self._listed(SUMMARY)

    async def tasks(self, *, name: str = "", node_id: str = "", job_id: str = "") -> Listing[Task]:
        return self._listed(
            [
                one
                for one in TASKS
                if name in ("", one.name)
                and node_id in ("", one.node_id)
                and job_id in ("", one.job_id)
            ]
        )

    async def placement_groups(self) -> Listing[PlacementGroup]:
        return self._listed(GROUPS)

    async def objects(self) -> Listing[StoredObject]:
        return self._listed(OBJECTS, ("1 node did not answer",))

    @asynccontextmanager
    async def dashboard(self) -> AsyncIterator[str]:
        self.forwarded += 1
        try:
            yield "http://127.0.0.1:8265"
        finally:
            self.forwarded -= 1


def working(**options: Any) -> tuple[RecordedClient, WrittenWork]:
    """The sample cluster with work on it, and that work."""
    work = WrittenWork()
    client = RecordedClient([sample.snapshot()], pace_s=0, work=work, **options)
    work.client = client
    return client, work
