"""Ports of this machine that lead to a head, as long as a command runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed

if TYPE_CHECKING:
    from raytui.cli.machine import AnyReach

F = TypeVar("F", bound=Callable[..., Any])

forward_option: Callable[[F], F] = click.option(
    "-p",
    "--port-forward",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    help="Meanwhile this port of 127.0.0.1 is the one of that host. May be repeated.",
)
"""Ray's option, for commands that run something over there."""


@contextlib.contextmanager
def forwarding(reach: AnyReach, ports: Sequence[int]) -> Iterator[None]:
    """Each port here leads to the same port there; raises CommandFailed when one is taken here."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            try:
                stack.enter_context(reach.forward(port, port))
            except OSError as error:
                raise CommandFailed(
                    ExitCode.FAILED, f"port {port} cannot be had on this machine: {error.strerror}"
                ) from None
        yield
