"""How soon pending work makes the autoscaler call its provider, on real Ray.

A head is brought up as users do it (`raytui up`), with the daemon as a process of its own. In each
trial a Ray task asks for a resource that only one node type has. The stopwatch starts when GCS
first shows the demand (asked every 10 ms, 0.5 ms a call) and stops when the provider is called: the
`launched_at` that the local provider takes at the start of its launch call and writes into the
node's state file before it spawns anything. Then the task is cancelled and the node terminated, so
that each trial finds an idle cluster; a pause of random length keeps trials from falling into step
with the autoscaler's own clock.

The peer is Ray's own autoscaler v2, run by `ray start --head` on a cluster file with the same node
types and a provider that only writes down when it is called. It looks every 5 s.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import common
import yaml
from pending_demand import LOOK_EVERY_S, Driver, driver, resource_of

from raytui.autoscaler.daemon.control import Control
from raytui.backends.local_start import free_port, node_ip
from raytui.backends.local_state import LocalNode, StateFiles
from raytui.config.cluster import load_cluster
from raytui.config.locations import ClusterPaths
from raytui.launcher import down, up
from raytui.model.command import Terminate
from raytui.model.step import Step
from raytui.provisioning.registry import provider_for
from raytui.ray.gcs import GcsRay

TARGET_S = 1.5
_WAIT_S = 60.0
_HEAD = "head"


def measure(quick: bool) -> common.Measured:
    """Trials of raytui, then of Ray's autoscaler."""
    chance = random.Random(7)
    ours = _raytui(3 if quick else 20, chance)
    theirs = _ray(2 if quick else 10, chance)
    cases = [_case("raytui", ours), _case("Ray's autoscaler v2", theirs)]
    median_s, ray_median_s = (case["median_s"] for case in cases)
    summary = {
        "median_s": median_s,
        "p95_s": cases[0]["p95_s"],
        "max_s": cases[0]["max_s"],
        "trials": len(ours),
        "target_s": TARGET_S,
        "target_met": median_s < TARGET_S,
        "ray_median_s": ray_median_s,
        "ray_over_raytui": common.ratio(ray_median_s, median_s),
    }
    return common.Measured(cases, summary)


def _case(autoscaler: str, times: list[float]) -> common.Case:
    return {
        "autoscaler": autoscaler,
        "trials": len(times),
        "median_s": common.median(times),
        "min_s": common.digits(min(times)),
        "p95_s": common.percentile(times, 0.95),
        "max_s": common.digits(max(times)),
    }


def _cluster(name: str, provider: dict[str, Any], trials: int) -> dict[str, Any]:
    """A cluster file: a head without CPUs, and one small node type for each trial."""
    types: dict[str, Any] = {_HEAD: {"node_config": {}, "resources": {"CPU": 0}}}
    for trial in range(trials):
        resources = {"CPU": 1, resource_of(trial): 1}
        types[f"worker{trial:02d}"] = {
            "node_config": {}, "resources": resources, "min_workers": 0, "max_workers": 1,
        }  # fmt: skip
    return {
        "cluster_name": name,
        "provider": provider,
        "max_workers": trials,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 5,
        "head_node_type": _HEAD,
        # Ray fills these in under every provider but `external`.
        **{f"{whose}setup_commands": [] for whose in ("", "head_", "worker_")},
        "cluster_synced_files": [],
        "available_node_types": types,
    }


def _trials(
    source: Driver,
    count: int,
    chance: random.Random,
    longest_pause_s: float,
    launch_of: Callable[[int], float],
    clear: Callable[[int], None],
) -> list[float]:
    """Seconds from demand to launch call, trial by trial."""
    times = []
    for trial in range(count):
        time.sleep(chance.uniform(0, longest_pause_s))
        with source.pending(trial) as visible_at:
            launched_at = _eventually(partial(launch_of, trial))
        clear(trial)
        times.append(launched_at - visible_at)
        common.progress(f"trial {trial + 1} of {count}: {times[-1]:.3f} s")
    return times


def _eventually(question: Callable[[], float]) -> float:
    """Ask until the answer is not zero."""
    deadline = time.monotonic() + _WAIT_S
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing happened in {_WAIT_S:g} s")
        time.sleep(LOOK_EVERY_S)
    return answer


# raytui.


def _raytui(trials: int, chance: random.Random) -> list[float]:
    common.progress("raytui: bringing a head up")
    with _raytui_cluster(trials) as (address, paths), driver(address) as source:
        files = StateFiles(paths.instances)

        def launch_of(trial: int) -> float:
            node = _node_of(files, trial)
            return node.launched_at if node is not None else 0.0

        def clear(trial: int) -> None:
            node = _node_of(files, trial)
            if node is not None:
                _terminate(paths, node.instance_id)
                _eventually(lambda: float(_node_of(files, trial) is None))

        return _trials(source, trials, chance, 1.0, launch_of, clear)


def _node_of(files: StateFiles, trial: int) -> LocalNode | None:
    return next((node for node in files.all() if node.node_type == f"worker{trial:02d}"), None)


def _terminate(paths: ClusterPaths, instance_id: str) -> None:
    """Ask until the autoscaler knows the instance: it learns of it when the launch call returns."""

    def asked() -> float:
        with Control(paths.socket) as control:
            return float(control.send(Terminate((instance_id,), drain_s=0.0)).ok)

    _eventually(asked)


@contextmanager
def _raytui_cluster(trials: int) -> Iterator[tuple[str, ClusterPaths]]:
    """A head and its daemon, with state in a directory of their own; yields GCS's address."""
    with tempfile.TemporaryDirectory() as home:
        before = os.environ.get("XDG_STATE_HOME")
        os.environ["XDG_STATE_HOME"] = home
        file = Path(home) / "reaction.yaml"
        file.write_text(yaml.safe_dump(_cluster("reaction", {"type": "fake_multinode"}, trials)))
        spec = load_cluster(file)
        paths = ClusterPaths(spec.cluster_name)
        try:
            up(spec, _silent)
            yield provider_for(spec, paths).head_address(), paths
        finally:
            down(spec, _silent)
            os.environ.pop("XDG_STATE_HOME")
            if before is not None:
                os.environ["XDG_STATE_HOME"] = before


def _silent(step: Step) -> None:
    """Steps of the launcher are of no interest here; errors are raised."""


# Ray's own autoscaler.


def _ray(trials: int, chance: random.Random) -> list[float]:
    common.progress("Ray's autoscaler v2: starting a head")
    with _ray_cluster(trials) as (address, log), driver(address) as source:

        def launch_of(trial: int) -> float:
            lines = log.read_text().splitlines() if log.exists() else []
            calls = {call["node_type"]: call["at"] for call in map(json.loads, lines)}
            return float(calls.get(f"worker{trial:02d}", 0.0))

        return _trials(source, trials, chance, 5.0, launch_of, lambda trial: None)


@contextmanager
def _ray_cluster(trials: int) -> Iterator[tuple[str, Path]]:
    """A head with Ray's own monitor; yields GCS's address and the log of launch calls."""
    with tempfile.TemporaryDirectory(prefix="rb-") as home:
        log, file = Path(home) / "launches", Path(home) / "cluster.yaml"
        provider = {
            "type": "external",
            "module": "ray_launch_log.LaunchLog",
            "log": str(log),
            "disable_node_updaters": True,  # nobody is there to be set up
        }
        file.write_text(yaml.safe_dump(_cluster("reaction-ray", provider, trials)))
        address = f"{node_ip()}:{free_port()}"
        with Path(home, "output").open("wb") as output:
            head = subprocess.Popen(
                _ray_head(address, home, file),
                env=_ray_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            GcsRay(address).wait_ready(_WAIT_S)
            yield address, log
        finally:
            _end(head)


def _ray_head(address: str, home: str, file: Path) -> list[str]:
    ip, _, port = address.rpartition(":")
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        f"--autoscaling-config={file}",
        f"--node-ip-address={ip}",
        f"--port={port}",
        f"--ray-client-server-port={free_port()}",
        f"--temp-dir={home}/ray",
        "--include-dashboard=false",
        "--num-cpus=0",
        "--num-gpus=0",
        f"--object-store-memory={128 * 2**20}",
        "--disable-usage-stats",
    ]


def _ray_environment() -> dict[str, str]:
    """Ray's monitor finds the provider beside this file, and its head in what that lists."""
    here = str(Path(__file__).resolve().parent)
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    return os.environ | {
        "PYTHONPATH": path,
        "RAY_CLOUD_INSTANCE_ID": _HEAD,
        "RAY_NODE_TYPE_NAME": _HEAD,
        "RAY_enable_autoscaler_v2": "1",
        "AUTOSCALER_METRIC_PORT": str(free_port()),
    }


def _end(head: subprocess.Popen[bytes]) -> None:
    """End the head's session, and nothing else."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(head.pid, number)
            head.wait(15)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue


if __name__ == "__main__":
    common.main("reaction", __doc__, measure)
