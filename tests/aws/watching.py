"""Start the watcher of spot notices beside a Ray node as a set-up does, and find it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil

from raytui.backends.marked_processes import INSTANCE_VARIABLE
from raytui.provisioning.spot_watching import watch_command


def watch(endpoint: str, instance_id: str, home: Path) -> str:
    """Run the step; returns what it says."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        INSTANCE_VARIABLE: instance_id,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint,
    }
    command = ["bash", "-c", watch_command(instance_id)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def watchers(instance_id: str) -> list[psutil.Process]:
    """The watchers of an instance that run, without what they have started."""
    found = []
    for process in psutil.process_iter(["environ", "cmdline", "status"]):
        facts = process.info
        if (facts["environ"] or {}).get("RAYTUI_SPOT_WATCH") != instance_id:
            continue
        watches = any(word.endswith("spot_watch.py") for word in facts["cmdline"] or ())
        if watches and facts["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found
