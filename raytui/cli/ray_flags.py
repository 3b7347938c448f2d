"""Flags of Ray's commands that have nothing to do here; taken, so that what people type works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def rays_flags(command: F) -> F:
    """Take Ray's flags about its config cache, usage statistics and log style, and do nothing."""
    for words in (("--no-config-cache",), ("--disable-usage-stats",), ("-v", "--verbose")):
        command = click.option(*words, is_flag=True, hidden=True, expose_value=False)(command)
    for name in ("--log-style", "--log-color"):
        command = click.option(name, hidden=True, expose_value=False)(command)
    return command
