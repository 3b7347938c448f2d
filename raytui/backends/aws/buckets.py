"""Which of an account's limits an instance type counts against.

EC2 counts vCPUs, of many families together, on demand and on spot each for themselves.
"""

from __future__ import annotations

import re

_LETTERS = re.compile(r"[a-z]+")
STANDARD = "Standard"
_OTHERS = {
    "dl": "DL",
    "f": "F",
    "g": "G and VT",
    "gr": "G and VT",
    "hpc": "HPC",
    "inf": "Inf",
    "mac": "Mac",
    "p": "P",
    "trn": "Trn",
    "u": "High Memory",
    "vt": "G and VT",
    "x": "X",
}
"""By the letters that an instance type begins with, in Service Quotas' own words."""


def bucket_of(instance_type: str) -> str:
    """`Standard`, `P`, `G and VT`, …: types of one bucket share a limit."""
    letters = _LETTERS.match(instance_type)
    return _OTHERS.get(letters[0], STANDARD) if letters else ""
