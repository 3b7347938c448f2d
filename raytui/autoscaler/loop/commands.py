"""What people order: each command checked and carried out, answered in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from raytui.autoscaler.loop.journal import Journal
from raytui.model.command import (
    Command,
    HoldNodes,
    KeepNodes,
    Pause,
    ReleaseNodes,
    RequestResources,
    Resume,
    RetrySetup,
    SetCeiling,
    SetFloor,
    SweepOrphans,
    Terminate,
)
from raytui.model.lifecycle import LEAVING, ON_ORDER
from raytui.model.plan import Hold, Memory, Removal, WaitingEnd
from raytui.model.reason import Why, because
from raytui.model.resources import Resources
from raytui.model.snapshot import Level
from raytui.model.spec import ClusterSpec, NodeType
from raytui.model.state import ClusterState, Member
from raytui.model.text import clock_text, count_text, duration_text, money_text

_LONGEST_WAIT_S = 3600.0


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

    def retry_setup(self, instance_ids: Sequence[str]) -> list[str]:
        """Have failed set-up steps tried again; the ids for which there was something to try."""
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
    begins = isinstance(command, SweepOrphans) or _begins(command)
    if not begins:  # else the decision is in the journal
        controls.journal.say(now, Level.INFO, text, by=by)
    return text


def _begins(command: Command) -> bool:
    return isinstance(command, Terminate) and not command.wait_s


def begin_waiting_ends(controls: Controls, now: float) -> None:
    """Carry out the orders to terminate whose time to be taken back is over.

    An order that makes no sense any more, because its node left by itself, is dropped.
    """
    due = [end for end in controls.memory.ends if end.at <= now]
    if not due:
        return
    controls.remember(ends=tuple(end for end in controls.memory.ends if end.at > now))
    alike: dict[tuple[str, float | None], list[str]] = {}
    there = {m.id for m in controls.state.members if m.status not in LEAVING}
    for end in due:
        if end.instance_id in there:
            alike.setdefault((end.by, end.drain_s), []).append(end.instance_id)
    for (by, drain_s), ids in alike.items():
        try:
            _terminate(controls, Terminate(tuple(ids), drain_s), by, now)
        except CommandRefused as refused:
            controls.journal.say(now, Level.WARNING, f"not terminated: {refused}", by=by)


def _set_floor(controls: Controls, command: SetFloor, by: str, now: float) -> str:
    kind = _worker_type(controls, command.node_type)
    before = controls.memory.floors
    floors = _with_own("floor", before, kind, command.floor)
    controls.remember(floors=floors)
    was, after = (known.get(kind.name, kind.min_workers) for known in (before, floors))
    ceiling = controls.memory.ceilings.get(kind.name, kind.max_workers)
    above = f"; its ceiling of {ceiling} goes before" if after > ceiling else ""
    return f"floor of {kind.name} {was} → {after} ({_count(controls, kind)} now){above}"


def _set_ceiling(controls: Controls, command: SetCeiling, by: str, now: float) -> str:
    kind = _worker_type(controls, command.node_type)
    before = controls.memory.ceilings
    ceilings = _with_own("ceiling", before, kind, command.ceiling)
    controls.remember(ceilings=ceilings)
    was, after = (known.get(kind.name, kind.max_workers) for known in (before, ceilings))
    surplus = _count(controls, kind) - after
    drained = f"; {count_text(surplus, 'node')} above it to be drained" if surplus > 0 else ""
    return f"ceiling of {kind.name} {was} → {after} ({_count(controls, kind)} now){drained}"


def _with_own(word: str, known: dict[str, int], kind: NodeType, own: int | None) -> dict[str, int]:
    """People's limits by node type, with a new one for this type, or (None) without."""
    others = {name: limit for name, limit in known.items() if name != kind.name}
    if own is None:
        return others
    if not 0 <= own <= kind.max_workers:
        raise CommandRefused(
            f"the {word} of {kind.name} can be 0 to {kind.max_workers} (its max_workers), not {own}"
        )
    return {**others, kind.name: own}


def _worker_type(controls: Controls, name: str) -> NodeType:
    kind = controls.spec.node_types.get(name)
    if kind is None:
        known = ", ".join(t.name for t in controls.spec.worker_types)
        raise CommandRefused(f"no node type {name!r}; there is {known}")
    if kind not in controls.spec.worker_types:
        raise CommandRefused(f"{kind.name} is the head's type; there is one head, always")
    return kind


def _count(controls: Controls, kind: NodeType) -> int:
    return sum(1 for m in controls.state.members if m.node_type == kind.name and not m.is_head)


def _terminate(controls: Controls, command: Terminate, by: str, now: float) -> str:
    named = _members(controls, command.instance_ids)
    members = [m for m in named if m.status not in LEAVING or _is_stuck(m)]
    if not members:
        raise CommandRefused("they are leaving already")
    awaited = [member.id for member in members if member.status in ON_ORDER]
    if awaited:
        raise CommandRefused(f"{awaited[0]} is on order: it can be terminated when it has come")
    if command.wait_s > 0:
        return _put_off(controls, [member.id for member in members], command, by, now)
    _forget_ends(controls, [member.id for member in members])
    as_ruled = controls.spec.removal.ordered_drain_s
    deadline = now + max(1.0, as_ruled if command.drain_s is None else command.drain_s)
    removals = [_ordered(member, by, deadline) for member in members]
    _forget_holds(controls, removals)
    controls.remove(removals, by, now)
    return f"draining {', '.join(r.instance_id for r in removals)}, until {clock_text(deadline)}"


def _put_off(
    controls: Controls, ids: Sequence[str], command: Terminate, by: str, now: float
) -> str:
    at = now + min(command.wait_s, _LONGEST_WAIT_S)
    _forget_ends(controls, ids)
    new = tuple(WaitingEnd(name, now, at, by, command.drain_s) for name in ids)
    controls.remember(ends=controls.memory.ends + new)
    return f"terminating {', '.join(ids)} at {clock_text(at)}, unless that is taken back"


def _keep(controls: Controls, command: KeepNodes, by: str, now: float) -> str:
    waiting = {end.instance_id for end in controls.memory.ends}
    ids = [name for name in dict.fromkeys(command.instance_ids) if name in waiting]
    if not ids:
        raise CommandRefused("none of them waits to be terminated; a drain cannot be taken back")
    _forget_ends(controls, ids)
    return f"kept {', '.join(ids)}"


def _forget_ends(controls: Controls, ids: Iterable[str]) -> None:
    taken_back = set(ids)
    kept = tuple(end for end in controls.memory.ends if end.instance_id not in taken_back)
    controls.remember(ends=kept)


def _ordered(member: Member, by: str, deadline: float) -> Removal:
    node_id = member.node.node_id if member.node is not None else ""
    return Removal(member.id, member.node_type, because(Why.BY_COMMAND, by=by), node_id, deadline)


def _is_stuck(member: Member) -> bool:
    """Whether it is left alone on its way out; an order ends that."""
    return member.instance is not None and bool(member.instance.quarantined)


def _forget_holds(controls: Controls, removals: Sequence[Removal]) -> None:
    """An order of a person goes before a hold, which is then of no use."""
    ordered = {removal.instance_id for removal in removals}
    kept = tuple(h for h in controls.memory.holds if h.instance_id not in ordered)
    controls.remember(holds=kept)


def _sweep(controls: Controls, command: SweepOrphans, by: str, now: float) -> str:
    members = _members(controls, command.instance_ids)
    others = [m.id for m in members if m.instance is None or not m.instance.orphan]
    if others:
        raise CommandRefused(f"{others[0]} is no orphan; `raytui terminate` ends any node")
    removals = [_ordered(member, by, 0.0) for member in members if member.status not in LEAVING]
    if not removals:
        raise CommandRefused("they are leaving already")
    controls.remove(removals, by, now)
    return "ending " + ", ".join(_age_and_price(member, now) for member in members)


def _age_and_price(member: Member, now: float) -> str:
    instance = member.instance
    if instance is None or not instance.launched_at:
        return member.id
    price = instance.price_per_hour
    cost = f", {money_text(price)}" if price is not None else ""
    return f"{member.id} ({duration_text(now - instance.launched_at)} old{cost})"


def _hold(controls: Controls, command: HoldNodes, by: str, now: float) -> str:
    members = _members(controls, command.instance_ids)
    if command.until and command.until <= now:
        raise CommandRefused("a hold must end in the future")
    leaving = [member.id for member in members if member.status in LEAVING]
    if leaving:
        raise CommandRefused(f"{leaving[0]} is leaving, and that cannot be taken back")
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


def _retry_setup(controls: Controls, command: RetrySetup, by: str, now: float) -> str:
    tried = controls.retry_setup(command.instance_ids)
    if not tried:
        raise CommandRefused("none of them has a failed set-up step")
    return f"trying the set-up of {', '.join(sorted(tried))} again"


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
    SetCeiling: _set_ceiling,
    Terminate: _terminate,
    KeepNodes: _keep,
    SweepOrphans: _sweep,
    HoldNodes: _hold,
    ReleaseNodes: _release,
    RetrySetup: _retry_setup,
    RequestResources: _request,
    Pause: _pause,
    Resume: _resume,
}
