"""Wait until a machine that boots lets us in."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

from raytui.backends.base import CommandRunner, ProviderError
from raytui.backends.ssh.errors import HostKeyError
from raytui.model.plan import FailureKind
from raytui.model.step import LaunchError
from raytui.model.text import duration_text, first_line
from raytui.provisioning.progress import Progress

_TRY_S = 10.0
_LOOK_EVERY_S = 5.0

PATIENT = frozenset({FailureKind.TRANSIENT})
"""What passes on a machine that was set up before."""
PATIENT_WITH_NEW = PATIENT | {FailureKind.AUTH}
"""On a new machine also a refused login: its user is made while it boots."""


class NoLoginError(LaunchError):
    """Nobody was let in for as long as one may wait."""


def wait_for_login(
    host: CommandRunner,
    progress: Progress,
    stopping: threading.Event,
    *,
    within_s: float,
    patient: Collection[FailureKind] = PATIENT,
    look_every_s: float = _LOOK_EVERY_S,
) -> None:
    """Return when a command runs on the machine; raises NoLoginError when none does in time.

    What is no matter of time (a changed host key, say) is raised at once, as it came.
    """
    end = time.monotonic() + within_s
    while True:
        try:
            result = host.run(["true"], timeout_s=_TRY_S)
            if result.exit_code == 0:
                return
            words = first_line(result.output) or f"exit code {result.exit_code}"
        except ProviderError as error:
            if error.kind not in patient or isinstance(error, HostKeyError):
                raise
            words = first_line(str(error))
        progress.say(words)
        if time.monotonic() + look_every_s > end:
            raise NoLoginError(f"no login within {duration_text(within_s)}: {words}")
        if stopping.wait(look_every_s):
            raise LaunchError("stopped")
