"""A head as it is after its set-up: raytui's program is there, and a daemon of a kind runs."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from raytui.config.cluster import load_cluster
from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from raytui.provisioning.own_wheel import PROGRAM
from tests.support.hosts import ROOT, Host, wait_until
from tests.support.on_premise import OnPremise

_INSTALL = """mkdir -p "$(dirname "$1")"
printf '#!/bin/sh\\nexec %s -m raytui "$@"\\n' "$2" > "$1" && chmod 755 "$1"
"""


def note_launched(cluster: OnPremise) -> None:
    """What `raytui up` leaves on this machine, in the state directory of this process."""
    spec = load_cluster(str(cluster.file))
    remember(ClusterPaths(spec.cluster_name), spec)


def install(head: Host) -> None:
    """What the set-up of a head leaves there: a script that runs raytui."""
    in_home(head, "sh", "-c", _INSTALL, "sh", PROGRAM, sys.executable)


def in_home(host: Host, *argv: str) -> str:
    """Run a command as the user `ray`, in the home directory."""
    home = ("exec", "-u", "ray", "-w", "/home/ray", "-e", f"PYTHONPATH={ROOT}", host.container)
    return host.engine.docker(*home, *argv)


def start_daemon(cluster: OnPremise, script: Path, *words: str) -> None:
    """Run a script on the head that is the cluster's daemon, and wait for it."""
    argv = ["sh", "-c", 'nohup "$@" > daemon.out 2>&1 &', "sh", sys.executable, str(script)]
    in_home(cluster.head, *argv, cluster.name, *words)
    wait_until(lambda: is_there(cluster.head, _socket(cluster)), "the daemon's socket")


def stop_daemon(cluster: OnPremise) -> None:
    """Its orderly end, as a person orders it."""
    stopped = cluster.raytui("daemon", "stop", cluster.name)
    assert stopped.returncode == 0, stopped.stderr
    wait_until(lambda: not is_there(cluster.head, _socket(cluster)), "the daemon's end")


def is_there(host: Host, path: str) -> bool:
    """Whether a path exists on a host."""
    with contextlib.suppress(RuntimeError):
        host.run("test", "-e", path)
        return True
    return False


def _socket(cluster: OnPremise) -> str:
    return f"/home/ray/.local/state/raytui/{cluster.name}/control.sock"
