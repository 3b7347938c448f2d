"""The oldest Ray that serves what a daemon asks of a GCS, in an environment of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raytui.ray.gcs import OLDEST_RAY

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
OUR_NEEDS = ("click", "msgspec", "platformdirs", "psutil", "pyyaml", "rich")


@pytest.fixture(scope="module")
def interpreter() -> Path:
    """Made once and kept, as the project's own environment is."""
    home = ROOT / f".venv-ray-{OLDEST_RAY}"
    python = home / "bin" / "python"
    done = home / ".installed"
    if done.exists():
        return python
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(home)],
        [*install, f"ray[default]=={OLDEST_RAY}.0", *OUR_NEEDS],
    )
    for step in steps:
        answer = subprocess.run(step, capture_output=True, text=True)
        if answer.returncode and os.environ.get("RAYTUI_TEST_STRICT") != "1":
            pytest.skip(f"Ray {OLDEST_RAY} cannot be installed here: {answer.stderr[-300:]}")
        assert not answer.returncode, answer.stderr
    done.touch()
    return python


@pytest.mark.timeout(300)
def test_it_serves_all_that_raytui_asks(interpreter: Path, tmp_path: Path) -> None:
    answer = subprocess.run(
        [str(interpreter), "-m", "tests.ray.oldest"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert f"Ray {OLDEST_RAY}.0 serves all that raytui asks" in answer.stdout, answer.stderr[-3000:]
