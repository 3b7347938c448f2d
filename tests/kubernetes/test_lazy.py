"""Who has nothing to do with Kubernetes does not pay for its library."""

from __future__ import annotations

import subprocess
import sys

import pytest

_LOADED = """
import sys
import {module}
print(sorted(name for name in ("kubernetes", "urllib3", "requests") if name in sys.modules))
"""


@pytest.mark.parametrize("module", ["provider", "manifest", "access"])
def test_library_is_loaded_at_the_first_request_only(module: str) -> None:
    program = _LOADED.format(module=f"raytui.backends.kubernetes.{module}")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("[]\n", "")
