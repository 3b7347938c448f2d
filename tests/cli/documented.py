"""What the pages in docs/ say of the JSON objects that raytui prints: tables below headings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).parents[2] / "docs"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "number or null": (int, float, type(None)),
}


def documented(page: str, section: str) -> dict[str, str]:
    """Key → type, as the section of that heading says."""
    sections = re.split(r"^##+ ", (_DOCS / page).read_text(), flags=re.MULTILINE)
    text = next(part for part in sections if part.startswith(f"{section}\n"))
    return dict(re.findall(r"^\| `(\w+)` \| ([a-z ]+) \|", text, re.MULTILINE))


def check_types(entry: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    """Every documented key is there with a value of its type."""
    for key, type_name in keys.items():
        assert isinstance(entry[key], _TYPES[type_name]), key
        assert type_name == "boolean" or not isinstance(entry[key], bool), key
