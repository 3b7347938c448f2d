"""What people are shown of set-ups."""

from __future__ import annotations

from raytui.model.step import Step, StepStatus
from raytui.provisioning.shown_steps import DONE_BEFORE, ShownSteps

WAITING, RUNNING, DONE = StepStatus.WAITING, StepStatus.RUNNING, StepStatus.DONE
FAILED, SKIPPED = StepStatus.FAILED, StepStatus.SKIPPED


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_an_earlier_try_has_done_stays_done():
    shown = ShownSteps()
    shown.begin("a")
    for step in (Step("a", "one", DONE, detail="said"), Step("a", "two", FAILED, detail="two: no")):
        shown(step)
    shown.begin("a")
    shown(Step("a", "one", WAITING))
    shown(Step("a", "two", WAITING))
    shown(Step("a", "one", SKIPPED, detail=DONE_BEFORE))
    assert [(s.status, s.detail) for s in shown.all()] == [(DONE, "said"), (WAITING, "")]
    shown(Step("a", "one", RUNNING))
    assert shown.newest("a") == "one"


def test_a_failed_step_tells_when_it_is_tried_again():
    clock = Clock()
    shown = ShownSteps(clock)
    shown(Step("a", "two", FAILED, detail="two: exit code 1: no"))
    assert shown.newest("a") == "✕ two: exit code 1: no"
    shown.fails_until("a", clock.now + 30)
    clock.now += 2
    assert shown.newest("a") == "✕ two: exit code 1: no · trying again in 0m28s"
    assert shown.all()[0].detail == "two: exit code 1: no · trying again in 0m28s"
    shown.begin("a")
    assert (shown.newest("a"), shown.all()[0].status) == ("", WAITING)


def test_what_failed_and_is_no_longer_part_of_it_goes_away():
    shown = ShownSteps()
    shown(Step("a", "old", FAILED))
    shown.begin("a")
    shown(Step("a", "new", DONE))
    shown.finish("a")
    assert [step.name for step in shown.all()] == ["new"]


def test_those_that_are_done_are_shown_for_ten_minutes_and_in_no_great_number():
    clock = Clock()
    shown = ShownSteps(clock)
    for number in range(500):
        shown(Step(f"n{number}", "one", DONE))
        shown.finish(f"n{number}")
    shown(Step("fails", "one", FAILED))
    assert [s.node for s in shown.all()] == [f"n{n}" for n in range(300, 500)] + ["fails"]
    clock.now += 601
    assert [s.node for s in shown.all()] == ["fails"]


def test_a_new_round_on_a_node_that_was_done_begins_with_nothing():
    shown = ShownSteps()
    shown(Step("a", "one", DONE))
    shown.finish("a")
    shown.begin("a")
    assert shown.all() == []
