"""What runs on a cluster, kind by kind, from the dashboard's state API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

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
from raytui.ray import jobs as ray_jobs
from raytui.ray.base import RayError
from raytui.ray.state_rows import ODD, Row, StateRows, state_rows, told_by

INTERNAL = "_ray_internal_"
"""What the names of Ray's own actors begin with."""
_SUPERVISOR = "JobSupervisor"
_ASK_S = 10.0
_OVER = frozenset({"FINISHED", "FAILED"})

T = TypeVar("T")


def jobs(url: str) -> Listing[Job]:
    """All jobs that Ray remembers, the newest first; raises RayError, as all of these do."""
    told = tuple(ray_jobs.entries(url))
    listed = _listing(StateRows(told, len(told)), ray_jobs.job_of)
    order = sorted(listed.rows, key=lambda one: -one.started_at)
    return Listing(tuple(order), listed.total, listed.notes)


def actors(url: str, *, dead: bool = False) -> Listing[Actor]:
    """Actors but Ray's own; without `dead` those that live or are to live."""
    where = () if dead else (("state", "!=", "DEAD"),)
    told = state_rows(url, "actors", where=where, detail=True, timeout_s=_ASK_S)
    return _listing(told, _actor, lambda row: not _is_rays_own(row))


def task_summary(url: str) -> Listing[TaskSummary]:
    """Tasks by name, those with the most unfinished ones first."""
    told = told_by(url, f"/api/v0/tasks/summarize?timeout={_ASK_S:.0f}", "tasks", _ASK_S)
    found: dict[str, Row] = {}
    try:
        for summary in told["result"]["node_id_to_summary"].values():
            found.update(summary["summary"])
    except ODD as error:
        raise RayError("the dashboard's answer has no summary of tasks") from error
    rows = StateRows(tuple(found.values()))
    listed = _listing(rows, _summary, lambda row: INTERNAL not in str(row["func_or_class_name"]))
    order = sorted(listed.rows, key=lambda one: (-_unfinished(one), one.name))
    return Listing(tuple(order), len(order), listed.notes)


def tasks(url: str, *, name: str = "", node_id: str = "", job_id: str = "") -> Listing[Task]:
    """Tasks one by one, the newest first."""
    asked = (("name", "=", name), ("node_id", "=", node_id), ("job_id", "=", job_id))
    where = [one for one in asked if one[2]]
    told = state_rows(url, "tasks", where=where, detail=True, timeout_s=_ASK_S)
    listed = _listing(told, _task, lambda row: INTERNAL not in str(row["name"]))
    order = sorted(listed.rows, key=lambda one: (-one.created_at, one.task_id))
    return Listing(tuple(order), listed.total, listed.notes)


def placement_groups(url: str) -> Listing[PlacementGroup]:
    """Placement groups that were not removed."""
    told = state_rows(url, "placement_groups", detail=True, timeout_s=_ASK_S)
    return _listing(told, _group, lambda row: row.get("state") != "REMOVED")


def objects(url: str) -> Listing[StoredObject]:
    """References to objects, the largest first; their nodes are told by address alone."""
    listed = _listing(state_rows(url, "objects", timeout_s=_ASK_S), _object)
    order = sorted(listed.rows, key=lambda one: -one.size_bytes)
    return Listing(tuple(order), listed.total, listed.notes)


def node_addresses(url: str) -> dict[str, str]:
    """Address to Ray's id of the nodes that live; of several at one address the newest."""
    rows = state_rows(url, "nodes", where=[("state", "=", "ALIVE")], timeout_s=_ASK_S).rows
    return {str(row.get("node_ip", "")): str(row.get("node_id", "")) for row in rows}


def _listing(
    told: StateRows, read: Callable[[Row], T], counts: Callable[[Row], bool] = lambda _: True
) -> Listing[T]:
    """Rows as ours. One that makes no sense is left out, and said to be."""
    found: list[T] = []
    left_out = odd = 0
    for row in told.rows:
        try:
            if counts(row):
                found.append(read(row))
            else:
                left_out += 1
        except ODD:
            odd += 1
    notes = told.notes + ((f"{odd:,} could not be read",) if odd else ())
    return Listing(tuple(found), max(len(found), told.total - left_out - odd), notes)


def _is_rays_own(row: Row) -> bool:
    return _text(row, "name").startswith(INTERNAL) or row.get("class_name") == _SUPERVISOR


def _actor(row: Row) -> Actor:
    return Actor(
        actor_id=str(row["actor_id"]),
        class_name=_text(row, "class_name"),
        state=str(row["state"]),
        name=_text(row, "name"),
        node_id=_text(row, "node_id"),
        pid=int(row.get("pid") or 0),
        job_id=_text(row, "job_id"),
        group_id=_text(row, "placement_group_id"),
        resources=_amounts(row.get("required_resources")),
        restarts=int(row.get("num_restarts") or 0),
        repr_name=_text(row, "repr_name"),
        why=_cause(row.get("death_cause")),
    )


def _cause(told: Any) -> str:
    """The first message in Ray's nested words about a death."""
    if not isinstance(told, Mapping):
        return ""
    for value in told.values():
        if isinstance(value, Mapping):
            message = value.get("error_message") or _cause(value)
            if message:
                return str(message)
    return str(told.get("error_message") or "")


def _summary(row: Row) -> TaskSummary:
    counts = {str(state): int(count) for state, count in row["state_counts"].items()}
    return TaskSummary(str(row["func_or_class_name"]), _text(row, "type"), counts)


def _unfinished(one: TaskSummary) -> int:
    return sum(count for state, count in one.counts.items() if state not in _OVER)


def _task(row: Row) -> Task:
    error = ": ".join(filter(None, (_text(row, "error_type"), _text(row, "error_message"))))
    return Task(
        task_id=str(row["task_id"]),
        name=str(row["name"]),
        state=str(row["state"]),
        kind=_text(row, "type"),
        attempt=int(row.get("attempt_number") or 0),
        node_id=_text(row, "node_id"),
        worker_id=_text(row, "worker_id"),
        pid=int(row.get("worker_pid") or 0),
        job_id=_text(row, "job_id"),
        actor_id=_text(row, "actor_id"),
        group_id=_text(row, "placement_group_id"),
        resources=_amounts(row.get("required_resources")),
        created_at=_seconds(row.get("creation_time_ms")),
        started_at=_seconds(row.get("start_time_ms")),
        ended_at=_seconds(row.get("end_time_ms")),
        error=error,
    )


def _group(row: Row) -> PlacementGroup:
    stats = row.get("stats") or {}
    return PlacementGroup(
        group_id=str(row["placement_group_id"]),
        state=str(row["state"]),
        strategy=_text(row, "strategy"),
        name=_text(row, "name"),
        bundles=tuple(_bundles(row.get("bundles") or ())),
        job_id=_text(row, "creator_job_id"),
        is_detached=bool(row.get("is_detached")),
        why=_text(stats, "scheduling_state"),
    )


def _bundles(told: Iterable[Row]) -> Iterable[Bundle]:
    for position, bundle in enumerate(told):
        index = (bundle.get("bundle_id") or {}).get("bundle_index", position)
        amounts = _amounts(bundle.get("unit_resources"))
        yield Bundle(int(index), amounts, _text(bundle, "node_id"))


def _object(row: Row) -> StoredObject:
    site = _text(row, "call_site")
    return StoredObject(
        object_id=str(row["object_id"]),
        size_bytes=int(row.get("object_size", -1)),
        node_ip=_text(row, "ip"),
        pid=int(row.get("pid") or 0),
        kind=_text(row, "reference_type"),
        process=_text(row, "type"),
        task_status=_text(row, "task_status"),
        call_site="" if site == "disabled" else site,
    )


def _text(row: Row, key: str) -> str:
    value = row.get(key)
    return "" if value is None else str(value)


def _amounts(told: Any) -> dict[str, float]:
    return {str(name): float(amount) for name, amount in (told or {}).items()}


def _seconds(milliseconds: Any) -> float:
    return float(milliseconds or 0) / 1000
