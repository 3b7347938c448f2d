"""What people order: each command checked and carried out, answered in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from raytui.autoscaler.loop.journal import Journal
from raytui.model.command import (
    Command,
    HoldNodes,
    Pause,
    ReleaseNodes,
    RequestResources,
    Resume,
    SetFloor,
    Terminate,
)
from raytui.model.lifecycle import LEAVING
from raytui.model.plan import Hold, Memory, Removal
from raytui.model.reason import Why, because
from raytui.model.resources import Resources
from raytui.model.snapshot import Level
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState, Member
from raytui.model.text import clock_text


class Controls(Protocol):
    """What commands act on: the part of the reconciler that is theirs."""

    spec: ClusterSpec
    journal: Journal
    state: ClusterState

    @property
    def memory(self) -> Memory:
        """What planning remembers."""
        ...

    def remember(self, **changes: object) -> None:
        """Change what planning remembers, on disk first."""
        ...

    def remove(self, removals: Sequence[Removal], by: str, now: float) -> None:
        """Drain and terminate by order of a person."""
        ...

    def request_resources(self, bundles: Sequence[tuple[Resources, int]]) -> None:
        """Pass a request for resources on to Ray."""
        ...


class CommandRefused(Exception):  # noqa: N818 - an answer, not an error
    """The command makes no sense or may not be; `str()` says why."""


def carry_out(controls: Controls, command: Command, by: str, now: float) -> str:
    """Carry out a command and journal it; returns what was done. Raises CommandRefused."""
    handler = _HANDLERS.get(type(command))
    if handler is None:
        raise CommandRefused(f"{type(command).__name__} is not for the autoscaler")
    text: str = handler(controls, command, by, now)
    if not isinstance(command, Terminate):  # it has its own decision in the journal
        controls.journal.say(now, Level.INFO, text, by=by)
    return text


def _set_floor(controls: Controls, command: SetFloor, by: str, now: float) -> str:
    kind = controls.spec.node_types.get(command.node_type)
    if kind is None:
        known = ", ".join(t.name for t in controls.spec.worker_types)
        raise CommandRefused(f"no node type {command.node_type!r}; there is {known}")
    if kind not in controls.spec.worker_types:
        raise CommandRefused(f"{kind.name} is the head's type; there is one head, always")
    floors = dict(controls.memory.floors)
    before = floors.pop(kind.name, kind.min_workers)
    if command.floor is not None:
        if not 0 <= command.floor <= kind.max_workers:
            raise CommandRefused(
                f"the floor of {kind.name} can be 0 to {kind.max_workers} (its max_workers), "
                f"not {command.floor}"
            )
        floors[kind.name] = command.floor
    controls.remember(floors=floors)
    after = floors.get(kind.name, kind.min_workers)
    now_there = sum(1 for m in controls.state.members if m.node_type == kind.name)
    return f"floor of {kind.name} {before} → {after} ({now_there} now)"


def _terminate(controls: Controls, command: Terminate, by: str, now: float) -> str:
    members = _members(controls, command.instance_ids)
    deadline = now + max(1.0, command.drain_s)
    removals = [
        Removal(
            instance_id=member.id,
            node_type=member.node_type,
            reason=because(Why.BY_COMMAND, by=by),
            node_id=member.node.node_id if member.node is not None else "",
            deadline=deadline,
        )
        for member in members
        if member.status not in LEAVING
    ]
    if not removals:
        raise CommandRefused("they are leaving already")
    held = {removal.instance_id for removal in removals}
    kept = tuple(h for h in controls.memory.holds if h.instance_id not in held)
    controls.remember(holds=kept)
    controls.remove(removals, by, now)
    return f"draining {', '.join(r.instance_id for r in removals)}, until {clock_text(deadline)}"


def _hold(controls: Controls, command: HoldNodes, by: str, now: float) -> str:
    members = _members(controls, command.instance_ids)
    if command.until and command.until <= now:
        raise CommandRefused("a hold must end in the future")
    ids = {member.id for member in members}
    others = tuple(h for h in controls.memory.holds if h.instance_id not in ids)
    new = tuple(Hold(member.id, by, command.until) for member in members)
    controls.remember(holds=others + new)
    until = f" until {clock_text(command.until)}" if command.until else ""
    return f"held {', '.join(sorted(ids))}{until}"


def _release(controls: Controls, command: ReleaseNodes, by: str, now: float) -> str:
    ids = set(command.instance_ids)
    kept = tuple(h for h in controls.memory.holds if h.instance_id not in ids)
    if len(kept) == len(controls.memory.holds):
        raise CommandRefused("none of them is held")
    controls.remember(holds=kept)
    return f"released {', '.join(sorted(ids))}"


def _request(controls: Controls, command: RequestResources, by: str, now: float) -> str:
    for shape, count in command.bundles:
        if count < 1 or any(units <= 0 for _, units in shape.items()) or not shape:
            raise CommandRefused("amounts and counts must be above zero")
    controls.request_resources(command.bundles)
    if not command.bundles:
        return "the request for resources was taken back"
    wanted = " + ".join(f"{count} × {shape.text()}" for shape, count in command.bundles)
    return f"requested {wanted}"


def _pause(controls: Controls, command: Pause, by: str, now: float) -> str:
    controls.remember(paused_by=by or "somebody")
    return "paused: watching and explaining, not acting"


def _resume(controls: Controls, command: Resume, by: str, now: float) -> str:
    if not controls.memory.paused_by:
        raise CommandRefused("the autoscaler is not paused")
    controls.remember(paused_by="")
    return "resumed"


def _members(controls: Controls, instance_ids: Sequence[str]) -> list[Member]:
    """The workers of these ids; refuses the whole command when one of them cannot be meant."""
    if not instance_ids:
        raise CommandRefused("no node was named")
    there = {member.id: member for member in controls.state.members}
    found = []
    for instance_id in dict.fromkeys(instance_ids):
        member = there.get(instance_id)
        if member is None:
            raise CommandRefused(f"there is no node {instance_id}")
        if member.is_head:
            raise CommandRefused(f"{instance_id} is the head; `raytui down` ends the cluster")
        if member.instance is None:
            raise CommandRefused(f"{instance_id} joined by hand; it is not ours to manage")
        found.append(member)
    return found


_HANDLERS: dict[type, Callable[[Controls, Any, str, float], str]] = {
    SetFloor: _set_floor,
    Terminate: _terminate,
    HoldNodes: _hold,
    ReleaseNodes: _release,
    RequestResources: _request,
    Pause: _pause,
    Resume: _resume,
}
