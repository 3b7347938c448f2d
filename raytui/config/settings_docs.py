"""All settings as a TOML file that can be used as it is: each with its meaning and its default."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from raytui.config.settings import SCALARS, ClusterSettings, OwnCommand, Settings, Views

_WIDTH = 98


def settings_docs(keys: Mapping[str, tuple[str, str]]) -> str:
    """The file. `keys` is what can be given keys: id → (its keys, what it does)."""
    return "\n".join(_lines(keys)) + "\n"


def meaning(kind: type[Struct], name: str) -> str:
    """What a setting means, as it stands at its field."""
    hint = get_type_hints(kind, include_extras=True)[name]
    said = [
        part.description
        for part in (get_args(hint)[1:] if get_origin(hint) is Annotated else ())
        if isinstance(part, Meta) and part.description
    ]
    return said[-1] if said else ""


def toml_value(value: Any) -> str:
    """A setting as TOML writes it."""
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    # TOML's strings, numbers and truth values are those of JSON.
    return json.dumps(value, ensure_ascii=False)


def _lines(keys: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    yield "# raytui's settings. Each stands here with its default; what is left out keeps it."
    yield "# `raytui config --check` reads the file, `raytui config` prints what is in force."
    yield ""
    defaults = Settings()
    for name in SCALARS:
        yield from _field(Settings, name, getattr(defaults, name))
    yield "# How lists look when they are opened."
    yield "[views]"
    for name in Views.__struct_fields__:
        yield from _field(Views, name, getattr(Views(), name))
    yield "# What is different for one cluster, by its name."
    yield '# [clusters."NAME"]'
    own = ClusterSettings()
    for name in ClusterSettings.__struct_fields__:
        value = getattr(own, name)
        if value is None:
            value = getattr(defaults, name)
        yield from _field(ClusterSettings, name, value, commented=True)
    yield from _commands()
    yield "# Other keys, by id: in Textual's words, with commas between them; empty: none."
    yield "[keys]"
    for one, (default, words) in keys.items():
        yield f"# {one} = {toml_value(default)}  # {words}"


def _commands() -> Iterator[str]:
    yield "# Programs of one's own, by name: `:run NAME` runs one on the terminal, for the"
    yield "# node that is selected; `!` lists them."
    yield "# [commands.ping]"
    shown = OwnCommand(("ping", "-c", "3", "$NODE_IP"), "Is it there?", True)
    for name in OwnCommand.__struct_fields__:
        yield from _field(OwnCommand, name, getattr(shown, name), commented=True)


def _field(kind: type[Struct], name: str, value: Any, *, commented: bool = False) -> Iterator[str]:
    for line in textwrap.wrap(meaning(kind, name), _WIDTH):
        yield f"# {line}"
    yield f"{'# ' if commented else ''}{name} = {toml_value(value)}"
    yield ""
