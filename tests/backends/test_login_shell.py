"""What an interactive shell says of having no terminal is no output, wherever it stands."""

from __future__ import annotations

import pytest

from raytui.backends.login_shell import noiseless, without_noise

GROUP = "bash: cannot set terminal process group (-1): Inappropriate ioctl for device"
JOBS = "bash: no job control in this shell"


@pytest.mark.parametrize(
    ("output", "rest"),
    [
        (f"{GROUP}\n{JOBS}\n42\n", "42\n"),
        (f"42{GROUP}\n{JOBS}\n", "42"),  # a last line without an end, and the noise came later
        (f"{GROUP}\r\n{JOBS}\r\n\n42", "\n42"),
        (
            "bash: no job control in this shell, he said\n",
            "bash: no job control in this shell, he said\n",
        ),
        ("", ""),
    ],
)
def test_noise_is_left_out(output: str, rest: str):
    assert without_noise(output) == rest


def test_lines_come_without_noise_as_they_come():
    heard: list[str] = []
    hear = noiseless(heard.append)
    assert hear is not None
    for line in (GROUP, JOBS, "", f"42{GROUP}"):
        hear(line)
    assert heard == ["", "42"]
    assert noiseless(None) is None
