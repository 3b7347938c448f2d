"""What all tests share: a missing tool is a reason to skip, or in CI an error."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support import hosts
from tests.support.hosts import Engine
from tests.support.needs import missing


def pytest_configure() -> None:
    """Ctrl-C ends what tests start, also where the shell that started the tests ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A missing tool skips a test with its reason, or fails it where everything must be there."""
    for marker in ("ray", "tmux", "ssh"):
        if item.get_closest_marker(marker):
            missing(marker)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A container engine of this run's own: the hosts of all tests that ask for some."""
    with hosts.engine() as running:
        yield running
