"""Which processes a local cluster has on this machine, found without the provider's own code."""

import os
from pathlib import Path

import psutil


def of_cluster(marker: str, temp_root: Path) -> list[psutil.Process]:
    """Processes that carry the cluster's mark or hold a file below its temp directory.

    Both are needed: Ray's workers write their titles over their environment, and a child that
    user code started has none of Ray's files open.
    """
    return [p for p in psutil.process_iter() if _carries(p, marker) or _uses(p, temp_root)]


def of_instance(instance_id: str) -> list[psutil.Process]:
    """The `ray start` processes of one instance: one if all is well."""
    return [
        process
        for process in psutil.process_iter()
        if "ray.scripts.scripts" in _arguments(process)
        and _environment(process).get("RAY_CLOUD_INSTANCE_ID") == instance_id
    ]


def with_setting(name: str, value: str) -> list[psutil.Process]:
    """Processes that were started with this environment variable."""
    return [p for p in psutil.process_iter() if _environment(p).get(name) == value]


def using(folder: Path) -> list[psutil.Process]:
    """Processes that hold a file below a folder open."""
    return [p for p in psutil.process_iter() if _uses(p, folder)]


def raylet_below(pid: int) -> psutil.Process:
    """The raylet among the children of a `ray start`."""
    return next(c for c in psutil.Process(pid).children() if c.name() == "raylet")


def is_gone(process: psutil.Process) -> bool:
    """True when it has ended, even if nobody has reaped it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _carries(process: psutil.Process, marker: str) -> bool:
    return _environment(process).get("RAYTUI_CLUSTER") == marker and process.pid != os.getpid()


def _uses(process: psutil.Process, temp_root: Path) -> bool:
    try:
        return any(Path(file.path).is_relative_to(temp_root) for file in process.open_files())
    except (psutil.Error, OSError):
        return False


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return process.environ() if alive else {}
    except (psutil.Error, OSError):
        return {}


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
