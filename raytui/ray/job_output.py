"""All that a job prints, once, whatever becomes of the connections meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator

from raytui.ray.base import RayError
from raytui.ray.job_tail import tail
from raytui.ray.jobs import FINISHED, job

_AWAY_S = 60.0
"""How long the dashboard may be away before this is given up."""
_PAUSE_S = 1.0


def follow(dashboard_url: str, job_id: str) -> Iterator[str]:
    """What the job's driver has printed and prints, until the job has ended.

    A connection that ends before the job is made again, and what came already is left out. Raises
    RayError when the dashboard refuses, or is away for a minute.
    """
    job(dashboard_url, job_id)  # Whether there is such a job is not a matter of patience.
    seen = 0
    answered_at = time.monotonic()
    while True:
        try:
            skip = seen
            for text in tail(dashboard_url, job_id):
                new = text[skip:]
                skip -= min(skip, len(text))
                seen += len(new)
                if new:
                    yield new
            answered_at = time.monotonic()
            if job(dashboard_url, job_id).status in FINISHED:
                return
        except RayError:
            if time.monotonic() - answered_at > _AWAY_S:
                raise
        time.sleep(_PAUSE_S)
