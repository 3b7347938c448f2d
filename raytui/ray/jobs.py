"""Ray jobs through the dashboard's REST API (`/api/jobs/`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from raytui.ray.base import RayError
from raytui.ray.dashboard import call

FINISHED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
"""Statuses that a job does not leave. The others are PENDING and RUNNING."""

_SUBMIT_S = 30.0
_STOP_S = 10.0


class Job(Struct, frozen=True, omit_defaults=True):
    """A submitted job, or a driver that connected by itself."""

    job_id: str
    """The submission id, which every call here takes; for a driver Ray's short job id."""
    status: str
    entrypoint: str = ""
    message: str = ""
    """Ray's words about the status."""
    submitted: bool = True
    """False for a driver that was not started by the job API: it can only be watched."""
    started_at: float = 0.0
    """Unix seconds; 0 when unknown."""
    ended_at: float = 0.0
    node_id: str = ""
    """Hex id of the node that the driver runs on; empty when unknown."""
    metadata: dict[str, str] = {}


def submit(
    dashboard_url: str,
    entrypoint: str,
    runtime_env: Mapping[str, Any] | None = None,
    *,
    entrypoint_num_cpus: float | None = None,
    submission_id: str = "",
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Submit a shell command as a job and return its id.

    With a `submission_id` the call may be repeated: Ray refuses a second job of that id.
    """
    body: dict[str, Any] = {"entrypoint": entrypoint}
    if runtime_env:
        body["runtime_env"] = dict(runtime_env)
    if entrypoint_num_cpus is not None:
        body["entrypoint_num_cpus"] = entrypoint_num_cpus
    if submission_id:
        body["submission_id"] = submission_id
    if metadata:
        body["metadata"] = dict(metadata)
    answer = call(dashboard_url, "/api/jobs/", method="POST", body=body, timeout_s=_SUBMIT_S)
    return _text(answer, "submission_id")


def jobs(dashboard_url: str) -> list[Job]:
    """All jobs that Ray remembers, the newest first."""
    answer = call(dashboard_url, "/api/jobs/")
    if not isinstance(answer, list):
        raise RayError("the dashboard's list of jobs is not a list")
    found = [_job(entry) for entry in answer]
    return sorted(found, key=lambda job: job.started_at, reverse=True)


def job(dashboard_url: str, job_id: str) -> Job:
    """One job."""
    return _job(call(dashboard_url, f"/api/jobs/{quote(job_id, safe='')}"))


def status(dashboard_url: str, job_id: str) -> str:
    """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
    return job(dashboard_url, job_id).status


def logs(dashboard_url: str, job_id: str) -> str:
    """All that the job's driver has printed so far."""
    return _text(call(dashboard_url, f"/api/jobs/{quote(job_id, safe='')}/logs"), "logs")


def stop(dashboard_url: str, job_id: str) -> bool:
    """Stop a job; False when it had already ended."""
    path = f"/api/jobs/{quote(job_id, safe='')}/stop"
    answer = call(dashboard_url, path, method="POST", timeout_s=_STOP_S)
    return bool(isinstance(answer, dict) and answer.get("stopped"))


def _job(entry: Any) -> Job:
    submission = entry.get("submission_id")
    return Job(
        job_id=submission or entry.get("job_id") or "",
        status=str(entry.get("status", "")),
        entrypoint=entry.get("entrypoint") or "",
        message=entry.get("message") or "",
        submitted=bool(submission),
        started_at=(entry.get("start_time") or 0) / 1000,
        ended_at=(entry.get("end_time") or 0) / 1000,
        node_id=entry.get("driver_node_id") or "",
        metadata=entry.get("metadata") or {},
    )


def _text(answer: Any, key: str) -> str:
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, str):
        raise RayError(f"the dashboard's answer has no {key}")
    return value
