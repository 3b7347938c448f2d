"""`metadata.raytui.timeouts`: each stretch of a life, in seconds."""

from __future__ import annotations

import pytest

from raytui.model.lifecycle import Timeouts
from tests.config.files import SMALL, problem_of, spec_of


def with_timeouts(text: str) -> str:
    return f"{SMALL}\nmetadata: {{raytui: {{timeouts: {text}}}}}"


def test_what_is_not_set_keeps_its_default() -> None:
    assert spec_of(SMALL).timeouts == Timeouts()
    assert spec_of(with_timeouts("{boot: 90, terminate: 1.5}")).timeouts == Timeouts(
        boot_s=90.0, terminate_s=1.5
    )


@pytest.mark.parametrize(
    "name",
    ["request", "boot", "setup", "register", "pending", "failing", "drain", "terminate"],
)
def test_every_stretch_can_be_set(name: str) -> None:
    timeouts = spec_of(with_timeouts(f"{{{name}: 77}}")).timeouts
    assert getattr(timeouts, f"{name}_s") == 77.0


@pytest.mark.parametrize("value", ["0", "-1", "604801", "soon", "null"])
def test_a_timeout_is_a_second_to_a_week(value: str) -> None:
    problem = problem_of(with_timeouts(f"{{boot: {value}}}"))
    assert problem.key_path == "metadata.raytui.timeouts.boot"
    assert "a number of seconds from 1 to 604,800" in problem.message


def test_an_unknown_stretch_is_named() -> None:
    assert problem_of(with_timeouts("{boots: 9}")).hint.startswith("did you mean boot?")
