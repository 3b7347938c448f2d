"""Tools that tests need: absent on a laptop they skip, under RAYTUI_TEST_STRICT=1 they fail."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

_HOW = {
    "ray": "Ray is not installed: pip install 'raytui[ray]'",
    "tmux": "tmux is not installed: apt-get install tmux",
    "prometheus": "Prometheus is not installed: apt-get install prometheus",
}


def missing(tool: str) -> None:
    """Skip or fail when the tool is not there."""
    there = importlib.util.find_spec("ray") if tool == "ray" else shutil.which(tool)
    if there:
        return
    if os.environ.get("RAYTUI_TEST_STRICT") == "1":
        pytest.fail(_HOW[tool])
    pytest.skip(_HOW[tool])
