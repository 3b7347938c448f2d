"""A command of raytui, carried out by the raytui on a cluster's head."""

from __future__ import annotations

import subprocess

import click

from raytui.cli.cluster import Meant
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import unreachable

_OURS = frozenset(ExitCode)


def run_on_head(found: Meant, *arguments: str) -> int:
    """Run `raytui ARGUMENTS` on the head; its stdout, stderr and exit code are ours.

    Raises CommandFailed when it did not come to run.
    """
    from raytui.client.head_words import what_head_said
    from raytui.launcher.reach import stream_to_head

    argv = stream_to_head(found.spec, found.paths, *arguments)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode not in _OURS:
        words = " ".join(done.stderr.split())
        raise unreachable(str(what_head_said(found.spec, found.paths, done.returncode, words)))
    click.echo(done.stderr, err=True, nl=False)
    return done.returncode
