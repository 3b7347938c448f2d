"""Themes from YAML or TOML: ours, and a person's own in the configuration directory."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from textual.color import Color, ColorParseError
from textual.theme import Theme

from raytui.config import locations

DEFAULT = "raytui-dark"
FEW_COLOURS = "raytui-16"
"""For terminals of sixteen colours: made of those alone, so that nothing is rounded to another."""
_LARGEST = 64 * 1024
_SUFFIXES = (".yaml", ".yml", ".toml")
_COLOURS = (
    "primary", "secondary", "warning", "error", "success", "accent", "foreground",
    "background", "surface", "panel", "boost",
)  # fmt: skip
_KNOWN = {field.name for field in fields(Theme)} - {"ansi"}


class ThemeError(Exception):
    """A theme file cannot be used; `str()` says why in one line."""


def load_themes() -> tuple[list[Theme], list[str]]:
    """All themes that can be read, and a line for each file that cannot. A person's own win."""
    folders = (locations.packaged("themes"), locations.config_root() / "themes")
    return read_themes(
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix in _SUFFIXES
    )


def read_themes(paths: Iterable[Path]) -> tuple[list[Theme], list[str]]:
    """Read the given files; a later theme of the same name replaces an earlier one."""
    themes: dict[str, Theme] = {}
    wrong: list[str] = []
    for path in paths:
        try:
            theme = read_theme(path)
            themes[theme.name] = theme
        except ThemeError as error:
            wrong.append(f"{path.name}: {error}")
    return list(themes.values()), wrong


def read_theme(path: Path) -> Theme:
    """One theme file; raises ThemeError."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ThemeError("too large for a theme")
        text = path.read_text(encoding="utf-8")
        data: Any = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ThemeError(f"cannot be read: {error}") from error
    except (yaml.YAMLError, tomllib.TOMLDecodeError, RecursionError) as error:
        form = "TOML" if path.suffix == ".toml" else "YAML"
        raise ThemeError(f"is not {form}: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ThemeError("must be a mapping with at least name and primary")
    return _theme(data)


def _theme(data: dict[Any, Any]) -> Theme:
    unknown = sorted(str(key) for key in data if key not in _KNOWN)
    if unknown:
        raise ThemeError(f"unknown key {', '.join(unknown)}")
    for key in ("name", "primary"):
        if not isinstance(data.get(key), str):
            raise ThemeError(f"needs a {key}")
    if not isinstance(data.get("dark", True), bool):
        raise ThemeError("dark must be true or false")
    variables = data.get("variables", {})
    if not isinstance(variables, dict):
        raise ThemeError("variables must be a mapping")
    colours = {key: data[key] for key in _COLOURS if data.get(key) is not None} | variables
    for key, value in colours.items():
        if not isinstance(value, str):
            raise ThemeError(f"{key} must be a colour in quotes")
        try:
            Color.parse(value)
        except ColorParseError as error:
            raise ThemeError(f"{key}: {value!r} is no colour") from error
    return Theme(**{str(key): value for key, value in data.items()})
