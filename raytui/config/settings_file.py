"""Reading the settings file: what is wrong in it is told, and left at its default."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import Struct

from raytui.config import locations
from raytui.config.problems import ConfigErrors, KeyPath, Mark, Problem, Problems
from raytui.config.settings import (
    SCALARS,
    TABLES,
    ClusterSettings,
    OwnCommand,
    Settings,
    Views,
)
from raytui.config.source_file import read_file
from raytui.config.toml_marks import key_marks, mark_of_error

S = TypeVar("S", bound=Struct)

_COMMAND_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def settings_file() -> Path:
    """Where the settings are: `settings.toml` in raytui's configuration directory."""
    return locations.config_root() / "settings.toml"


def read_settings(path: Path | None = None) -> Settings:
    """The settings; what is wrong in the file is left at its default and told in `problems`."""
    path = settings_file() if path is None else path
    if not path.exists():
        return Settings()
    problems = Problems(str(path))
    text = _text(path, problems)
    if text is None:
        return Settings(problems=_found(problems), source=str(path))
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        words, mark = mark_of_error(error, text)
        problems.add((), f"is not TOML: {words}", at=mark)
        return Settings(problems=_found(problems), source=str(path))
    except RecursionError:
        problems.add((), "is nested too deep")
        return Settings(problems=_found(problems), source=str(path))
    marks = key_marks(text)
    problems.locate = lambda key: next(
        (marks[key[:n]] for n in range(len(key), 0, -1) if key[:n] in marks), Mark()
    )
    read = _settings(data, problems)
    return msgspec.structs.replace(read, problems=_found(problems), source=str(path), marks=marks)


def _text(path: Path, problems: Problems) -> str | None:
    data = read_file(str(path), problems)
    if data is None:
        return None
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problems.add((), "is not UTF-8", at=Mark(line, 1))
        return None


def _found(problems: Problems) -> tuple[Problem, ...]:
    try:
        problems.raise_if_any()
    except ConfigErrors as errors:
        return errors.problems
    return ()


def _settings(data: Mapping[str, Any], problems: Problems) -> Settings:
    for key in data:
        if key not in SCALARS and key not in TABLES:
            problems.unknown_key((key,), (*SCALARS, *TABLES))
    top = {key: data[key] for key in SCALARS if key in data}
    hints = _hints(Settings)
    given = {
        key: value
        for key, one in top.items()
        if (value := _value((key,), one, hints[key], problems)) is not None
    }
    return Settings(
        **given,
        views=_one(("views",), data.get("views", {}), Views, problems) or Views(),
        keys=_keys(data.get("keys", {}), problems),
        clusters=_named("clusters", data, ClusterSettings, problems),
        commands=_named("commands", data, OwnCommand, problems, _command_name_error),
    )


def _hints(kind: type[Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _value(path: KeyPath, value: Any, kind: Any, problems: Problems) -> Any:
    """The value, or None with a problem noted."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        problems.add(path, _in_words(error))
        return None


def _in_words(error: msgspec.ValidationError) -> str:
    words = str(error).partition(" - at `")[0].replace("`", "")
    return words[:1].lower() + words[1:]


def _one(path: KeyPath, data: Any, kind: type[S], problems: Problems) -> S | None:
    """A table of known keys; what is wrong in it is left out. None when it cannot be had."""
    if not isinstance(data, dict):
        problems.add(path, "must be a table")
        return None
    hints = _hints(kind)
    given = {}
    for key, one in data.items():
        if key not in hints:
            problems.unknown_key((*path, key), hints)
        elif (value := _value((*path, key), one, hints[key], problems)) is not None:
            given[key] = value
    missing = [key for key in kind.__struct_fields__[: _required(kind)] if key not in given]
    for key in missing:
        if key not in data:
            problems.add(path, f"needs {key}")
    return None if missing else kind(**given)


def _required(kind: type[Struct]) -> int:
    return len(kind.__struct_fields__) - len(kind.__struct_defaults__)


def _named(
    table: str,
    data: Mapping[str, Any],
    kind: type[S],
    problems: Problems,
    name_error: Callable[[str], str] = lambda name: "",
) -> dict[str, S]:
    """Tables by name, e.g. `[clusters.prod]`."""
    all_of_them = data.get(table, {})
    if not isinstance(all_of_them, dict):
        problems.add((table,), f'must be tables with names: [{table}."NAME"]')
        return {}
    found = {}
    for name, one in all_of_them.items():
        if wrong := name_error(name):
            problems.add((table, name), wrong)
        elif (read := _one((table, name), one, kind, problems)) is not None:
            found[name] = read
    return found


def _command_name_error(name: str) -> str:
    return "" if _COMMAND_NAME.fullmatch(name) else "a name is made of a-z, 0-9 and -"


def _keys(data: Any, problems: Problems) -> dict[str, str]:
    """Keys as text with commas between them; a list is taken as well."""
    if not isinstance(data, dict):
        problems.add(("keys",), 'must be a table: id = "keys"')
        return {}
    keys = {}
    for one, value in data.items():
        if isinstance(value, list) and all(isinstance(key, str) for key in value):
            keys[one] = ",".join(value)
        elif isinstance(value, str):
            keys[one] = value
        else:
            problems.add(("keys", one), 'must be text, e.g. "t" or "t,ctrl+t", or a list of it')
    return keys
