"""`raytui pause`, `resume` and `request`: a word to the autoscaler."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from raytui.cli.cluster import cluster_option, give

if TYPE_CHECKING:
    from raytui.model.resources import Resources


@click.command()
@cluster_option
def pause(cluster: str | None) -> None:
    """Let the autoscaler watch and explain, but launch and remove nothing."""
    from raytui.model.command import Pause

    give(cluster, Pause())


@click.command()
@cluster_option
def resume(cluster: str | None) -> None:
    """Let the autoscaler act again."""
    from raytui.model.command import Resume

    give(cluster, Resume())


@click.command()
@click.argument("bundles", nargs=-1, metavar="[BUNDLE…]")
@click.option("--clear", is_flag=True, help="Take the request away.")
@cluster_option
def request(bundles: tuple[str, ...], clear: bool, cluster: str | None) -> None:
    """Make sure that the cluster can hold these bundles, whether or not anything asks for them.

    A BUNDLE is `CPU=4`, `CPU=2,GPU=1` or, for several of a kind, `8xCPU=1`. Memory is in bytes. A
    new request replaces the one before, as ray.autoscaler.sdk.request_resources does.
    """
    from raytui.model.command import RequestResources

    if bool(bundles) == clear:
        raise click.UsageError("name the bundles that are wanted, or --clear")
    give(cluster, RequestResources(tuple(_bundle(text) for text in bundles)))


_BUNDLE = re.compile(r"(?:(\d+)\s*[x×*]\s*)?(.+)")


def _bundle(text: str) -> tuple[Resources, int]:
    from raytui.model.resources import Resources

    found = _BUNDLE.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        pairs = [part.split("=") for part in found[2].split(",")]
        amounts = {name.strip(): float(amount) for name, amount in pairs}
        if not all(name and 0 < amount < 1e18 for name, amount in amounts.items()):
            raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no bundle; write CPU=4, CPU=2,GPU=1 or 8xCPU=1", param_hint="BUNDLE"
        ) from None
    return Resources.of(amounts), int(found[1] or 1)
