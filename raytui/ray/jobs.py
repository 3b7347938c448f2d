"""Ray jobs through the dashboard's REST API (`/api/jobs/`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import asdict

from raytui.model.work import FINISHED, Job
from raytui.ray.base import RayError
from raytui.ray.dashboard import call

_SUBMIT_S = 30.0
_STOP_S = 10.0


class Reserve(Struct, frozen=True, omit_defaults=True):
    """What a job's driver reserves for itself, apart from its tasks and actors."""

    num_cpus: float | None = None
    num_gpus: float | None = None
    memory: int | None = None
    """Bytes."""
    resources: dict[str, float] | None = None
    label_selector: dict[str, str] | None = None


def submit(
    dashboard_url: str,
    entrypoint: str,
    runtime_env: Mapping[str, Any] | None = None,
    *,
    reserve: Reserve | None = None,
    submission_id: str = "",
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Submit a shell command as a job and return its id.

    With a `submission_id` the call may be repeated: Ray refuses a second job of that id.
    """
    body = asked_body(entrypoint, runtime_env, reserve, submission_id, metadata)
    answer = call(dashboard_url, "/api/jobs/", method="POST", body=body, timeout_s=_SUBMIT_S)
    return _text(answer, "submission_id")


def asked_body(
    entrypoint: str,
    runtime_env: Mapping[str, Any] | None,
    reserve: Reserve | None,
    submission_id: str,
    metadata: Mapping[str, str] | None,
) -> dict[str, Any]:
    """What Ray is told about a job, in the words of its API; only what was said."""
    said = {
        "runtime_env": dict(runtime_env or {}),
        "submission_id": submission_id,
        "metadata": dict(metadata or {}),
        **{f"entrypoint_{name}": value for name, value in asdict(reserve or Reserve()).items()},
    }
    return {"entrypoint": entrypoint, **{k: v for k, v in said.items() if v or v == 0}}


def jobs(dashboard_url: str) -> list[Job]:
    """All jobs that Ray remembers, the newest first."""
    found = [job_of(entry) for entry in entries(dashboard_url)]
    return sorted(found, key=lambda job: job.started_at, reverse=True)


def entries(dashboard_url: str) -> list[Any]:
    """What Ray remembers of each job, in its own words; for `job_of`."""
    answer = call(dashboard_url, "/api/jobs/")
    if not isinstance(answer, list):
        raise RayError("the dashboard's list of jobs is not a list")
    return answer


def job(dashboard_url: str, job_id: str) -> Job:
    """One job."""
    return job_of(call(dashboard_url, f"/api/jobs/{quote(job_id, safe='')}"))


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


def job_of(entry: Any) -> Job:
    """A job as Ray tells it; one that is told otherwise raises as `state_rows.ODD`."""
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
        metadata=dict(entry.get("metadata") or {}),
        ray_job_id=entry.get("job_id") or "",
    )


def _text(answer: Any, key: str) -> str:
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, str):
        raise RayError(f"the dashboard's answer has no {key}")
    return value


__all__ = ["FINISHED", "Job", "Reserve", "job", "jobs", "logs", "status", "stop", "submit"]
