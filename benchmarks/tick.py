"""What one round of the autoscaler costs: observe, plan, record, act, and what goes to a client.

A simulated cluster of N nodes (the one of `raytui demo --nodes N`) runs on a virtual clock with
the real reconciler, planner and an in-memory ledger, under faults. The simulated world is moved
before the stopwatch starts, except in ticks that collect an answer of the provider, where its move
counts as ours. Reading GCS (0.5 ms a call, plus decoding its answer) is not in it, nor is writing
the ledger to a disk.

`tick_ms` is the wall time of a round (median), `tick_cpu_ms` its CPU time, which is steadier on a
busy machine. `snapshot_bytes` is what a new client is sent, whole; `delta_bytes` what a client that
follows is sent after each tick (median); `snapshot_ms` and `delta_ms` are what making them costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import common

from raytui.autoscaler.engine import Engine
from raytui.autoscaler.simulation.showcase import showcase
from raytui.model.snapshot import Snapshot, difference
from raytui.model.wire import DeltaIs, SnapshotIs, line_of

_STEP_S = 0.9
"""Just under the second after which an engine is due anyway: so `due()` looks at the world."""
_WARM_UP = 5


class _Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def measure(quick: bool) -> common.Measured:
    """Ticks of clusters of growing size."""
    sizes, ticks = ((100, 1000), 15) if quick else ((100, 1000, 5000), 60)
    measured = common.Measured([_case(nodes, ticks) for nodes in sizes])
    for case in measured.cases:
        measured.summary[f"tick_cpu_ms_at_{case['nodes']}"] = case["tick_cpu_ms"]
    return measured


def _case(nodes: int, ticks: int) -> common.Case:
    common.progress(f"{nodes} nodes, {ticks} ticks")
    clock = _Clock()
    engine = showcase(nodes, seed=7, clock=clock)
    rounds, deltas = [], []
    try:
        for _ in range(_WARM_UP):
            snapshot, _ = _tick(engine, clock)
        for _ in range(ticks):
            before = snapshot
            snapshot, spent = _tick(engine, clock)
            rounds.append(spent)
            deltas.append(_delta(before, snapshot))
    finally:
        engine.close()
    whole = [_whole(snapshot) for _ in range(5)]
    return {
        "nodes": nodes,
        "ticks": ticks,
        "rows": len(snapshot.rows),
        "requests_waiting": sum(outcome.count for outcome in snapshot.outcomes),
        "tick_ms": common.median(wall_ms for wall_ms, _ in rounds),
        "tick_cpu_ms": common.median(cpu_ms for _, cpu_ms in rounds),
        "tick_cpu_p95_ms": common.percentile([cpu_ms for _, cpu_ms in rounds], 0.95),
        "delta_ms": common.median(ms for _, ms in deltas),
        "delta_bytes": int(common.median(size for size, _ in deltas)),
        "snapshot_ms": common.median(ms for _, ms in whole),
        "snapshot_bytes": whole[0][0],
    }


def _tick(engine: Engine, clock: _Clock) -> tuple[Snapshot, tuple[float, float]]:
    """The next snapshot, and the wall and CPU milliseconds that its round took."""
    clock.now += _STEP_S
    engine.due()
    wall, cpu = time.perf_counter(), time.process_time()
    snapshot = engine.tick()
    return snapshot, ((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000)


def _delta(before: Snapshot, after: Snapshot) -> tuple[int, float]:
    return _written(lambda: DeltaIs(difference(before, after)))


def _whole(snapshot: Snapshot) -> tuple[int, float]:
    return _written(lambda: SnapshotIs(snapshot))


def _written(make: Callable[[], DeltaIs | SnapshotIs]) -> tuple[int, float]:
    """Bytes of a message as it is sent, and the CPU milliseconds of making and writing it."""
    started = time.process_time()
    size = len(line_of(make()))
    return size, (time.process_time() - started) * 1000


if __name__ == "__main__":
    common.main("tick", __doc__, measure)
