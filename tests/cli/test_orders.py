"""`raytui scale --max` and `raytui sweep` against a daemon."""

from __future__ import annotations

import pytest

from raytui.cli.exit_codes import ExitCode
from tests.cli.conftest import raytui

pytestmark = pytest.mark.usefixtures("toy")


def test_floor_and_ceiling_are_set_by_one_line():
    done = raytui("scale", "cpu", "2", "--max", "5", "-c", "toy")
    assert (done.returncode, done.stderr) == (0, "floor 2\nceiling 5\n")


def test_default_takes_a_ceiling_back():
    assert raytui("scale", "cpu", "--max", "default", "-c", "toy").stderr == "ceiling None\n"


@pytest.mark.parametrize("words", [(), ("two",), ("2", "--max", "-1"), ("--max", "²")])
def test_what_is_no_number_is_refused_before_anything_is_done(words):
    done = raytui("scale", "cpu", *words, "-c", "toy")
    assert done.returncode == ExitCode.USAGE
    assert "floor" not in done.stderr.splitlines()


def test_sweep_takes_the_named_instances():
    assert raytui("sweep", "i-1", "i-2", "-y", "-c", "toy").stderr == "swept i-1, i-2\n"


def test_sweep_without_orphans_says_so():
    done = raytui("sweep", "-y", "-c", "toy")
    assert (done.returncode, done.stderr) == (0, "there are no orphans\n")


def test_sweep_asks_and_without_a_terminal_refuses():
    done = raytui("sweep", "i-1", "-c", "toy")
    assert done.returncode == ExitCode.USAGE
    assert "say -y" in done.stderr
