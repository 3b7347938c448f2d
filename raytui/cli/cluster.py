"""Which cluster a command is about, and a word with its daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed, unreachable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from raytui.client.daemon import DaemonClient
    from raytui.config.locations import ClusterPaths
    from raytui.model.command import Command
    from raytui.model.snapshot import Snapshot
    from raytui.model.spec import ClusterSpec

_SNAPSHOT_WAIT_S = 10.0
_CONNECT_WAIT_S = 60.0
"""Connecting to a machine elsewhere has limits of its own, which say more."""

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def complete_cluster(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """For a shell: launched clusters that begin so, and files."""
    from click.shell_completion import CompletionItem

    from raytui.config.launched import launched_clusters

    names = [name for name in launched_clusters() if name.startswith(begun)]
    # First, since bash forgets what was offered before it.
    return [CompletionItem(begun, type="file"), *map(CompletionItem, names)]


cluster_argument: Callable[[F], F] = click.argument(
    "cluster", required=False, metavar="[CLUSTER]", shell_complete=complete_cluster
)
"""For commands whose only object is the cluster."""

cluster_option: Callable[[F], F] = click.option(
    "-c",
    "--cluster",
    metavar="CLUSTER",
    help="Cluster file, or name of a launched cluster.",
    shell_complete=complete_cluster,
)
"""For commands that have other arguments."""


def target_of(cluster: str | None) -> str:
    """What the user named, or the default."""
    from raytui.provisioning.target import default_target

    return cluster or default_target()


class Meant(NamedTuple):
    """The cluster that a person means."""

    spec: ClusterSpec
    paths: ClusterPaths
    launched: bool
    """It was launched from here and not taken down since; `spec` is as it was launched."""


def meant(cluster: str | None) -> Meant:
    """The cluster as it was launched, or as its file says; raises as `cluster_of`."""
    from raytui.config.launched import recall
    from raytui.config.locations import ClusterPaths
    from raytui.provisioning.target import cluster_of, name_of

    target = target_of(cluster)
    paths = ClusterPaths(name_of(target))
    launched = recall(paths)
    return Meant(launched or cluster_of(target), paths, launched is not None)


def meant_elsewhere(cluster: str | None) -> Meant | None:
    """The cluster that a person means, if its daemon is on another machine.

    None also for a name of which only a log or a ledger is left here, and for a cluster on
    Kubernetes in whose daemon's pod we are.
    """
    from raytui.launcher.place import Place, place_of
    from raytui.provisioning.target import UnknownClusterError

    try:
        found = meant(cluster)
    except UnknownClusterError:
        return None
    match place_of(found.spec):
        case Place.HEAD:
            return found
        case Place.KUBERNETES:
            return None if found.paths.socket.exists() else found
        case Place.HERE:
            return None


def reachable(cluster: str | None) -> Meant:
    """The cluster that a person means, if there may be a daemon; raises CommandFailed if not.

    One elsewhere that was launched by somebody else is found by its file.
    """
    from raytui.launcher.place import Place, place_of

    found = meant(cluster)
    if not found.launched and place_of(found.spec) is Place.HERE:
        name = found.spec.cluster_name
        raise unreachable(f"{name} is not running; start it: raytui up {cluster or ''}".rstrip())
    return found


def client_of(cluster: str | None, *, read_only: bool = False) -> DaemonClient:
    """A client of the cluster's daemon; nothing is connected yet."""
    from raytui.client.reached import client_for

    spec, paths, _ = reachable(cluster)
    return client_for(spec, paths, read_only=read_only)


def converse(cluster: str | None, talk: Callable[[DaemonClient], Awaitable[T]]) -> T:
    """Run a conversation with the cluster's daemon from its beginning to its end."""
    client = client_of(cluster)

    async def whole() -> T:
        try:
            return await talk(client)
        finally:
            await client.close()

    return asyncio.run(whole())


async def first_snapshot(client: DaemonClient) -> Snapshot:
    """What the cluster looks like now; raises ClientError when its daemon does not tell."""
    from raytui.client.base import ClientError, Link, LinkState

    try:
        async with asyncio.timeout(_CONNECT_WAIT_S) as patience:
            async for news in client.updates():
                if not isinstance(news, LinkState):
                    return news
                if news.link in (Link.LOST, Link.CLOSED):
                    raise ClientError(f"no connection to {client.name}: {news.error}")
                if news.link is Link.LIVE:
                    now = asyncio.get_running_loop().time()
                    patience.reschedule(now + _SNAPSHOT_WAIT_S)
        raise ClientError(f"the daemon of {client.name} hung up")
    except TimeoutError:
        raise ClientError(f"the daemon of {client.name} is silent") from None


def give(cluster: str | None, command: Command) -> None:
    """Give a command and tell its answer; a refusal is a failure."""
    ack = converse(cluster, lambda client: client.send(command))
    if not ack.ok:
        raise CommandFailed(ExitCode.FAILED, ack.text)
    click.echo(ack.text, err=True)
