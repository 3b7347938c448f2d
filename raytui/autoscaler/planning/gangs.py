"""Placement groups: each as a whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from raytui.autoscaler.planning.bundles import counted, selectors_of, total_of
from raytui.autoscaler.planning.buying import Bought, Wanted, buy_shared, buy_spread
from raytui.autoscaler.planning.fallbacks import buy_in_turn
from raytui.autoscaler.planning.judging import why_not
from raytui.autoscaler.planning.packing import Packing, Placed, Stage
from raytui.autoscaler.planning.placing import WAITS, Placing, copies_of, wait_for
from raytui.model.plan import Request, Wait
from raytui.model.reason import Reason, Why, because
from raytui.model.state import Gang, Strategy


def place_gangs(placing: Placing, gangs: Iterable[Gang]) -> None:
    """Placement groups, each as a whole or not at all, hardest first. Not throttled."""
    alike: dict[str, list[Gang]] = {}
    for gang in sorted(gangs, key=lambda g: (-len(g.bundles), _kind(g), g.gang_id)):
        alike.setdefault(_kind(gang), []).append(gang)
    for group in alike.values():
        if len(group) > 1 and is_uniform_spread(group[0]):
            group = _spread_alike(placing, group)
        for gang in group:
            _place(placing, gang)


def _spread_alike(placing: Placing, group: list[Gang]) -> list[Gang]:
    """Many equal STRICT_SPREAD groups together, so that they share nodes; returns the rest.

    First those that find enough nodes with room; of what is left, the first is for the caller
    (it may use up the last existing nodes), and the others get new nodes in common.
    """
    bundle, size = group[0].bundles[0], len(group[0].bundles)
    chosen = selectors_of(bundle)
    waiting: list[Gang] = []
    for gang in group:
        if waiting or placing.room.count_nodes(bundle.resources, chosen) < size:
            waiting.append(gang)
            continue
        parts = placing.room.place(bundle.resources, size, chosen, one_per_node=True)
        _settled(placing, gang, parts)
    together = waiting[1:]
    if not together:
        return waiting
    want = Wanted(bundle.resources, size * len(together), chosen)
    supplies = placing.capacity.supplies()
    want.settle(supplies)
    asked = copies_of([want])
    lots = buy_shared(want, supplies, placing.capacity.total_left(), len(together), size)
    if not lots:
        return waiting
    placing.note(asked)
    label = gang_label(together[0])
    reason = because(
        Why.FOR_GANG,
        gang=f"{label} and {len(together) - 1} like it" if len(together) > 1 else label,
        strategy=together[0].strategy.value,
    )
    placing.launch_bought(lots, reason)
    for gang in together:
        shape = total_of(b.resources for b in gang.bundles)
        placing.outcome(Request.GANG, Wait.LAUNCH, 1, reason, shape, gang_label(gang))
    return waiting[:1]


def _settled(placing: Placing, gang: Gang, parts: Sequence[Placed]) -> None:
    """Tell where a group goes that found all its room."""
    label = gang_label(gang)
    stage = max((part.stage for part in parts), default=Stage.RUNNING)
    reason = because(Why.FOR_GANG, gang=label, strategy=gang.strategy.value)
    why = reason if stage is Stage.NEW else placing.where(stage, parts)
    shape = total_of(bundle.resources for bundle in gang.bundles)
    placing.outcome(Request.GANG, WAITS[stage], 1, why, shape, label)
    placing.expect(parts, because(Why.EXPECTED, shape=label))


def _place(placing: Placing, gang: Gang) -> None:
    trial = placing.room.copy()
    parts, wanted = _on_existing(gang, trial)
    shape = total_of(bundle.resources for bundle in gang.bundles)
    label = gang_label(gang)
    missing = [want for want in wanted if want.count]
    reason = because(Why.FOR_GANG, gang=label, strategy=gang.strategy.value)
    if missing:
        asked = copies_of(missing)
        apart = gang.strategy is Strategy.STRICT_SPREAD
        bought = _buy_apart(placing, missing) if apart else buy_in_turn(missing, placing.capacity)
        if any(want.count for want in missing):
            unmet = next(want for want in missing if want.count)
            blocked = _why_not(placing, gang, unmet)
            placing.outcome(Request.GANG, wait_for(blocked), 1, blocked, shape, label)
            return
        placing.room = trial
        placing.note(asked)
        placing.launch_bought(bought, reason)
        placing.outcome(Request.GANG, Wait.LAUNCH, 1, reason, shape, label)
        placing.expect(parts, because(Why.EXPECTED, shape=label))
    else:
        placing.room = trial
        _settled(placing, gang, parts)


def _buy_apart(placing: Placing, wanted: Sequence[Wanted]) -> list[Bought]:
    supplies = placing.capacity.supplies()
    for want in wanted:
        want.settle(supplies)
    return buy_spread(wanted, supplies, placing.capacity.total_left())


def _why_not(placing: Placing, gang: Gang, unmet: Wanted) -> Reason:
    reason = why_not(unmet, placing.capacity, throttled=False)
    if gang.strategy is Strategy.STRICT_SPREAD and reason.why is Why.MAX_WORKERS_TYPE:
        return because(
            Why.GANG_TOO_FEW_NODES,
            strategy=gang.strategy.value,
            wanted=len(gang.bundles),
            possible=len(gang.bundles) - unmet.count,
            node_type=reason.args["node_type"],
        )
    return reason


def _kind(gang: Gang) -> str:
    """What makes placement groups equal to planning: all but their ids."""
    parts = counted((bundle, 1) for bundle in gang.bundles)
    return f"{gang.strategy.value} {[(b.resources.text(), b.selector, n) for b, n in parts]}"


def is_uniform_spread(gang: Gang) -> bool:
    """STRICT_SPREAD of equal bundles."""
    return gang.strategy is Strategy.STRICT_SPREAD and len(set(gang.bundles)) == 1


def gang_label(gang: Gang) -> str:
    """How people name a placement group: `PG 4f2a10 STRICT_SPREAD 4 × {GPU: 1}`."""
    shapes = Counter(bundle.resources.text() for bundle in gang.bundles)
    text = " + ".join(f"{count} × {shape}" for shape, count in sorted(shapes.items()))
    return f"PG {gang.gang_id[:6]} {gang.strategy.value} {text}".replace("  ", " ")


def _on_existing(gang: Gang, room: Packing) -> tuple[list[Placed], list[Wanted]]:
    """Place a group's bundles on existing room; what is placed where, and what is missing."""
    whole = total_of(bundle.resources for bundle in gang.bundles)
    together = tuple(sorted({c for bundle in gang.bundles for c in bundle.selector}))
    if gang.strategy in (Strategy.STRICT_PACK, Strategy.PACK):
        parts = room.place(whole, 1, (together,))
        if parts:
            return parts, []
        if gang.strategy is Strategy.STRICT_PACK:
            return [], [Wanted(whole, 1, (together,) if together else ())]
    parts, wanted = [], []
    taken: frozenset[str] = frozenset()
    apart = gang.strategy in (Strategy.SPREAD, Strategy.STRICT_SPREAD)
    for bundle, count in counted((bundle, 1) for bundle in gang.bundles):
        if apart:
            spread = room.place(
                bundle.resources, count, selectors_of(bundle), one_per_node=True, taken=taken
            )
            taken |= {node_id for part in spread for node_id in part.ids}
            parts += spread
            count -= sum(part.count for part in spread)
        if count and gang.strategy is not Strategy.STRICT_SPREAD:
            anywhere = room.place(bundle.resources, count, selectors_of(bundle))
            parts += anywhere
            count -= sum(part.count for part in anywhere)
        wanted.append(Wanted(bundle.resources, count, selectors_of(bundle)))
    return parts, wanted
