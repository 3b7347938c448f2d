"""`raytui config`: what is in force, a documented file of all, and problems with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytui.cli.exit_codes import ExitCode
from raytui.config.settings_file import settings_file
from tests.cli.conftest import raytui


@pytest.fixture
def file() -> Path:
    path = settings_file()
    path.parent.mkdir(parents=True)
    return path


def test_without_a_file_the_defaults_are_printed_and_that_is_in_order(file):
    done = raytui("config")
    assert done.stdout.startswith(f"# {file}  (not there")
    assert "confirm_above = 3" in done.stdout
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")
    assert raytui("config", "--check").returncode == ExitCode.OK


def test_what_is_printed_is_a_settings_file_of_what_is_in_force(file):
    file.write_text(
        'undo_s = 3\n[clusters."a b"]\nproduction = true\n'
        '[commands.ping]\nrun = ["ping", "$NODE_IP"]\n[keys]\nhelp = "f1"\n'
    )
    printed = raytui("config").stdout
    assert "undo_s = 3.0" in printed
    file.write_text(printed)
    again = raytui("config")
    assert (again.stdout, again.stderr) == (printed, "")


def test_the_documented_file_is_in_order(file):
    file.write_text(raytui("config", "--docs").stdout)
    done = raytui("config", "--check")
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")
    assert '# terminate = "t"' in file.read_text()


def test_problems_are_told_with_file_line_and_column_and_end_in_trouble(file):
    file.write_text('mouse = 3\n[keys]\n  terminate = "ctrl+h"\n')
    done = raytui("config", "--check")
    assert done.returncode == ExitCode.USAGE
    first, second = done.stderr.splitlines()
    assert first.startswith(f"{file}:1:1: mouse: ")
    assert second.startswith(f"{file}:3:3: keys.terminate: ")
    assert done.stdout == ""
