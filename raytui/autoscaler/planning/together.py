"""Choose what goes on existing room and what on new nodes together, by one integer program.

Tried where limits bind or a few nodes are all there is: the tightest room for a request may be the
only room for another one that no node can be bought for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from raytui.autoscaler.planning.buying import Wanted, fill_there, there
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.improving import share_out
from raytui.autoscaler.planning.packing import Packing, Placed


def place(
    room: Packing, wanted: Sequence[Wanted], capacity: Capacity, budget: int
) -> list[tuple[Wanted, Placed]] | None:
    """Place requests on existing room so that new nodes serve the rest best.

    Takes from `wanted[].count`. `budget` is in rounds of improvement. None where there are too many
    ways to look at.
    """
    existing = [(there(bin_), deque(bin_.ids)) for bin_ in room.bins() if any(bin_.room.values())]
    nodes = {id(supply): ids for supply, ids in existing}
    supplies = [supply for supply, _ in existing] + capacity.supplies()
    lots = share_out(wanted, supplies, capacity.total_left(), budget)
    if lots is None:
        return None
    placed: list[tuple[Wanted, Placed]] = []
    for lot in lots:
        for _ in range(lot.nodes if lot.supply.there else 0):
            node_id = nodes[id(lot.supply)].popleft()
            placed += fill_there(room, node_id, lot.pattern)
    return placed
