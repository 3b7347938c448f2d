"""What all tests share: tools that may be missing, and state that stays in the test's own folder."""

from __future__ import annotations

import pytest

from tests.support.needs import missing


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A missing tool skips a test with its reason, or fails it where everything must be there."""
    for marker in ("ray", "tmux"):
        if item.get_closest_marker(marker):
            missing(marker)
