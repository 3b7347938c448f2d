"""What `raytui status` tells of failed launches."""

from __future__ import annotations

from raytui.cli.report_text import status_text
from raytui.model.plan import FailureKind, LaunchFailure
from tests.tui import sample


def test_those_that_are_avoided_longest_are_shown_and_the_rest_is_counted() -> None:
    failures = tuple(
        LaunchFailure(
            "gpu",
            FailureKind.CAPACITY,
            "InsufficientInstanceCapacity: none",
            sample.NOW - 5,
            sample.NOW + number,
            "us-west-2a",
            f"g5.{number}xlarge",
        )
        for number in range(1, 41)
    )
    shown = status_text(sample.snapshot(failures=failures)).splitlines()
    lines = [line for line in shown if "InsufficientInstanceCapacity: none" in line]
    assert len(lines) == 20
    assert lines[0].split()[:4] == ["g5.40xlarge", "us-west-2a", "capacity,", "1"]
    assert "  … and 20 more; --json has them all" in shown
