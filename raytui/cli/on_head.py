"""A command of raytui, carried out by the raytui that drives a cluster elsewhere."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import click

from raytui.cli.cluster import Meant
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import unreachable
from raytui.launcher.place import Place, place_of

if TYPE_CHECKING:
    from raytui.model.spec import ClusterSpec

_OURS = frozenset(ExitCode)


def run_on_head(found: Meant, *arguments: str) -> int:
    """Run `raytui ARGUMENTS` on the head; its stdout, stderr and exit code are ours.

    Where the cluster is on Kubernetes, in the pod that drives it. Raises CommandFailed when it did
    not come to run.
    """
    from raytui.client.head_words import what_head_said

    argv = argv_there(found, *arguments)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode not in _OURS:
        words = " ".join(done.stderr.split())
        if place_of(found.spec) is Place.KUBERNETES:
            raise unreachable(words)
        raise unreachable(str(what_head_said(found.spec, found.paths, done.returncode, words)))
    click.echo(done.stderr, err=True, nl=False)
    return done.returncode


def name_there(spec: ClusterSpec) -> str:
    """What a cluster is called where it is driven."""
    if place_of(spec) is not Place.KUBERNETES:
        return spec.cluster_name
    return f"{spec.provider.options['namespace']}.{spec.cluster_name}"


def argv_there(found: Meant, *arguments: str) -> list[str]:
    """An argv here that runs `raytui ARGUMENTS` there; raises CommandFailed when nobody is."""
    from raytui.launcher.reach import stream_to_head

    if place_of(found.spec) is not Place.KUBERNETES:
        return stream_to_head(found.spec, found.paths, *arguments)
    from raytui.launcher.pod_reach import stream_to_driver

    return stream_to_driver(found.spec, "raytui", *arguments)
