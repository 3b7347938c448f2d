"""`raytui job`: Ray's jobs, from wherever one is, through the dashboard of the head."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raytui.cli.cluster import cluster_option
from raytui.cli.dashboard import dashboard_of
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed

if TYPE_CHECKING:
    from raytui.ray.jobs import Job

_STOP_WAIT_S = 60.0
_LOOK_EVERY_S = 0.5

_job_id = click.argument("job_id", metavar="JOB")


@click.group()
def job() -> None:
    """Submit jobs to a cluster, and see what becomes of them."""


class _JsonObject(click.ParamType[dict[str, Any]]):
    name = "JSON"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        try:
            found = json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f"no JSON: {error}", param, ctx)
        if not isinstance(found, dict):
            self.fail("a JSON object is wanted", param, ctx)
        return found


_JSON = _JsonObject()


@job.command(context_settings={"ignore_unknown_options": True})
@click.argument("entrypoint", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--working-dir", metavar="DIR|URI", help="Files that the job runs in.")
@click.option(
    "--runtime-env",
    "env_file",
    type=click.Path(exists=True, dir_okay=False),
    help="YAML file with a runtime_env.",
)
@click.option("--runtime-env-json", "env_json", type=_JSON, help="A runtime_env.")
@click.option("--submission-id", default="", metavar="ID", help="Of the job; a second is refused.")
@click.option("--metadata-json", type=_JSON, help="Kept with the job.")
@click.option("--entrypoint-num-cpus", type=float, help="CPUs for the entrypoint itself.")
@click.option("--entrypoint-num-gpus", type=float, help="GPUs for it.")
@click.option("--entrypoint-memory", type=int, help="Bytes of memory for it.")
@click.option("--entrypoint-resources", type=_JSON, help="Other resources for it.")
@click.option("--entrypoint-label-selector", type=_JSON, help="On which nodes it may run.")
@click.option("--no-wait", is_flag=True, help="Print the job's id and leave.")
@cluster_option
def submit(
    entrypoint: tuple[str, ...],
    working_dir: str | None,
    env_file: str | None,
    env_json: dict[str, Any] | None,
    submission_id: str,
    metadata_json: dict[str, Any] | None,
    entrypoint_num_cpus: float | None,
    entrypoint_num_gpus: float | None,
    entrypoint_memory: int | None,
    entrypoint_resources: dict[str, Any] | None,
    entrypoint_label_selector: dict[str, Any] | None,
    no_wait: bool,
    cluster: str | None,
) -> int:
    """Run a command on the head as a job: `raytui job submit -- python train.py --lr 0.1`.

    A local --working-dir is uploaded, by Ray's rules (.gitignore, excludes). Follows the output
    until the job has ended; Ctrl-C leaves it running. Several words are one program with its
    arguments, a single one is read by a shell. Exit code 0 when the job succeeded, else 1.
    """
    from raytui.config.launched import launched_clusters
    from raytui.ray import jobs
    from raytui.ray.job_upload import brings_files, submit_with_files

    if len(entrypoint) > 1 and entrypoint[0] in launched_clusters():
        raise click.UsageError(
            f"{entrypoint[0]} is a cluster, not a program; to run the job there: -c {entrypoint[0]}"
        )

    runtime_env = _runtime_env(env_file, env_json, working_dir)
    reserve = jobs.Reserve(
        entrypoint_num_cpus,
        entrypoint_num_gpus,
        entrypoint_memory,
        entrypoint_resources,
        entrypoint_label_selector,
    )
    text = entrypoint[0] if len(entrypoint) == 1 else shlex.join(entrypoint)
    send = submit_with_files if brings_files(runtime_env) else jobs.submit
    with dashboard_of(cluster) as url:
        job_id = send(
            url,
            text,
            runtime_env,
            reserve=reserve,
            submission_id=submission_id,
            metadata=metadata_json,
        )
        if no_wait:
            click.echo(job_id)
            return ExitCode.OK
        click.echo(f"submitted {job_id}", err=True)
        return _follow(url, job_id)


@job.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array, as docs/remote.md says.")
@cluster_option
def list_jobs(as_json: bool, cluster: str | None) -> None:
    """Print all jobs that Ray remembers, the newest first."""
    from raytui.cli.report_text import table
    from raytui.model.codec import encode
    from raytui.ray.jobs import jobs

    with dashboard_of(cluster) as url:
        found = jobs(url)
    if as_json:
        click.echo(encode(found).decode())
        return
    now = time.time()
    for line in table(("", "", "", "", ""), [_cells(one, now) for one in found]):
        click.echo(line.removeprefix("  "))
    if not found:
        click.echo("no jobs", err=True)


@job.command()
@_job_id
@cluster_option
def status(job_id: str, cluster: str | None) -> None:
    """Print a job's status, and what Ray says about it."""
    from raytui.ray import jobs

    with dashboard_of(cluster) as url:
        found = jobs.job(url, job_id)
    click.echo(found.status)
    if found.message:
        click.echo(found.message, err=True)


@job.command()
@_job_id
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@cluster_option
def logs(job_id: str, follow: bool, cluster: str | None) -> None:
    """Print what a job's driver has printed."""
    from raytui.ray import jobs

    with dashboard_of(cluster) as url:
        if follow:
            _print_output(url, job_id)
        else:
            click.echo(jobs.logs(url, job_id), nl=False)


@job.command()
@_job_id
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@cluster_option
def stop(job_id: str, no_wait: bool, cluster: str | None) -> None:
    """Stop a job."""
    from raytui.ray import jobs

    with dashboard_of(cluster) as url:
        if not jobs.stop(url, job_id):
            click.echo(f"{job_id} had ended: {jobs.status(url, job_id)}", err=True)
            return
        deadline = time.monotonic() + _STOP_WAIT_S
        while not no_wait and (now := jobs.status(url, job_id)) not in jobs.FINISHED:
            if time.monotonic() > deadline:
                raise CommandFailed(
                    ExitCode.TIMEOUT, f"{job_id} is still {now} after {_STOP_WAIT_S:g} s"
                )
            time.sleep(_LOOK_EVERY_S)
    click.echo(f"{job_id} is {'being stopped' if no_wait else now.lower()}", err=True)


def _runtime_env(
    file: str | None, given: dict[str, Any] | None, working_dir: str | None
) -> Mapping[str, Any]:
    if file is not None and given is not None:
        raise click.UsageError("either --runtime-env or --runtime-env-json, not both")
    found = _read(file) if file is not None else given or {}
    return {**found, "working_dir": working_dir} if working_dir else found


def _read(file: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(Path(file).read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{file} is no YAML: {error}") from None
    if not isinstance(found, dict):
        raise click.BadParameter(f"{file} has no runtime_env")
    return found


def _follow(url: str, job_id: str) -> int:
    """The job's output until its end; its verdict as an exit code."""
    from raytui.model.text import first_line

    try:
        done = _print_output(url, job_id)
    except KeyboardInterrupt:
        click.echo(f"{job_id} goes on; end it: raytui job stop {job_id}", err=True)
        raise
    if done.status == "SUCCEEDED":
        click.echo(f"{job_id} succeeded", err=True)
        return ExitCode.OK
    # Its last lines follow in Ray's message; they were printed above.
    why = first_line(done.message).partition(", last available logs")[0]
    raise CommandFailed(ExitCode.FAILED, f"{job_id} is {done.status}: {why}".rstrip(": "))


def _print_output(url: str, job_id: str) -> Job:
    from raytui.ray.job_output import follow
    from raytui.ray.jobs import job as look

    for text in follow(url, job_id):
        click.echo(text, nl=False)
    return look(url, job_id)


def _cells(one: Job, now: float) -> tuple[str, ...]:
    from raytui.model.text import duration_text, first_line

    took = duration_text((one.ended_at or now) - one.started_at) if one.started_at else ""
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.started_at))
    return (
        one.job_id,
        one.status,
        started if one.started_at else "",
        took,
        first_line(one.entrypoint),
    )
