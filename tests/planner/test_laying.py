"""Where the bundles of placement groups are laid, node by node."""

from __future__ import annotations

from collections import Counter

from raytui.autoscaler.planning.bundles import counted
from raytui.autoscaler.planning.dealing import dealt
from raytui.autoscaler.planning.laying import lay
from raytui.autoscaler.planning.packing import Packing, Placed, Stage
from raytui.autoscaler.planning.reserved import Group
from raytui.model.resources import Resources
from raytui.model.state import Bundle, Gang, Strategy
from tests.support.clusters import bundle


def _laid(
    strategy: Strategy, bundles: list[Bundle], taken: str = "", /, **cpus: int
) -> dict[str, int]:
    """How many bundles each node gets; `missing` of them get none.

    `taken`: the names of nodes that hold others of the group, a letter each.
    """
    room = Packing(["CPU", "memory"], [])
    for name, count in cpus.items():
        room.add(Stage.RUNNING, "type", Resources.of(CPU=count), {}, [name], has_gpu=False)
    layout, left = lay(strategy, counted((one, 1) for one in bundles), room, frozenset(taken))
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


def test_the_rest_of_pack_is_laid_beside_the_others() -> None:
    assert _laid(Strategy.PACK, [bundle(CPU=1)] * 2, "bd", a=2, b=3, c=2, d=1) == {"b": 2}
    assert _laid(Strategy.PACK, [bundle(CPU=1)] * 3, "b", a=2, b=2, c=2) == {"b": 2, "a": 1}


def test_the_rest_of_spread_keeps_away_from_the_others_while_it_can() -> None:
    assert _laid(Strategy.SPREAD, [bundle(CPU=1)] * 2, "a", a=9, b=2, c=2) == {"b": 1, "c": 1}
    assert _laid(Strategy.SPREAD, [bundle(CPU=1)] * 3, "a", a=9, b=1, c=1) == {
        "a": 1,
        "b": 1,
        "c": 1,
    }


def test_the_rest_of_strict_spread_keeps_away_from_the_others() -> None:
    laid = _laid(Strategy.STRICT_SPREAD, [bundle(CPU=1)] * 3, "a", a=9, b=2, c=2)
    assert laid == {"b": 1, "c": 1, "missing": 1}


def test_what_many_groups_got_in_common_is_dealt_out_side_by_side() -> None:
    """Two nodes of six for three groups of four: PACK keeps them together, SPREAD apart."""
    got = [(Resources.of(CPU=1), Placed(Stage.NEW, "type", 12, ["a", "b"], 6))]
    hands = {
        strategy: [
            Counter({name: n for _, part in hand for name, n in part.on_each()})
            for hand in dealt(_group(strategy), got, 3)
        ]
        for strategy in (Strategy.PACK, Strategy.SPREAD)
    }
    assert hands[Strategy.PACK] == [{"a": 4}, {"a": 2, "b": 2}, {"b": 4}]
    assert hands[Strategy.SPREAD] == [{"a": 2, "b": 2}] * 3


def _group(strategy: Strategy) -> Group:
    bundles = counted([(bundle(CPU=1), 4)])
    return Group(Gang("g", strategy, (bundle(CPU=1),) * 4), "", "g", (bundles,), bundles, strategy)
