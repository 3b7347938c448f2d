"""Jobs on a real cluster, through the dashboard."""

import sys
from pathlib import Path

import pytest

from raytui.ray import jobs
from raytui.ray.base import RayError
from tests.support.local_cluster import LocalCluster
from tests.support.waiting import eventually

pytestmark = pytest.mark.ray


def test_a_job_runs_and_its_output_is_read(cluster: LocalCluster) -> None:
    url = cluster.ray.dashboard_url()
    # `python` in an entrypoint is the interpreter that the cluster runs with.
    entrypoint = "python -c 'import ray, sys; print(sys.executable)'"
    job_id = jobs.submit(url, entrypoint, metadata={"story": "demo"})
    eventually(lambda: jobs.status(url, job_id) in jobs.FINISHED)
    done = jobs.job(url, job_id)
    assert (done.status, done.entrypoint, done.submitted) == ("SUCCEEDED", entrypoint, True)
    assert done.metadata["story"] == "demo"
    assert 0 < done.started_at <= done.ended_at
    assert str(Path(sys.executable).parent) in jobs.logs(url, job_id)
    assert job_id in {job.job_id for job in jobs.jobs(url)}


def test_a_job_is_stopped(cluster: LocalCluster) -> None:
    url = cluster.ray.dashboard_url()
    job_id = jobs.submit(url, "sleep 600", submission_id="long-one", runtime_env={})
    assert job_id == "long-one"
    eventually(lambda: jobs.status(url, job_id) == "RUNNING")
    head = next(n for n in cluster.ray.observe().nodes if n.is_head)
    assert cluster.ray.impact([head.node_id])[head.node_id].jobs == ("long-one: sleep 600",)
    assert jobs.stop(url, job_id)
    eventually(lambda: jobs.status(url, job_id) == "STOPPED")


def test_an_unknown_job_is_told_in_the_dashboards_words(cluster: LocalCluster) -> None:
    with pytest.raises(RayError, match="404"):
        jobs.logs(cluster.ray.dashboard_url(), "nobody")


def test_a_cluster_without_a_dashboard_has_no_jobs() -> None:
    with pytest.raises(RayError, match="no dashboard"):
        jobs.jobs("")
