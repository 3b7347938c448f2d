"""Every invariant is a live check: break the code in one place, and a story soon finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from raytui.autoscaler.loop import commands, reconciler
from raytui.autoscaler.loop.draining import Draining, _Drain
from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.launching import Launching
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.observing import Observer
from raytui.autoscaler.loop.orders import Orders
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.loop.syncing import Sync
from raytui.autoscaler.planning import planner
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.removing import Removing
from raytui.backends.base import ProviderError
from raytui.model.lifecycle import InstanceStatus
from raytui.model.state import Member, NodeStatus
from tests.simulation.story import Seed, tell

_MOST_STORIES = 150

Function = Callable[..., Any]


@dataclass(frozen=True)
class Mutant:
    """A fault in our own code: `broken` makes the broken function of the right one."""

    what: str
    where: Any
    function: str
    broken: Callable[[Function], Any]
    caught_by: str
    """The invariant that must find it."""


def _always(answer: Any) -> Callable[[Function], Function]:
    return lambda _: lambda *args, **kwargs: answer


def _ids_without_end(right: Function) -> Function:
    """Every resumed launch is a new request."""

    def resume(self: Launching, now: float) -> None:
        for request, decision_id in self._ledger.open_requests():
            name = f"{request.node_type}-{self._new_id()}"
            self.carry_out([(msgspec.structs.replace(request, request_id=name), decision_id)], now)

    return resume


def _adopted_twice(right: Function) -> Function:
    def adopt(self: Fleet, instance: Any, now: float, cause: str) -> Any:
        copy = msgspec.structs.replace(instance, instance_id=f"{instance.instance_id}-again")
        right(self, copy, now, cause)
        return right(self, instance, now, cause)

    return adopt


def _arrivals_kept_in_mind(right: Function) -> Function:
    """What the provider gave is not written down."""

    def put(self: Ledger, instance: Any, *told: Any, **more: Any) -> None:
        if instance.status not in (InstanceStatus.ALLOCATED, InstanceStatus.RUNNING):
            right(self, instance, *told, **more)

    return put


def _drains_unknown(right: Function) -> Function:
    """Planning sees nodes that leave as if they stayed."""

    def plan(state: Any, spec: Any, memory: Any, now: float, budget: int) -> Any:
        members = tuple(_as_running(member) for member in state.members)
        state = msgspec.structs.replace(state, members=members)
        return right(state, spec, msgspec.structs.replace(memory, drains=()), now, budget)

    return plan


def _as_running(member: Member) -> Member:
    leaving = (InstanceStatus.DRAINING, InstanceStatus.TERMINATING)
    if member.instance is None or member.instance.status not in leaving or member.node is None:
        return member
    return Member(
        msgspec.structs.replace(member.instance, status=InstanceStatus.RUNNING),
        msgspec.structs.replace(member.node, status=NodeStatus.RUNNING),
    )


def _words_lost(right: Function) -> Function:
    def collect(self: Orders) -> Iterator[Any]:
        for done in right(self):
            error = ProviderError("it failed") if done.error is not None else None
            yield msgspec.structs.replace(done, error=error)

    return collect


def _memory_without(field: str, empty: Any) -> Callable[[Function], Function]:
    def broken(right: Function) -> Function:
        return lambda self: msgspec.structs.replace(right(self), **{field: empty})

    return broken


def _everybody(right: Function) -> Function:
    def members(controls: Any, instance_ids: Any) -> list[Member]:
        right(controls, instance_ids)
        return [m for m in controls.state.members if m.instance is not None and not m.is_head]

    return members


def _silent(right: Function) -> Function:
    def carry_out(controls: Any, command: Any, by: str, now: float) -> str:
        return right(controls, command, "somebody", now)

    return carry_out


def _gullible(right: Function) -> Function:
    """An answer from Ray is awaited, no matter what."""

    def ask(self: Observer) -> None:
        self.view = self._ray.observe()
        right(self)

    return ask


MUTANTS = (
    Mutant(
        "max_workers of a type is ignored",
        Capacity, "type_left", _always(9), "never_above_max_workers",
    ),
    Mutant(
        "max_workers of all is ignored",
        Capacity, "total_left", _always(9), "never_above_max_workers",
    ),
    Mutant(
        "a busy node is not waited for",
        Draining, "_step", _always(_Drain.DONE), "never_the_head_nor_a_busy_node",
    ),
    Mutant(
        "a listing is believed at once",
        Sync, "_unlisted_s", _always(99.0), "every_instance_has_a_row",
    ),
    Mutant(
        "an instance is adopted twice",
        Fleet, "adopt", _adopted_twice, "every_instance_has_a_row",
    ),
    Mutant(
        "what comes is not written down",
        Ledger, "put", _arrivals_kept_in_mind, "every_instance_has_a_row",
    ),
    Mutant(
        "draining nodes count as room",
        reconciler, "plan", _drains_unknown, "leaving_capacity_holds_no_demand",
    ),
    Mutant(
        "the words of a failed call are lost",
        Orders, "collect", _words_lost, "failed_calls_are_told",
    ),
    Mutant(
        "trouble is not shown",
        Reconciler, "_trouble", lambda _: property(lambda _: ""), "trouble_is_told",
    ),
    Mutant("Ray's silence ends the round", Observer, "_ask_ray", _gullible, "the_loop_goes_on"),
    Mutant(
        "holds are forgotten",
        Ledger, "memory", _memory_without("holds", ()), "orders_act_on_their_ids_alone",
    ),
    Mutant(
        "a pause is forgotten",
        Ledger, "memory", _memory_without("paused_by", ""), "orders_act_on_their_ids_alone",
    ),
    Mutant(
        "an order to end some ends all",
        commands, "_members", _everybody, "orders_act_on_their_ids_alone",
    ),
    Mutant(
        "nobody knows who ordered",
        reconciler, "carry_out", _silent, "orders_act_on_their_ids_alone",
    ),
    Mutant(
        "a launch is not written down before",
        Ledger, "begin_request", _always(None), "nothing_is_doubled",
    ),
    Mutant(
        "a resumed launch forgets its request",
        Launching, "resume", _ids_without_end, "nothing_is_doubled",
    ),
    Mutant("launches are not resumed", Launching, "resume", _always(None), "converges"),
    Mutant("upscaling never begins", Capacity, "speed_left", _always(0), "converges"),
    Mutant(
        "notices are not heeded",
        Removing, "taken_back", _always(()), "notices_are_heeded",
    ),
    Mutant("idle nodes stay", Removing, "idle", _always(()), "goes_back_to_its_floors"),
    Mutant(
        "floors are not kept",
        planner, "place_floors", _always(None), "goes_back_to_its_floors",
    ),
)  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_a_story_finds_the_mutant(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(mutant.where, mutant.function)
    monkeypatch.setattr(mutant.where, mutant.function, mutant.broken(right))
    found: dict[str, int] = {}
    for number in range(_MOST_STORIES):
        told = tell(Seed(number))
        if told.invariant == mutant.caught_by:
            return
        if told.invariant:
            found[told.invariant] = found.get(told.invariant, 0) + 1
    pytest.fail(f"not in {_MOST_STORIES} stories; other finds: {found}")
