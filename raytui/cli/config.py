"""`raytui config`: the settings in force, all that can be set, and what is wrong with the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from raytui.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from msgspec import Struct

    from raytui.config.problems import Problem
    from raytui.config.settings import Settings


@click.command()
@click.option("--docs", is_flag=True, help="All settings, as a documented file with the defaults.")
@click.option("--check", is_flag=True, help="Only say what is wrong with the file; exit code 2.")
def config(docs: bool, check: bool) -> int:
    """Print the settings in force, as TOML, and where their file is.

    raytui config --docs > FILE makes a file that can be used as it is.
    """
    from raytui.config.settings_docs import settings_docs
    from raytui.config.settings_file import read_settings, settings_file
    from raytui.screens.keymap import KEYED, checked_keys

    if docs:
        click.echo(settings_docs(KEYED), nl=False)
        return ExitCode.OK
    settings = read_settings()
    keys, bad_keys = checked_keys(settings)
    problems = (*settings.problems, *bad_keys)
    if not check:
        there = "" if settings.source else "  (not there: all is at its default)"
        click.echo(f"# {settings_file()}{there}")
        for line in _in_force(settings, keys):
            click.echo(line)
    for problem in problems:
        click.echo(_with_column(problem), err=True)
    if check and not problems:
        there = "in order" if settings.source else "not there, which is in order"
        click.echo(f"{settings_file()}: {there}")
    return ExitCode.USAGE if problems else ExitCode.OK


def _with_column(problem: Problem) -> str:
    """As everywhere, with the column that editors jump to."""
    place = f":{problem.line}:"
    return (
        str(problem).replace(place, f"{place}{problem.column}:", 1)
        if problem.line
        else f"{problem}"
    )


def _in_force(settings: Settings, keys: dict[str, str]) -> Iterator[str]:
    from raytui.config.settings import SCALARS
    from raytui.config.settings_docs import toml_value

    for name in SCALARS:
        yield f"{name} = {toml_value(getattr(settings, name))}"
    yield from _table("views", settings.views)
    for cluster, own in settings.clusters.items():
        yield from _table(f"clusters.{toml_value(cluster)}", own)
    for name, command in settings.commands.items():
        yield from _table(f"commands.{name}", command)
    if keys:
        yield "\n[keys]"
        yield from (f"{one} = {toml_value(value)}" for one, value in keys.items())


def _table(title: str, values: Struct) -> Iterator[str]:
    from raytui.config.settings_docs import toml_value

    yield f"\n[{title}]"
    for name in values.__struct_fields__:
        if (value := getattr(values, name)) is not None:
            yield f"{name} = {toml_value(value)}"
