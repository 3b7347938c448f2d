"""What a round of the autoscaler costs, how fast a fleet is asked for, and what waiting costs.

Kinds of cases:

- `idle`: N running, idle nodes and nothing to do; the ledger is a file, with `dead_rows` instances
  that ended before. Ray 2.60's v2 reconciler does the same round in the same run: its own instance
  storage, its own scheduler, a provider in memory (`ray_ms`).
- `busy`: the simulated cluster of `raytui demo --nodes N`: work comes and goes, launches fail, the
  ledger is in memory. What goes to a client is measured here: `snapshot_bytes` to a new one, whole;
  `delta_bytes` to one that follows, after each tick.
- `ramp`: min_workers goes from 0 to 200 of one type whose nodes boot in 120 s, and every call to
  the provider takes a second. `ramp_s` is how long it takes until the provider has been asked for
  all 200: ours in real time, in real threads; Ray's by counting rounds, which come every 5 s.
- `wait`: the loop of a daemon with 1,000 idle nodes and nobody watching, in real time. GCS's answer
  is decoded at every look, as it comes from a real one, but no network is in it. `cpu_share` is the
  share of one core, `rss_mb` the memory of the whole process.

Milliseconds are CPU time, which is steadier than wall time on a busy machine; medians.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import common
import idle_daemon
from ray_v2_loop import PERIOD_S, RayLoop

from raytui.autoscaler.engine import Engine
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.simulation.inline import Inline
from raytui.autoscaler.simulation.showcase import showcase
from raytui.autoscaler.simulation.simulated_ray import SimulatedRay
from raytui.backends.base import LaunchRequest
from raytui.backends.fake import FakeProvider
from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Snapshot, difference
from raytui.model.spec import ClusterSpec, NodeType, ProviderSpec
from raytui.model.state import Instance
from raytui.model.wire import DeltaIs, SnapshotIs, line_of

_STEP_S = 0.9
"""Just under the second after which an engine is due anyway: so `due()` looks at the world."""
_WARM_UP = 5
_RAMP = 200
_BOOT_S = 120.0
_CALL_S = 1.0
_DEAD = 30_000
_WATCH_S = 40.0


class _Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def measure(quick: bool) -> common.Measured:
    """All kinds of cases."""
    sizes, ticks = ((100, 1000), 15) if quick else ((100, 1000, 5000), 40)
    deaths = (0, 2_000) if quick else (0, _DEAD)
    idle = [_idle(nodes, 0, ticks) for nodes in sizes]
    dead = _idle(1000, deaths[1], ticks)
    alive = next(case for case in idle if case["nodes"] == 1000)
    ramp = _ramp()
    wait = _wait(8.0 if quick else _WATCH_S)
    measured = common.Measured([*idle, dead, *(_busy(nodes, ticks) for nodes in sizes), ramp, wait])
    measured.summary = {
        "tick_ms": {str(case["nodes"]): case["tick_ms"] for case in idle},
        "ray_ms": {str(case["nodes"]): case["ray_ms"] for case in idle},
        "tick_ratio_30k_dead": common.ratio(dead["tick_ms"], alive["tick_ms"]),
        "ray_ratio_30k_dead": common.ratio(dead["ray_ms"], alive["ray_ms"]),
        "ramp_200_s": ramp["ramp_s"],
        "ray_ramp_200_s": ramp["ray_ramp_s"],
        "idle_cpu_share": wait["cpu_share"],
        "rss_mb": wait["rss_mb"],
    }
    return measured


def _spec(*, workers: int, min_workers: int = 0) -> ClusterSpec:
    resources = Resources.of(CPU=8, memory=32 * 2**30)
    types = {
        "head": NodeType("head"),
        "cpu": NodeType("cpu", resources, min_workers=min_workers, max_workers=workers),
    }
    provider = ProviderSpec("simulated")
    return ClusterSpec(
        "benchmark", provider, types, "head", max_workers=workers, idle_timeout_s=36_000
    )


# Rounds in which nothing is to be done.


def _idle(nodes: int, dead: int, ticks: int) -> common.Case:
    common.progress(f"{nodes} idle nodes, {dead} dead rows")
    with tempfile.TemporaryDirectory() as folder:
        ours = _idle_ticks(nodes, dead, ticks, Path(folder) / "ledger.db")
    loop = RayLoop(max_workers=nodes)
    loop.settle(nodes, dead)
    idle_s = dict.fromkeys(loop.cloud.kinds, 1.0)
    loop.round(idle_s)
    theirs = [_cpu_ms(lambda: loop.round(idle_s)) for _ in range(3)]
    return {
        "kind": "idle",
        "nodes": nodes,
        "dead_rows": dead,
        "tick_ms": common.median(ours),
        "tick_p95_ms": common.percentile(ours, 0.95),
        "ray_ms": common.median(theirs),
        "ratio": common.ratio(common.median(theirs), common.median(ours)),
    }


def _idle_ticks(nodes: int, dead: int, ticks: int, path: Path) -> list[float]:
    clock = _Clock()
    spec = _spec(workers=nodes)
    ledger = Ledger(path)
    _bury(ledger, dead, clock())
    provider = FakeProvider(clock=clock)
    provider.launch(LaunchRequest("head", "head", 1, is_head=True))
    provider.launch(LaunchRequest("cpu-0", "cpu", nodes))
    ray = SimulatedRay(spec, provider, (), clock=clock)
    ray.settle()
    engine = Reconciler(
        spec, provider, ray, ledger, info=ClusterInfo("b", "b"), pool=Inline(), clock=clock
    )
    try:
        for _ in range(_WARM_UP):
            _step(engine, clock)
        return [_step(engine, clock)[1] for _ in range(ticks)]
    finally:
        engine.close()


def _bury(ledger: Ledger, dead: int, now: float) -> None:
    """Write instances that have ended, as a long life leaves them behind."""
    with ledger.transaction():
        for index in range(dead):
            at = now - dead + index
            row = Instance(f"old-{index}", "cpu", InstanceStatus.TERMINATED, status_since=at)
            ledger.put(row, at, "no longer listed by the provider")


def _step(engine: Engine, clock: _Clock) -> tuple[Snapshot, float]:
    """The next snapshot, and the CPU milliseconds that its round took."""
    clock.now += _STEP_S
    engine.due()
    cpu = time.process_time()
    snapshot = engine.tick()
    return snapshot, (time.process_time() - cpu) * 1000


# Rounds with plenty to do.


def _busy(nodes: int, ticks: int) -> common.Case:
    common.progress(f"{nodes} busy nodes, {ticks} ticks")
    clock = _Clock()
    engine = showcase(nodes, seed=7, clock=clock)
    rounds: list[float] = []
    deltas: list[tuple[int, float]] = []
    try:
        for _ in range(_WARM_UP):
            snapshot, _ = _step(engine, clock)
        for _ in range(ticks):
            before = snapshot
            snapshot, spent = _step(engine, clock)
            rounds.append(spent)
            deltas.append(_sent(lambda: DeltaIs(difference(before, snapshot))))  # noqa: B023
    finally:
        engine.close()
    whole, snapshot_ms = _sent(lambda: SnapshotIs(snapshot))
    return {
        "kind": "busy",
        "nodes": nodes,
        "tick_ms": common.median(rounds),
        "tick_p95_ms": common.percentile(rounds, 0.95),
        "delta_ms": common.median(ms for _, ms in deltas),
        "delta_bytes": int(common.median(size for size, _ in deltas)),
        "snapshot_ms": common.digits(snapshot_ms),
        "snapshot_bytes": whole,
    }


def _sent(make: Callable[[], DeltaIs | SnapshotIs]) -> tuple[int, float]:
    """Bytes of a message as it is sent, and the CPU milliseconds of making and writing it."""
    started = time.process_time()
    size = len(line_of(make()))
    return size, (time.process_time() - started) * 1000


def _cpu_ms(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


# How fast many nodes are asked for.


class _SlowProvider(FakeProvider):
    """Every launch call takes its time; what was asked for is counted when the call comes in."""

    asked = 0

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """See NodeProvider."""
        if not request.is_head:
            self.asked += request.count
            time.sleep(_CALL_S)
        return super().launch(request)


def _ramp() -> common.Case:
    common.progress(f"a ramp to {_RAMP} nodes")
    return {"kind": "ramp", "nodes": _RAMP, "ramp_s": _our_ramp(), "ray_ramp_s": _rays_ramp()}


def _our_ramp() -> float:
    spec = _spec(workers=_RAMP, min_workers=_RAMP)
    provider = _SlowProvider(clock=time.time)
    provider.launch(LaunchRequest("head", "head", 1, is_head=True))
    ray = SimulatedRay(spec, provider, (), clock=time.time, boot_s=(_BOOT_S, _BOOT_S))
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.db")
        started = time.monotonic()
        engine = Reconciler(spec, provider, ray, ledger, info=ClusterInfo("b", "b"))
        try:
            while provider.asked < _RAMP:
                if engine.due():
                    engine.tick()
                time.sleep(0.01)
            return common.digits(time.monotonic() - started)
        finally:
            engine.close()


def _rays_ramp() -> float:
    loop = RayLoop(min_workers=_RAMP, max_workers=_RAMP)
    seen: dict[str, int] = {}
    rounds = 0
    while loop.cloud.asked < _RAMP:
        for name in loop.cloud.kinds:
            seen.setdefault(name, rounds)
        boot = _BOOT_S / PERIOD_S
        up = {n: 1.0 for n, at in seen.items() if n == "head-0" or rounds - at >= boot}
        loop.round(up)
        rounds += 1
    return (rounds - 1) * PERIOD_S


# What waiting costs.


def _wait(seconds: float) -> common.Case:
    common.progress(f"a daemon that waits for {seconds:.0f} s")
    program = Path(idle_daemon.__file__)
    done = subprocess.run(
        [sys.executable, str(program), str(seconds)], stdout=subprocess.PIPE, check=True, text=True
    )
    found: common.Case = json.loads(done.stdout)
    return {"kind": "wait", **found}


if __name__ == "__main__":
    common.main("reconcile", __doc__, measure)
