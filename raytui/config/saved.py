"""Files that a person asks the screens to write: in the current folder, never over another."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

_TRIES = 100


def save_text(name: str, extension: str, text: str) -> Path:
    """Write `raytui-NAME-TIME.EXTENSION`, readable by its owner alone; raises OSError."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "log"
    moment = time.strftime("%Y%m%d-%H%M%S")
    for number in range(_TRIES):
        more = f"-{number}" if number else ""
        path = Path.cwd() / f"raytui-{safe}-{moment}{more}.{extension}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        return path
    raise FileExistsError(f"{path} is there already")
