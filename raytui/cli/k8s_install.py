"""`raytui k8s install` and `uninstall`: raytui as the autoscaler of a RayCluster of KubeRay's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from raytui.cli.kube_place import addressed, at_place

if TYPE_CHECKING:
    from raytui.backends.kubernetes.access import Access
    from raytui.backends.kubernetes.install import Step

_RESTARTS = (
    "to switch Ray's own autoscaler off makes KubeRay delete head and workers of {name} and what "
    "runs on them, since its spec.upgradeStrategy.type is Recreate"
)


@click.command()
@click.argument("name")
@click.option("--image", help="Of raytui.")
@click.option("--dry-run", is_flag=True, help="Print what would be made, and make nothing.")
@click.option("--restart", is_flag=True, help="Agree that all pods of the cluster are made anew.")
@at_place
def install(access: Access, name: str, image: str | None, dry_run: bool, restart: bool) -> None:
    """Have raytui scale RayCluster NAME, whose pods KubeRay makes.

    Makes a Deployment with raytui's daemon, and a service account that may read and scale this
    RayCluster and see its pods. Ray's own autoscaler is switched off, if it is on; where
    upgradeStrategy.type is Recreate KubeRay then makes all pods anew, which --restart agrees to.
    """
    from raytui.backends.kubernetes.install import apply, plan_of_installation
    from raytui.backends.kubernetes.session import KubeSession
    from raytui.cli.exit_codes import ExitCode
    from raytui.cli.failures import CommandFailed

    address, session = addressed(access, name), KubeSession(access)
    given = (access.namespace, name, *([image] if image else []))
    plan = plan_of_installation(session, *given)
    if dry_run:
        import yaml

        click.echo(yaml.safe_dump_all(plan.objects, sort_keys=False), nl=False)
        if plan.patch:
            click.echo("spec.enableInTreeAutoscaling would be set to false", err=True)
        if plan.restarts:
            click.echo(_RESTARTS.format(name=name), err=True)
        if plan.still_scaled:
            click.echo(plan.still_scaled, err=True)
        return
    if plan.restarts and not restart:
        raise CommandFailed(
            ExitCode.USAGE, f"{_RESTARTS.format(name=name)}; --restart agrees to that"
        )
    _tell(apply(session, plan))
    if plan.still_scaled:
        click.echo(f"raytui only watches for now: {plan.still_scaled}", err=True)
    else:
        click.echo(f"raytui scales it as soon as its pod runs: raytui {address}", err=True)


@click.command()
@click.argument("name")
@at_place
def uninstall(access: Access, name: str) -> None:
    """Take away what `raytui k8s install` has made; RayCluster NAME stays as it is.

    For Ray's own autoscaler to scale it again, set enableInTreeAutoscaling to true.
    """
    from raytui.backends.kubernetes.install import uninstall as take_away
    from raytui.backends.kubernetes.session import KubeSession

    addressed(access, name)
    _tell(take_away(KubeSession(access), access.namespace, name))


def _tell(steps: Iterable[Step]) -> None:
    for step in steps:
        click.echo(f"{step.what}: {step.outcome}", err=True)
