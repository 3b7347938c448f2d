"""What all tests share: a missing tool is a reason to skip, or in CI an error."""

from __future__ import annotations

import pytest

from tests.support.needs import missing


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A missing tool skips a test with its reason, or fails it where everything must be there."""
    for marker in ("ray", "tmux", "ssh"):
        if item.get_closest_marker(marker):
            missing(marker)
