"""Work for the demo: the sample job, handed to Ray's dashboard."""

from __future__ import annotations

import secrets
import shlex
import sys
import time

from raytui.backends.abilities import HeadProvider
from raytui.config.locations import ClusterPaths
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, StepSink
from raytui.provisioning.progress import Progress, step
from raytui.provisioning.registry import provider_for
from raytui.ray.base import RayError
from raytui.ray.jobs import jobs, submit

_DASHBOARD_WAIT_S = 90.0


def start_work(spec: ClusterSpec, paths: ClusterPaths, sink: StepSink) -> str:
    """Submit the sample job; returns its id. Raises LaunchError."""
    job = f"raytui-demo-{secrets.token_hex(3)}"
    with step(sink, "submit the sample job") as progress:
        _submit(provider_for(spec, paths), job, progress)
        progress.say(job)
    return job


def _submit(provider: HeadProvider, job: str, progress: Progress) -> None:
    """Ray's dashboard takes a few seconds more than its head, so ask until it accepts."""
    entrypoint = f"{shlex.quote(sys.executable)} -m raytui.ray.demo_job"
    end = time.monotonic() + _DASHBOARD_WAIT_S
    while True:
        url = provider.dashboard_url()
        try:
            # An answer that was lost on the way must not lead to a second job.
            if all(known.job_id != job for known in jobs(url)):
                submit(url, entrypoint, submission_id=job)
            return
        except RayError as error:
            if time.monotonic() > end:
                words = f"the sample job could not be submitted: {error}"
                raise LaunchError(words) from error
            progress.say("waiting for Ray's dashboard")
            time.sleep(0.3)
