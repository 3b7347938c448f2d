"""Waiting until a machine that boots lets us in."""

from __future__ import annotations

import threading

import pytest

from raytui.backends.base import AuthError, CommandResult, ProviderError, TransientError
from raytui.backends.local_runner import LocalRunner
from raytui.backends.ssh.errors import ChangedHostKeyError
from raytui.model.step import LaunchError, Step
from raytui.provisioning.login import PATIENT, PATIENT_WITH_NEW, wait_for_login
from raytui.provisioning.progress import step

REFUSED = TransientError("connection refused")
NO_USER = AuthError("permission denied")
CHANGED = ChangedHostKeyError("h", "its key has changed", "Look into it")


class Booting(LocalRunner):
    """A machine that refuses in these ways before it lets us in."""

    def __init__(self, *errors: ProviderError) -> None:
        super().__init__()
        self.errors = list(errors)

    def run(self, command, **more) -> CommandResult:
        if self.errors:
            raise self.errors.pop(0)
        return super().run(command, **more)


def wait(host: Booting, patient=PATIENT, within_s: float = 10.0) -> list[str]:
    """What was told while it was waited."""
    told: list[Step] = []
    with step(told.append, "wait for login") as progress:
        wait_for_login(
            host,
            progress,
            threading.Event(),
            within_s=within_s,
            patient=patient,
            look_every_s=0.001,
        )
    return [one.detail for one in told]


def test_it_is_asked_again_until_it_answers():
    assert "connection refused" in wait(Booting(REFUSED, REFUSED))


def test_a_login_is_refused_for_good_where_the_user_was_known():
    with pytest.raises(AuthError, match="permission denied"):
        wait(Booting(NO_USER))
    assert wait(Booting(NO_USER), PATIENT_WITH_NEW)


@pytest.mark.parametrize("patient", [PATIENT, PATIENT_WITH_NEW])
def test_a_host_that_shows_another_key_is_never_asked_again(patient):
    host = Booting(CHANGED, CHANGED)
    with pytest.raises(ChangedHostKeyError):
        wait(host, patient)
    assert len(host.errors) == 1


def test_out_of_time_the_last_words_are_told():
    with pytest.raises(LaunchError, match="no login within 0m00s: connection refused"):
        wait(Booting(*[REFUSED] * 3), within_s=0)
