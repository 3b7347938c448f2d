"""Made-up work for a simulated cluster: it follows what the simulation says its nodes run."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from raytui.client.base import ClientError, ReadOnlyError
from raytui.model.snapshot import Row, Snapshot
from raytui.model.state import Node
from raytui.model.work import (
    Actor,
    Bundle,
    GpuUse,
    Job,
    Listing,
    LogFile,
    NodeUse,
    PlacementGroup,
    StoredObject,
    Task,
    TaskSummary,
)

_MOST_ROWS = 10_000
"""As many as Ray's state API tells."""
_LINE_EVERY_S = 0.7
_MIB = 1 << 20
_GIB = 1 << 30
_WORDS = ("shard", "batch", "block", "epoch", "window")


class SimulatedWork:
    """Implements Work. The same snapshot gives the same work."""

    def __init__(
        self, newest: Callable[[], Snapshot | None], is_read_only: Callable[[], bool]
    ) -> None:
        self._newest = newest
        self._is_read_only = is_read_only
        self._submitted: list[Job] = []
        self._stopped: set[str] = set()

    async def jobs(self) -> Listing[Job]:
        """One job for each name of tasks, and those submitted here."""
        now, rows = self._snapshot().taken_at, self._nodes()
        head = next((n.node_id for _, n in rows if n.is_head), "")
        found = [
            Job(
                f"raysubmit_{name}",
                "STOPPED" if f"raysubmit_{name}" in self._stopped else "RUNNING",
                f"python {name}.py",
                started_at=now - 3600 * (index + 1),
                node_id=head,
                ray_job_id=_job_id(name),
            )
            for index, name in enumerate(sorted(self._counts()))
        ]
        return _all([*reversed(self._submitted), *found])

    async def submit(self, entrypoint: str, runtime_env: Mapping[str, Any] | None = None) -> str:
        """A job that has nowhere to run, and stays pending."""
        self._refuse_if_read_only()
        name = f"raysubmit_{len(self._submitted) + 1:04d}"
        why = "a simulated cluster starts no real job"
        at = self._snapshot().taken_at
        self._submitted.append(Job(name, "PENDING", entrypoint, why, started_at=at))
        return name

    async def stop_job(self, job_id: str) -> bool:
        """See Work."""
        self._refuse_if_read_only()
        is_new = job_id not in self._stopped
        self._stopped.add(job_id)
        self._submitted = [job for job in self._submitted if job.job_id != job_id]
        return is_new

    async def job_log(self, job_id: str) -> AsyncIterator[Sequence[str]]:
        """See Work."""
        async for lines in self.log("", job_id):
            yield lines

    async def actors(self, *, dead: bool = False) -> Listing[Actor]:
        """A trainer for each GPU in use."""
        found = [
            Actor(
                _id(node.node_id, f"actor{index}")[:32],
                "Trainer",
                "ALIVE",
                f"trainer-{row.id}",
                node.node_id,
                2000 + index,
                _job_id("train"),
                resources={"GPU": 1.0, "CPU": 1.0},
            )
            for row, node in self._nodes()
            for index in range(int(node.used.amount("GPU")))
        ]
        if dead:
            why = "The actor died because its node was terminated: idle for 1m00s."
            found.append(Actor("0" * 32, "Trainer", "DEAD", "trainer-gone", why=why))
        return _all(found)

    async def task_summary(self) -> Listing[TaskSummary]:
        """See Work."""
        waiting: Counter[str] = Counter()
        for outcome in self._snapshot().outcomes:
            waiting["shuffle"] += outcome.count
        found = []
        for name, running in sorted(self._counts().items(), key=lambda pair: (-pair[1], pair[0])):
            counts = {"RUNNING": running, "FINISHED": 40 * running}
            if waiting[name]:
                counts["PENDING_NODE_ASSIGNMENT"] = waiting[name]
            found.append(TaskSummary(name, "NORMAL_TASK", counts))
        return _all(found)

    async def tasks(self, *, name: str = "", node_id: str = "", job_id: str = "") -> Listing[Task]:
        """See Work."""
        now = self._snapshot().taken_at
        found: list[Task] = []
        total = 0
        for node, task, count in self._running():
            is_other = (name and task != name) or (node_id and node.node_id != node_id)
            if is_other or (job_id and _job_id(task) != job_id):
                continue
            total += count
            room = min(count, _MOST_ROWS - len(found))
            found += [_task(node, task, index, now) for index in range(room)]
        return Listing(tuple(found), total)

    async def placement_groups(self) -> Listing[PlacementGroup]:
        """One for each four nodes with GPUs."""
        nodes = [node for _, node in self._nodes() if node.used.units("GPU")]
        found = []
        for first in range(0, len(nodes), 4):
            some = nodes[first : first + 4]
            bundles = tuple(Bundle(i, {"GPU": 1.0}, n.node_id) for i, n in enumerate(some))
            name = f"train-{first // 4}"
            group = _id(some[0].node_id, "group")[:36]
            found.append(
                PlacementGroup(group, "CREATED", "SPREAD", name, bundles, _job_id("train"))
            )
        return _all(found)

    async def objects(self) -> Listing[StoredObject]:
        """One or two for each node that works."""
        found = []
        for row, node in self._nodes():
            dice = random.Random(node.node_id)  # noqa: S311 - repeatable, not secret
            for index in range(dice.randrange(3) if node.activity else 0):
                found.append(
                    StoredObject(
                        _id(node.node_id, f"object{index}"),
                        dice.randrange(1, 900) * _MIB,
                        node.ip,
                        node.node_id,
                        2000 + index,
                        dice.choice(("LOCAL_REFERENCE", "PINNED_IN_MEMORY")),
                        "WORKER",
                        "FINISHED",
                        f"shuffle.py:{dice.randrange(20, 90)} in {row.member.node_type}",
                    )
                )
        return _all(sorted(found, key=lambda one: -one.size_bytes))

    async def uses(self) -> Listing[NodeUse]:
        """What is handed out, with some noise that changes each second."""
        at = self._snapshot().taken_at
        return _all([_use(node, at) for _, node in self._nodes()])

    async def log_files(self, node_id: str) -> Listing[LogFile]:
        """See Work."""
        names = (
            ("raylet.out", "raylet"),
            ("raylet.err", "raylet"),
            ("worker-01.out", "worker_out"),
        )
        return _all([LogFile(node_id, name, kind) for name, kind in names])

    async def log(
        self, node_id: str, name: str, *, tail: int = 1000, follow: bool = True
    ) -> AsyncIterator[Sequence[str]]:
        """Lines that say nothing, one more now and then."""
        dice = random.Random(f"{node_id}{name}")  # noqa: S311 - repeatable, not secret
        now = self._snapshot().taken_at
        yield [_log_line(dice, now - 30 + index / 4) for index in range(min(tail, 120))]
        while follow:
            await asyncio.sleep(_LINE_EVERY_S)
            yield [_log_line(dice, self._snapshot().taken_at)]

    @contextlib.asynccontextmanager
    async def dashboard(self) -> AsyncIterator[str]:
        """There is none."""
        raise ClientError("a simulated cluster has no dashboard")
        yield ""

    def _snapshot(self) -> Snapshot:
        snapshot = self._newest()
        if snapshot is None:
            raise ClientError("the simulation has not begun")
        return snapshot

    def _refuse_if_read_only(self) -> None:
        if self._is_read_only():
            raise ReadOnlyError("this client is read-only")

    def _nodes(self) -> list[tuple[Row, Node]]:
        rows = self._snapshot().rows
        return [(row, row.member.node) for row in rows if row.member.node is not None]

    def _counts(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for _, node in self._nodes():
            for name, count in _activities(node):
                counts[name] += count
        return counts

    def _running(self) -> Iterator[tuple[Node, str, int]]:
        """Each node's names of tasks, and how many of each."""
        for _, node in self._nodes():
            for name, count in _activities(node):
                yield node, name, count


def _all(rows: Sequence[Any]) -> Listing[Any]:
    return Listing(tuple(rows[:_MOST_ROWS]), len(rows))


def _task(node: Node, name: str, index: int, now: float) -> Task:
    began = now - _noise(f"{node.node_id}{name}{index}") * 60
    return Task(
        _id(node.node_id, f"{name}{index}"),
        name,
        "RUNNING",
        "NORMAL_TASK",
        node_id=node.node_id,
        pid=2000 + index,
        job_id=_job_id(name),
        resources={"CPU": 1.0},
        created_at=began - 1,
        started_at=began,
    )


def _activities(node: Node) -> Iterator[tuple[str, int]]:
    """Names of tasks and how many, from words like `shuffle ×3`."""
    for words in node.activity:
        name, _, count = words.partition(" ×")
        if name:
            yield name, int(count) if count.isdecimal() else 1


def _job_id(name: str) -> str:
    return f"{sum(name.encode()) % 90 + 1:02d}000000"


def _id(node_id: str, what: str) -> str:
    return f"{sum(what.encode()):06x}{node_id}"[:56]


def _use(node: Node, at: float) -> NodeUse:
    dice = random.Random(f"{node.node_id}{int(at)}")  # noqa: S311 - repeatable, not secret
    used, total = node.used, node.total
    cpus = total.amount("CPU")
    share = used.units("CPU") / total.units("CPU") if total.units("CPU") else 0.05
    memory = int(total.amount("memory")) or 16 * _GIB
    return NodeUse(
        node_id=node.node_id,
        at=at,
        cpus=cpus,
        cpu=min(1.0, max(0.01, share * dice.uniform(0.7, 1.0))),
        memory_used=int(memory * min(0.95, 0.1 + share * dice.uniform(0.5, 0.7))),
        memory_total=memory,
        store_used=int(memory * 0.1 * share * dice.uniform(0.5, 1)),
        store_total=int(memory * 0.3),
        disk_used=int(dice.uniform(40, 45) * _GIB),
        disk_total=100 * _GIB,
        disk_read=dice.uniform(0, 20) * _MIB * share,
        disk_write=dice.uniform(0, 40) * _MIB * share,
        received=dice.uniform(0, 90) * _MIB * share,
        sent=dice.uniform(0, 70) * _MIB * share,
        gpus=tuple(
            GpuUse(
                index,
                "A10G",
                dice.uniform(0.15, 0.4) if used.units("GPU") else 0.0,
                int(dice.uniform(4, 9) * _GIB) if used.units("GPU") else 0,
                24 * _GIB,
            )
            for index in range(int(total.amount("GPU")))
        ),
    )


def _noise(seed: str) -> float:
    """0 to 1, the same for the same words."""
    return zlib.crc32(seed.encode()) / (1 << 32)


def _log_line(dice: random.Random, at: float) -> str:
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
    word = dice.choice(_WORDS)
    return f"{clock},{dice.randrange(1000):03d} INFO {word} {dice.randrange(10_000)} done"
