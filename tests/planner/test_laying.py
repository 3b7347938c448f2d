"""Where the bundles of placement groups are laid, node by node."""

from __future__ import annotations

from collections import Counter

from raytui.autoscaler.planning.bundles import counted
from raytui.autoscaler.planning.laying import lay
from raytui.autoscaler.planning.packing import Packing, Stage
from raytui.model.resources import Resources
from raytui.model.state import Bundle, Strategy
from tests.support.clusters import bundle


def _laid(strategy: Strategy, bundles: list[Bundle], **cpus: int) -> dict[str, int]:
    """How many bundles each node gets; `missing` of them get none."""
    room = Packing(["CPU", "memory"], [])
    for name, count in cpus.items():
        room.add(Stage.RUNNING, "type", Resources.of(CPU=count), {}, [name], has_gpu=False)
    layout, left = lay(strategy, counted((one, 1) for one in bundles), room)
    got: Counter[str] = Counter()
    for _, part in layout.parts:
        for name, count in part.on_each():
            got[name] += count
    free = sum(bin_.room.get("CPU", 0) * len(bin_.ids) for bin_ in left.bins())
    placed = sum(b.resources.units("CPU") for b in bundles) - sum(
        want.shape.units("CPU") * want.count for want in layout.missing
    )
    assert free == Resources.of(CPU=sum(cpus.values())).units("CPU") - placed
    missing = {"missing": layout.short} if layout.short else {}
    return {**got, **missing}


def test_spread_goes_round_the_nodes() -> None:
    laid = _laid(Strategy.SPREAD, [bundle(CPU=1)] * 7, a=4, b=4, c=1)
    assert laid == {"a": 3, "b": 3, "c": 1}


def test_pack_fills_the_node_that_takes_most() -> None:
    laid = _laid(Strategy.PACK, [bundle(CPU=1)] * 5, a=2, b=4, c=3)
    assert laid == {"b": 4, "a": 1}


def test_a_wish_yields_where_it_would_leave_a_bundle_without_room() -> None:
    bundles = [bundle(CPU=1), bundle(CPU=1), bundle(CPU=3)]
    assert _laid(Strategy.SPREAD, bundles, a=4, b=1) == {"a": 2, "b": 1}


def test_strict_spread_makes_way_along_a_chain() -> None:
    """4, 3 and 2 CPUs have one node each, though each would fit on the first."""
    bundles = [bundle(CPU=2), bundle(CPU=3), bundle(CPU=4)]
    assert _laid(Strategy.STRICT_SPREAD, bundles, a=4, b=3, c=2) == {"a": 1, "b": 1, "c": 1}


def test_strict_spread_leaves_out_what_no_node_is_left_for() -> None:
    laid = _laid(Strategy.STRICT_SPREAD, [bundle(CPU=1)] * 3, a=9, b=9)
    assert laid == {"a": 1, "b": 1, "missing": 1}


def test_strict_pack_is_one_node_or_nothing() -> None:
    assert _laid(Strategy.STRICT_PACK, [bundle(CPU=2)] * 2, a=3, b=4) == {"b": 1}
    assert _laid(Strategy.STRICT_PACK, [bundle(CPU=2)] * 2, a=3, b=3) == {"missing": 1}
