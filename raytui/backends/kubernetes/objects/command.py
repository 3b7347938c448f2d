"""What Ray's container runs: its own command first, then Ray, unless it starts Ray itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from raytui.backends.kubernetes.session import Json

SHELL = ["/bin/bash", "-c", "--"]
_OVERWRITE = "ray.io/overwrite-container-cmd"
_FILES = "ulimit -n ${RAY_START_ULIMIT_OPEN_FILES:-65536}"
_OTHER_SHELL = re.compile(r"(?:/\S*/)?(?:ba|da|z)?sh")


def is_overwritten(cluster: Json) -> bool:
    """Whether the containers' own commands start Ray, in a way that is not to be seen in them."""
    annotations = cluster["metadata"].get("annotations") or {}
    return str(annotations.get(_OVERWRITE, "")).lower() == "true"


def with_command(ray: Json, start: str) -> Json:
    """Ray's container with what it runs. Ray's command does not end: its own goes before."""
    own = _text([*(ray.get("command") or ()), *(ray.get("args") or ())])
    if "ray start" in own:
        return ray
    text = f"{_FILES}; {start}"
    return {**ray, "command": SHELL, "args": [f"{own} && {text}" if own else text]}


def _text(words: Sequence[str]) -> str:
    """A command as text for the shell: KubeRay reads its words as parts of one.

    What a person's own shell is to run stays one word.
    """
    if words and _OTHER_SHELL.fullmatch(words[0]):
        return shlex.join(words)
    return " ".join(words)
