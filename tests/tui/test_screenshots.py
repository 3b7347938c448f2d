"""The pictures of the documentation: made anew they are the same, byte for byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "docs" / "make_screenshots.py"


@pytest.mark.slow
def test_a_picture_made_twice_is_the_same(tmp_path: Path):
    made = []
    for turn in ("first", "second"):
        argv = [sys.executable, str(PROGRAM), str(tmp_path / turn), "cluster", "autoscaler"]
        subprocess.run(argv, check=True, capture_output=True, timeout=120)
        files = sorted((tmp_path / turn).iterdir())
        assert [file.name for file in files] == ["autoscaler.svg", "cluster.svg"]
        made.append([file.read_bytes() for file in files])
    assert made[0] == made[1]
    assert all(b"simulated-20" in picture.replace(b"&#160;", b" ") for picture in made[0])
