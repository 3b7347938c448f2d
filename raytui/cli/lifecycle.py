"""`raytui up`, `raytui down` and `raytui trust`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raytui.cli.cluster import cluster_argument, target_of

if TYPE_CHECKING:
    from raytui.cli.steps import Steps
    from raytui.launcher.options import Question
    from raytui.model.spec import ClusterSpec

_json = click.option("--json", "as_json", is_flag=True, help="Each step as one JSON object.")
_yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


@click.command()
@cluster_argument
@_yes
@click.option("-n", "--cluster-name", help="Instead of the file's cluster_name.")
@click.option("--no-restart", is_flag=True, help="Leave Ray as it is on nodes that run.")
@click.option("--restart-only", is_flag=True, help="Run no set-up commands on nodes that run.")
@click.option("--min-workers", type=click.IntRange(0), help="Instead of the file's.")
@click.option("--max-workers", type=click.IntRange(0), help="Instead of the file's.")
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and do nothing.")
@click.option("--ray-autoscaler", is_flag=True, help="Ray's own autoscaler scales; ours watches.")
@_json
@click.option("--no-config-cache", is_flag=True, hidden=True, help="As for ray up: none is kept.")
@click.option(
    "--redirect-command-output",
    is_flag=True,
    hidden=True,
    help="As for ray up: all output is kept in files.",
)
@click.option(
    "--use-login-shells/--use-normal-shells",
    default=True,
    hidden=True,
    help="As for ray up: commands run in login shells.",
)
def up(
    cluster: str | None,
    yes: bool,
    cluster_name: str | None,
    no_restart: bool,
    restart_only: bool,
    min_workers: int | None,
    max_workers: int | None,
    dry_run: bool,
    ray_autoscaler: bool,
    as_json: bool,
    **_as_ray: bool,
) -> None:
    """Start CLUSTER: its head, its autoscaler, and the workers it has at least.

    What already runs is kept, what is missing is started, so it may be repeated: after a failure
    or a Ctrl-C it goes on where it ended. It runs on when this terminal is closed; `raytui down`
    ends it. A head that is reached by SSH has its Ray started again, unless --no-restart is given;
    on a terminal that is asked first.
    """
    from raytui.cli.steps import printer
    from raytui.config import names
    from raytui.launcher import up as bring_up
    from raytui.launcher.options import UpOptions, agree
    from raytui.provisioning.deciding import Restarts

    if no_restart and restart_only:
        raise click.UsageError("--no-restart and --restart-only exclude each other")
    if cluster_name is not None and not names.CLUSTER_NAME.fullmatch(cluster_name):
        raise click.UsageError(f"--cluster-name {cluster_name!r} {names.CLUSTER_NAME_WORDS}")
    given = {"cluster_name": cluster_name, "min_workers": min_workers, "max_workers": max_workers}
    spec = _spec(target_of(cluster), {k: v for k, v in given.items() if v is not None})
    restarts = Restarts(no_restart, restart_only)
    if dry_run:
        from raytui.launcher.dry_run import what_up_would_do

        for line in what_up_would_do(spec, UpOptions(restarts, ray_autoscaler)):
            click.echo(line)
        return
    with printer(as_json) as on_step:
        asked = _asked(on_step) if not yes and sys.stdin.isatty() else None
        options = UpOptions(
            restarts,
            ray_autoscaler,
            ask=asked or agree,
            relaunch=agree if yes else asked,
            trust=asked,
        )
        bring_up(spec, on_step, options)
    click.echo(f"{spec.cluster_name} is up. Open it: raytui {_called(spec)}", err=True)


@click.command()
@cluster_argument
@_yes
@click.option("--workers-only", is_flag=True, help="Keep the head and the autoscaler.")
@click.option("--keep-min-workers", is_flag=True, help="Keep as many workers as the file says.")
@click.option("--forget", is_flag=True, help="Its head is gone for good: only forget it here.")
@click.option(
    "--shared-parts",
    is_flag=True,
    help="In a cloud: also terminate machines that are only stopped, and remove what up has made "
    "beside machines and nothing else uses.",
)
@click.option("--keep-head", is_flag=True, hidden=True)
@_json
def down(
    cluster: str | None,
    yes: bool,
    workers_only: bool,
    keep_min_workers: bool,
    forget: bool,
    shared_parts: bool,
    keep_head: bool,
    as_json: bool,
) -> None:
    """Terminate every node of CLUSTER and its autoscaler; no process is left behind.

    Asks first on a terminal. Works too when the daemon or the head is dead, or the file is gone.
    """
    from raytui.cli.steps import printer
    from raytui.config.launched import recall
    from raytui.config.locations import ClusterPaths
    from raytui.launcher import down as take_down
    from raytui.launcher.options import DownOptions
    from raytui.provisioning.target import cluster_of, name_of

    target = target_of(cluster)
    if target.startswith("~"):
        target = str(Path(target).expanduser())
    name = name_of(target)
    # As it was launched, not as its file reads by now: that is what there is to take down.
    spec = recall(ClusterPaths(name)) or cluster_of(target)
    if shared_parts and (workers_only or keep_min_workers):
        raise click.UsageError("--shared-parts is for a cluster of which no machine stays")
    if forget:
        _forget(spec)
        return
    if not yes and sys.stdin.isatty():
        what = "all workers" if workers_only else "all nodes"
        but = " but those it has at least" if keep_min_workers else ""
        more = " with its stopped machines, and remove what up has made beside them"
        too = more if shared_parts else ""
        click.confirm(f"Terminate {what} of {name}{but}{too}?", abort=True, err=True)
    options = DownOptions(workers_only, keep_min_workers, keep_head, shared_parts)
    with printer(as_json) as on_step:
        take_down(spec, on_step, options)
    click.echo(f"{name}: workers are down" if workers_only else f"{name} is down", err=True)


@click.command()
@cluster_argument
@_yes
def trust(cluster: str | None, yes: bool) -> None:
    """Show the host keys of CLUSTER's workers that are unknown yet, and pin them when you agree.

    They are read through the head. Compare the fingerprints with what the hosts themselves say:
    `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`.
    """
    from raytui.cli.exit_codes import ExitCode
    from raytui.cli.failures import CommandFailed
    from raytui.cli.steps import printer
    from raytui.config.locations import ClusterPaths
    from raytui.launcher.place import Place, place_of
    from raytui.launcher.worker_keys import trust_workers
    from raytui.provisioning.target import cluster_of

    spec = cluster_of(target_of(cluster))
    if place_of(spec) is not Place.HEAD:
        raise click.UsageError(f"{spec.cluster_name} is not reached by SSH: it has no host keys")
    asks = not yes and sys.stdin.isatty()
    if not yes and not asks:
        raise CommandFailed(ExitCode.USAGE, "nobody is here to be asked; -y trusts what is found")
    with printer() as on_step:
        trust_workers(
            spec,
            ClusterPaths(spec.state_name),
            on_step,
            _asked(on_step) if asks else _told(on_step),
        )


def _called(spec: ClusterSpec) -> str:
    """What opens a cluster that was launched."""
    from raytui.launcher.place import Place, place_of

    if place_of(spec) is not Place.KUBERNETES:
        return spec.cluster_name
    from raytui.backends.kubernetes.named import address_of

    return str(address_of(spec))


def _forget(spec: ClusterSpec) -> None:
    from raytui.config.launched import forget
    from raytui.config.locations import ClusterPaths
    from raytui.launcher.head_place import forget_head
    from raytui.launcher.place import Place, place_of

    if place_of(spec) is not Place.HEAD:
        raise click.UsageError("--forget is for clusters on machines that are reached by SSH")
    paths = ClusterPaths(spec.state_name)
    forget(paths)
    forget_head(paths)
    click.echo(f"{spec.cluster_name} is forgotten here; nothing was taken down", err=True)
    if spec.provider.type == "aws":
        region = spec.provider.options.get("region")
        where = f" --region {shlex.quote(str(region))}" if region else ""
        click.echo(f"What it leaves in your account: raytui orphans{where}", err=True)


def _spec(target: str, instead: dict[str, Any]) -> ClusterSpec:
    from raytui.config.cluster import load_cluster
    from raytui.provisioning.target import cluster_of

    spec = cluster_of(target)
    if not instead:
        return spec
    if "min_workers" in instead and spec.provider.type != "local":
        raise click.UsageError(
            "--min-workers is for provider local, whose machines are of one type; "
            "for others: raytui scale"
        )
    return load_cluster(spec.source, instead)


def _asked(on_step: Steps) -> Question:
    """Asks on the terminal; no (Enter, too) ends the command."""

    def ask(text: str) -> bool:
        with on_step.aside():
            return click.confirm(f"{text} Go on?", abort=True, err=True)

    return ask


def _told(on_step: Steps) -> Question:
    """Tells what is agreed to."""

    def tell(text: str) -> bool:
        with on_step.aside():
            click.echo(text, err=True)
        return True

    return tell
