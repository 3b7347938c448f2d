"""What runs on one node, in a few lines: its actors, its tasks, and the objects it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from raytui.client.base import ClientError
from raytui.client.work import Work
from raytui.model.text import bytes_text, count_text
from raytui.model.work import Actor, StoredObject, Task
from raytui.widgets.cell import Cell, cell

_MOST = 8
"""Actors, tasks or objects that are named; the rest is counted."""
_DONE = frozenset({"FINISHED", "FAILED"})


class NodeWork(Struct, frozen=True):
    """What Ray tells of one node at one moment."""

    actors: tuple[Actor, ...] = ()
    tasks: tuple[Task, ...] = ()
    objects: tuple[StoredObject, ...] = ()


async def work_on(work: Work, ray_node_id: str) -> NodeWork:
    """Ask for all of it; what Ray does not tell is left empty."""
    return NodeWork(
        tuple(one for one in await _actors(work) if one.node_id == ray_node_id),
        tuple(one for one in await _tasks(work, ray_node_id) if one.state not in _DONE),
        tuple(one for one in await _objects(work) if one.node_id == ray_node_id),
    )


async def _actors(work: Work) -> Sequence[Actor]:
    try:
        return (await work.actors()).rows
    except ClientError:
        return ()


async def _tasks(work: Work, ray_node_id: str) -> Sequence[Task]:
    try:
        return (await work.tasks(node_id=ray_node_id)).rows
    except ClientError:
        return ()


async def _objects(work: Work) -> Sequence[StoredObject]:
    try:
        return (await work.objects()).rows
    except ClientError:
        return ()


def work_lines(work: NodeWork) -> list[Cell]:
    """A section for each kind of thing; nothing for a kind of which there is none."""
    lines: list[Cell] = []
    if work.actors:
        lines += _section("ACTORS", len(work.actors))
        lines += [_actor_line(one) for one in work.actors[:_MOST]]
        lines += _rest(len(work.actors))
    if work.tasks:
        lines += _section("TASKS", len(work.tasks))
        counts = Counter((task.name, task.state) for task in work.tasks).most_common()
        lines += [
            cell(f"  {name} ", (f"×{count} {state.lower()}", "$quiet"))
            for (name, state), count in counts[:_MOST]
        ]
        lines += _rest(len(counts))
    if work.objects:
        lines += _section("OBJECTS", len(work.objects))
        lines += [_object_line(one) for one in work.objects[:_MOST]]
        lines += _rest(len(work.objects))
    return lines


def _section(title: str, count: int) -> list[Cell]:
    return [(), cell((title, "bold $heading"), (f"  {count:,}", "$quiet"))]


def _rest(count: int) -> list[Cell]:
    more = count - _MOST
    return [cell((f"  and {count_text(more, 'more', 'more')}", "$quiet"))] if more > 0 else []


def _actor_line(one: Actor) -> Cell:
    name = f" {one.name}" if one.name else ""
    pid = f"pid {one.pid}" if one.pid else ""
    again = f", restarted {one.restarts}×" if one.restarts else ""
    return cell(f"  {one.class_name}{name} ", (f"{one.state.lower()} {pid}{again}", "$quiet"))


def _object_line(one: StoredObject) -> Cell:
    size = bytes_text(one.size_bytes) if one.size_bytes >= 0 else "size unknown"
    kind = one.kind.lower().replace("_", " ")
    return cell(f"  {size} ", (f"{kind}, {one.process.lower()} pid {one.pid}", "$quiet"))
