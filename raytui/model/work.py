"""What Ray knows of the work on a cluster: jobs, actors, tasks, placement groups, objects, logs."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

FINISHED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
"""Statuses that a job does not leave. The others are PENDING and RUNNING."""


class Listing(Struct, Generic[T], frozen=True):
    """Rows of one kind as Ray listed them at one moment."""

    rows: tuple[T, ...] = ()
    total: int = 0
    """How many there are; more than `rows` where Ray does not tell of all."""
    notes: tuple[str, ...] = ()
    """What is missing or doubtful, in sentences: rows left out, nodes that did not answer."""


class Job(Struct, frozen=True, omit_defaults=True):
    """A submitted job, or a driver that connected by itself."""

    job_id: str
    """The submission id, by which Ray is asked; for a driver Ray's short job id."""
    status: str
    entrypoint: str = ""
    message: str = ""
    """Ray's words about the status."""
    submitted: bool = True
    """False for a driver that was not started by the job API: it can only be watched."""
    started_at: float = 0.0
    """Unix seconds; 0 when unknown."""
    ended_at: float = 0.0
    node_id: str = ""
    """Hex id of the node that the driver runs on; empty when unknown."""
    metadata: dict[str, str] = {}
    ray_job_id: str = ""
    """Ray's short id, which its tasks and actors carry; empty before the driver connected."""


class Actor(Struct, frozen=True, omit_defaults=True):
    """One actor, dead ones too as long as Ray remembers them."""

    actor_id: str
    class_name: str
    state: str
    """Ray's word: DEPENDENCIES_UNREADY, PENDING_CREATION, ALIVE, RESTARTING or DEAD."""
    name: str = ""
    node_id: str = ""
    pid: int = 0
    job_id: str = ""
    """Ray's short job id."""
    group_id: str = ""
    """Id of the placement group that it sits in."""
    resources: dict[str, float] = {}
    restarts: int = 0
    repr_name: str = ""
    """What it calls itself."""
    why: str = ""
    """Why it died, in Ray's words."""


class TaskSummary(Struct, frozen=True, omit_defaults=True):
    """All tasks of one name."""

    name: str
    kind: str
    """Ray's word: NORMAL_TASK, ACTOR_TASK, ACTOR_CREATION_TASK or DRIVER_TASK."""
    counts: dict[str, int]
    """State (Ray's word: RUNNING, PENDING_NODE_ASSIGNMENT, …) to number of tasks."""


class Task(Struct, frozen=True, omit_defaults=True):
    """One attempt of a task."""

    task_id: str
    name: str
    state: str
    kind: str = ""
    attempt: int = 0
    node_id: str = ""
    worker_id: str = ""
    pid: int = 0
    job_id: str = ""
    actor_id: str = ""
    group_id: str = ""
    resources: dict[str, float] = {}
    created_at: float = 0.0
    """Unix seconds, as the other two; 0 when unknown."""
    started_at: float = 0.0
    ended_at: float = 0.0
    error: str = ""
    """Ray's word for what went wrong, and the message."""


class Bundle(Struct, frozen=True, omit_defaults=True):
    """One bundle of a placement group."""

    index: int
    resources: dict[str, float]
    node_id: str = ""
    """Where it sits; empty while it does not."""


class PlacementGroup(Struct, frozen=True, omit_defaults=True):
    """A placement group with its bundles."""

    group_id: str
    state: str
    """Ray's word: PENDING, CREATED, REMOVED or RESCHEDULING."""
    strategy: str = ""
    name: str = ""
    bundles: tuple[Bundle, ...] = ()
    job_id: str = ""
    is_detached: bool = False
    why: str = ""
    """Ray's word about its scheduling, e.g. QUEUED or NO_RESOURCES."""


class StoredObject(Struct, frozen=True, omit_defaults=True):
    """A reference to an object of the store, held by one process."""

    object_id: str
    size_bytes: int
    """Negative when unknown."""
    node_ip: str = ""
    node_id: str = ""
    pid: int = 0
    kind: str = ""
    """Ray's word for the reference: LOCAL_REFERENCE, PINNED_IN_MEMORY, ACTOR_HANDLE, …"""
    process: str = ""
    """WORKER or DRIVER."""
    task_status: str = ""
    call_site: str = ""


class LogFile(Struct, frozen=True, omit_defaults=True):
    """A file in the log folder of a node."""

    node_id: str
    name: str
    """Below the log folder."""
    kind: str = ""
    """What writes it, in Ray's word: raylet, gcs_server, worker_out, …"""


class GpuUse(Struct, frozen=True, omit_defaults=True):
    """What one GPU does."""

    index: int
    name: str = ""
    busy: float = 0.0
    """0 to 1."""
    memory_used: int = 0
    """Bytes, as the next."""
    memory_total: int = 0


class NodeUse(Struct, frozen=True, omit_defaults=True):
    """What a node's hardware does at one moment: measured there, not what Ray has handed out."""

    node_id: str
    at: float
    """Unix seconds on the node's clock; 0 when unknown."""
    cpus: float = 0.0
    cpu: float = 0.0
    """0 to 1 of all its CPUs."""
    memory_used: int = 0
    """Bytes, as all of the following."""
    memory_total: int = 0
    store_used: int = 0
    store_total: int = 0
    disk_used: int = 0
    disk_total: int = 0
    disk_read: float = 0.0
    """Bytes per second, as the following."""
    disk_write: float = 0.0
    received: float = 0.0
    sent: float = 0.0
    gpus: tuple[GpuUse, ...] = ()
