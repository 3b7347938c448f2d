"""What runs on nodes, from the dashboard's state API: best effort, with notes on what it lacks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from raytui.model.command import Impact
from raytui.model.state import Node
from raytui.ray import jobs
from raytui.ray.base import RayError
from raytui.ray.state_rows import Row, state_rows

_TIMEOUT_S = 2.0
_SUPERVISOR = "_ray_internal_job_actor_"


def impact(
    dashboard_url: str, node_ids: Sequence[str], known: Mapping[str, Node]
) -> dict[str, Impact]:
    """What would die with each node. `known` has the nodes that GCS reports, by their id."""
    notes: list[str] = []
    tasks = _asked(notes, "running tasks", lambda: _tasks(dashboard_url))
    actors = _asked(notes, "actors", lambda: _actors(dashboard_url))
    groups = _asked(notes, "placement groups", lambda: _placement_groups(dashboard_url))
    drivers = _asked(notes, "jobs", lambda: _drivers(dashboard_url))
    found = {}
    for node_id in node_ids:
        node = known.get(node_id)
        found[node_id] = Impact(
            instance_id=node.instance_id or node_id if node else node_id,
            node_type=node.node_type if node else "",
            tasks=_counted(tasks.get(node_id, ())),
            actors=_counted(actors.get(node_id, ())),
            placement_groups=_counted(groups.get(node_id, ())),
            jobs=tuple(drivers.get(node_id, ())),
            object_bytes=round(node.used.amount("object_store_memory")) if node else 0,
            notes=tuple(notes),
        )
    return found


def _asked(
    notes: list[str], what: str, question: Callable[[], Mapping[str, Any]]
) -> Mapping[str, Any]:
    try:
        return question()
    except RayError as error:
        notes.append(f"{what} could not be read: {error}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        notes.append(f"{what} could not be read: unexpected answer ({error})")
    return {}


def _rows(url: str, kind: str, state: str) -> tuple[Row, ...]:
    where = [("state", "=", state)]
    detail = kind == "placement_groups"
    return state_rows(url, kind, where=where, detail=detail, timeout_s=_TIMEOUT_S).rows


def _tasks(url: str) -> Mapping[str, list[str]]:
    rows = _rows(url, "tasks", "RUNNING")
    # A call of an actor's method dies with the actor, which is listed by itself.
    return _by_node((r["node_id"], r["name"]) for r in rows if r["type"] == "NORMAL_TASK")


def _actors(url: str) -> Mapping[str, list[str]]:
    rows = _rows(url, "actors", "ALIVE")
    return _by_node(
        (r["node_id"], f"{r['class_name']} {r['name']}" if r.get("name") else r["class_name"])
        for r in rows
        if not (r.get("name") or "").startswith(_SUPERVISOR)
    )


def _placement_groups(url: str) -> Mapping[str, list[str]]:
    rows = _rows(url, "placement_groups", "CREATED")
    return _by_node(
        (bundle.get("node_id"), row.get("name") or row["placement_group_id"][:12])
        for row in rows
        for bundle in row.get("bundles") or ()
    )


def _drivers(url: str) -> Mapping[str, list[str]]:
    running = (job for job in jobs.jobs(url) if job.status not in jobs.FINISHED)
    return _by_node((job.node_id, f"{job.job_id}: {job.entrypoint}") for job in running)


def _by_node(pairs: Iterable[tuple[str | None, str]]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for node_id, name in pairs:
        if node_id:
            found[node_id].append(name)
    return found


def _counted(names: Iterable[str]) -> tuple[str, ...]:
    """`preprocess ×4`, the most frequent first."""
    counts = Counter(names).most_common()
    return tuple(f"{name} ×{count}" if count > 1 else name for name, count in counts)
