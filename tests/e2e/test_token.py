"""Clusters that ask for Ray's token, as they do where `ray.init()` has ever made one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Program
from tests.support.waiting import eventually

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def token(program: Program, tmp_path: Path) -> Path:
    """Where Ray looks for one in the home of this test; it is not there yet."""
    program.env["HOME"] = str(tmp_path)
    (tmp_path / ".ray").mkdir()
    return tmp_path / ".ray" / "auth_token"


def test_cluster_with_a_token_is_launched_scaled_and_given_jobs(
    program: Program, token: Path
) -> None:
    token.write_text("0123456789abcdef" * 4)
    program.file("asked")
    assert program.run("up", "asked.yaml", "-y").returncode == 0
    assert program.run("scale", "small", "1", "-c", "asked").returncode == 0
    eventually(lambda: len(program.status("asked")["nodes"]) == 2, 90)
    done = program.run("job", "submit", "-c", "asked", "--", "echo", "it ran")
    assert "it ran" in done.stdout
    assert done.returncode == 0, done.stderr
    # Whoever does not know the token is told what is missing.
    program.env["RAY_AUTH_MODE"] = "disabled"
    refused = program.run("job", "list", "-c", "asked")
    assert "asks for a token" in refused.stderr
    del program.env["RAY_AUTH_MODE"]


def test_token_that_comes_later_changes_nothing(program: Program, token: Path) -> None:
    program.file("free")
    assert program.run("up", "free.yaml", "-y").returncode == 0
    token.write_text("0123456789abcdef" * 4)
    assert program.run("scale", "small", "1", "-c", "free").returncode == 0

    def runs() -> bool:
        nodes = program.status("free")["nodes"]
        return any(not n["is_head"] and n["status"] in ("idle", "running") for n in nodes)

    eventually(runs, 90)
    done = program.run("job", "submit", "-c", "free", "--", "echo", "it ran")
    assert "it ran" in done.stdout
