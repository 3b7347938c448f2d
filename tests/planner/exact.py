"""Exact answers for small cases: an integer program over requests and nodes, solved by HiGHS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import highspy

from raytui.model.resources import Resources
from raytui.model.state import LabelSelector


@dataclass(frozen=True)
class Place:
    """A node that is there, or that may be bought."""

    room: Resources
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    cost: float = 0.0
    """What buying it costs; 0 for one that is there."""
    bought: bool = False


@dataclass(frozen=True)
class Item:
    """Alike requests. Those with the same `apart` want a node each."""

    shape: Resources
    count: int
    selectors: tuple[LabelSelector, ...] = ()
    on: frozenset[int] | None = None
    """Places that may hold it; None means all."""
    apart: str = ""

    def fits(self, index: int, place: Place) -> bool:
        """Whether the place, empty, can hold one."""
        if self.on is not None and index not in self.on:
            return False
        labelled = not self.selectors or any(_satisfied(s, place.labels) for s in self.selectors)
        return labelled and all(u <= place.room.units(n) for n, u in self.shape.items())


def _satisfied(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    for key, operator, values in selector:
        if operator == "in" and labels.get(key) not in values:
            return False
        if operator == "not-in" and labels.get(key) in values:
            return False
    return True


@dataclass(frozen=True)
class Answer:
    """An optimal answer."""

    cost: float
    bought: dict[str, int]
    """Nodes bought of each kind."""


_SOLVED = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty)


def cheapest(items: Sequence[Item], places: Sequence[Place], most_nodes: int) -> Answer | None:
    """Place all items at the lowest cost, buying at most `most_nodes`; None when impossible."""
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("threads", 1)
    model.setOptionValue("mip_rel_gap", 0.0)
    bought = [model.addBinary(obj=place.cost) if place.bought else None for place in places]
    x: dict[tuple[int, int], Any] = {}
    for i, item in enumerate(items):
        for p, place in enumerate(places):
            if item.fits(p, place):
                x[i, p] = model.addIntegral(0, item.count)
    for i, item in enumerate(items):
        here = [x[key] for key in x if key[0] == i]
        if item.count and not here:
            return None
        if here:
            model.addConstr(model.qsum(here) == item.count)
    for p, place in enumerate(places):
        _fill(model, items, place, p, x, bought[p])
    for p in range(1, len(places)):
        # Alike new nodes are bought in order, or the solver tries every permutation of them.
        if places[p].bought and places[p] == places[p - 1]:
            model.addConstr(bought[p] <= bought[p - 1])
    new = [variable for variable in bought if variable is not None]
    if new:
        model.addConstr(model.qsum(new) <= most_nodes)
    model.minimize()
    if model.getModelStatus() not in _SOLVED:
        return None
    kinds: dict[str, int] = {}
    for place, variable in zip(places, bought, strict=True):
        if variable is not None and round(model.val(variable)):
            kinds[place.kind] = kinds.get(place.kind, 0) + 1
    cost = sum(p.cost for p, v in zip(places, bought, strict=True) if v and round(model.val(v)))
    return Answer(cost, kinds)


def _fill(
    model: Any, items: Sequence[Item], place: Place, index: int, x: Mapping[Any, Any], bought: Any
) -> None:
    """What a place holds: no more than its room, and one at most of those that want to be apart."""
    here = {i: variable for (i, p), variable in x.items() if p == index}
    names = {name for i in here for name in items[i].shape}
    for name in sorted(names):
        units = place.room.units(name)
        # In shares of the room: bytes of memory beside single CPUs would spoil the numbers.
        terms = [v * (items[i].shape.units(name) / units) for i, v in here.items() if units]
        held = model.qsum(terms)
        model.addConstr(held <= 1.0 if bought is None else held <= bought)
    for i, variable in here.items():
        if bought is not None and not items[i].shape:
            model.addConstr(variable <= items[i].count * bought)
    for group in sorted({items[i].apart for i in here} - {""}):
        apart = [variable for i, variable in here.items() if items[i].apart == group]
        model.addConstr(model.qsum(apart) <= 1)
