"""Switching hosts on and off with a person's own commands, run on this machine."""

from __future__ import annotations

from raytui.backends.base import TransientError
from raytui.backends.local_runner import LocalRunner
from raytui.model.text import first_line

HOST_VARIABLE = "RAYTUI_HOST"
"""In the environment of the commands: the host's name as the cluster file has it."""

_WITHIN_S = 60.0


def switch(host: str, command: str) -> None:
    """Run a power command for a host; raises TransientError with its words when it fails."""
    result = LocalRunner().run_shell(command, env={HOST_VARIABLE: host}, timeout_s=_WITHIN_S)
    if result.exit_code:
        said = first_line(result.output) or f"exit code {result.exit_code}"
        raise TransientError(f"{host}: the power command failed: {said}", detail=result.output)
