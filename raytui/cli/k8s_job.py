"""`raytui k8s job`: jobs on a RayCluster that is named in kubectl's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from raytui.cli.kube_place import addressed, at_place

if TYPE_CHECKING:
    from raytui.backends.kubernetes.access import Access


@click.group()
def job() -> None:
    """Jobs of a RayCluster; `raytui job … -c k8s:NAMESPACE/NAME` has all of it."""


@job.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("entrypoint", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--working-dir", metavar="DIR|URI", help="Files that the job runs in.")
@click.option(
    "--runtime-env",
    "env_file",
    type=click.Path(exists=True, dir_okay=False),
    help="YAML file with a runtime_env.",
)
@click.option("--submission-id", default="", metavar="ID", help="Of the job.")
@click.option("--no-wait", is_flag=True, help="Print the job's id and leave.")
@at_place
def submit(access: Access, name: str, **words: Any) -> Any:
    """Run a command as a job: `raytui k8s job submit NAME -- python train.py`.

    Goes through a port that is forwarded to the head's pod for as long as it is followed.
    """
    from raytui.cli.job import submit as submit_job

    ctx = click.get_current_context()
    return ctx.invoke(submit_job, cluster=addressed(access, name), **words)
