"""Let one planner decide once on one workload, alone in this process, and print what it took.

    python benchmarks/one_call.py raytui-greedy 100 1000 mixed 0

Planners: `raytui` (with its default budget), `raytui-greedy` (without), `ray-v1`, `ray-v2`. The
other arguments are those of `workload.make`. `cap_s` bounds the CPU seconds of the decision; one
that is cut off there has no answer but the seconds it used.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import common
import workload

_MODULES = {
    "raytui": "raytui_planner",
    "raytui-greedy": "raytui_planner",
    "ray-v1": "ray_v1_planner",
    "ray-v2": "ray_v2_planner",
}
Prepare = Callable[[workload.Workload], Callable[[], dict[str, Any]]]
"""What every planner's module has: it makes the inputs and gives the call that decides."""
_CALLS = 5
_ENOUGH_S = 0.5


class CutOffError(Exception):
    """The decision used all the CPU seconds it may."""


def main() -> None:
    """Read the arguments, let the planner decide, print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("planner", choices=_MODULES)
    parser.add_argument("nodes", type=int)
    parser.add_argument("demands", type=int)
    parser.add_argument("existing", choices=(workload.FULL, workload.PARTLY_FREE))
    parser.add_argument("gangs", type=int)
    parser.add_argument("--wide", action="store_true", help="30 node types and 100 shapes")
    parser.add_argument("--cap_s", type=int, default=180, help="default: %(default)s")
    wanted = parser.parse_args()
    work = workload.make(
        wanted.nodes, wanted.demands, wanted.existing, wanted.gangs, wide=wanted.wide
    )
    print(json.dumps(_measured(_planner(wanted.planner), work, wanted.cap_s)))


def _planner(name: str) -> Prepare:
    module = importlib.import_module(_MODULES[name])
    return partial(module.prepare, budget=0) if name == "raytui-greedy" else module.prepare


def _measured(prepare: Prepare, work: workload.Workload, cap_s: int) -> dict[str, Any]:
    """CPU seconds of a decision (the median of five, or of fewer when it is slow), and its answer.

    Inputs are made anew for every call, so that none profits from what another has computed.
    """
    times: list[float] = []
    answer: dict[str, Any] = {}
    try:
        with _cut_off_after(cap_s):
            while len(times) < _CALLS and sum(times) < _ENOUGH_S:
                decide = prepare(work)
                gc.collect()
                started = time.process_time()
                answer = decide()
                times.append(time.process_time() - started)
    except CutOffError:
        if not times:
            return {"capped": True, "cpu_s": cap_s}
    launches = answer["launches"]
    prices = {machine.name: machine.price for machine in work.machines}
    return {
        "capped": False,
        "cpu_s": common.median(times),
        "nodes": sum(launches.values()),
        "usd": round(sum(prices[name] * count for name, count in launches.items()), 2),
        "rss_mb": common.digits(_peak_rss_mb()),
        **answer,
    }


@contextmanager
def _cut_off_after(cap_s: int) -> Iterator[None]:
    """Raise `CutOffError` once this process has used `cap_s` more CPU seconds; looks every second.

    The kernel would watch by itself (RLIMIT_CPU), but a process that is watched has a CPU clock
    that moves in steps of 4 ms.
    """
    until = time.process_time() + cap_s

    def look(_signal: int, _frame: object) -> None:
        if time.process_time() > until:
            raise CutOffError

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


def _peak_rss_mb() -> float:
    """The most memory that this process ever held, in MiB.

    `ru_maxrss` would not do on Linux: there it starts from what the parent held.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


if __name__ == "__main__":
    main()
