"""Jobs that bring files along: packed, named and uploaded by Ray's own client, by its rules."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from raytui.ray.authentication import headers_for
from raytui.ray.base import RayError
from raytui.ray.jobs import Reserve, asked_body

_OVERRIDE = "RAY_API_SERVER_ADDRESS"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def brings_files(runtime_env: Mapping[str, Any]) -> bool:
    """Whether it names files of this machine; others (`s3://…`) are the cluster's to fetch."""
    named = [runtime_env.get("working_dir"), *(runtime_env.get("py_modules") or ())]
    return any(isinstance(path, str) and "://" not in path for path in named)


def submit_with_files(
    dashboard_url: str,
    entrypoint: str,
    runtime_env: Mapping[str, Any],
    *,
    reserve: Reserve | None = None,
    submission_id: str = "",
    metadata: Mapping[str, str] | None = None,
) -> str:
    """As `jobs.submit`, with the files of `working_dir` and `py_modules` uploaded first.

    `excludes`, `.gitignore` and `.rayignore` count, and what the cluster has is not sent again.
    Raises RayError, also when Ray is not installed here.
    """
    working_dir = runtime_env.get("working_dir")
    if isinstance(working_dir, str) and "://" not in working_dir and not Path(working_dir).exists():
        raise RayError(f"the working directory {working_dir} does not exist")
    try:
        from ray.job_submission import JobSubmissionClient
    except ImportError:
        raise RayError("to upload files Ray is needed here: pip install 'raytui[ray]'") from None
    body = asked_body(entrypoint, runtime_env, reserve, submission_id, metadata)
    try:
        with _straight_to(dashboard_url):
            client = JobSubmissionClient(dashboard_url, headers=headers_for(dashboard_url))
            return str(client.submit_job(**body))
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        # Of a traceback on the other side the last line says what it was.
        words = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise RayError(f"the job was not submitted: {words}") from error


@contextlib.contextmanager
def _straight_to(dashboard_url: str) -> Iterator[None]:
    """Ray's client lets the environment choose another cluster, and a proxy on the way."""
    kept = dict(os.environ)
    for name in _PROXIES:
        os.environ.pop(name, None)
    os.environ[_OVERRIDE] = dashboard_url
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
