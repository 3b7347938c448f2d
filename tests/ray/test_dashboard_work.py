"""The work on a real cluster as its dashboard tells it, and odd answers of dashboards."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from raytui.client.base import ClientError, ReadOnlyError
from raytui.client.dashboard_way import DashboardWay
from raytui.client.dashboard_work import DashboardWork
from raytui.ray import listing
from raytui.ray.base import RayError
from raytui.ray.uses import uses
from tests.support.local_cluster import LocalCluster

WITHIN_S = 60.0

_PROGRAM = """
from ray.util.placement_group import placement_group
@ray.remote(num_cpus=1)
def lasting(): time.sleep(600)
@ray.remote(num_cpus=0)
def failing(): raise ValueError("no [red]good")
@ray.remote(num_cpus=0)
class Keeper:
    def __init__(self): self.kept = ray.put(b"x" * 3_000_000)
    def ready(self): return True
keeper = Keeper.options(name="the-keeper").remote()
ray.get(keeper.ready.remote())
held = ray.put(b"y" * 2_000_000)
tasks = [lasting.remote() for _ in range(3)]
try: ray.get(failing.remote())
except Exception: pass
group = placement_group([{"CPU": 50}], name="too-large")
print("all is there", flush=True)
time.sleep(600)
"""


def work_at(url: str, *, read_only: bool = False) -> DashboardWork:
    return DashboardWork(DashboardWay(lambda: contextlib.nullcontext(url)), lambda: read_only)


@pytest.fixture(scope="module")
def work(cluster: LocalCluster) -> Iterator[DashboardWork]:
    """Of a cluster with an actor, tasks, objects and a placement group."""
    with cluster.driver(_PROGRAM) as driver:
        assert driver.stdout is not None
        assert "all is there" in driver.stdout.readline()
        yield work_at(cluster.ray.dashboard_url())


async def asked_until(ask, seen):
    """The answer once something is seen in it: Ray tells of tasks some seconds late."""
    async with asyncio.timeout(WITHIN_S):
        while not seen(answer := await ask()):
            await asyncio.sleep(0.2)
    return answer


@pytest.mark.ray
class TestOnRay:
    async def test_actors_are_told_with_their_node(self, cluster, work) -> None:
        (actor,) = [a for a in (await work.actors()).rows if a.name == "the-keeper"]
        assert (actor.class_name, actor.state) == ("Keeper", "ALIVE")
        assert actor.node_id in {n.node_id for n in cluster.ray.observe().nodes}
        assert actor.pid > 0

    async def test_tasks_are_counted_by_name_and_told_one_by_one(self, work) -> None:
        def all_seen(summary) -> bool:
            counts = {one.name: one.counts for one in summary.rows}
            return (
                sum(counts.get("lasting", {}).values()) == 3
                and counts.get("failing", {}).get("FAILED", 0) == 1
                and counts["lasting"].get("RUNNING") == 2
            )

        summary = await asked_until(work.task_summary, all_seen)
        assert summary.rows[0].name == "lasting"
        rows = (await work.tasks(name="lasting")).rows
        assert sorted(row.state for row in rows)[-2:] == ["RUNNING", "RUNNING"]
        assert {row.name for row in rows} == {"lasting"}
        on_node = (await work.tasks(node_id=rows[-1].node_id or rows[0].node_id)).rows
        assert {row.node_id for row in on_node} == {rows[-1].node_id or rows[0].node_id}
        (failed,) = (await work.tasks(name="failing")).rows
        assert "no [red]good" in failed.error

    async def test_a_placement_group_that_cannot_be_says_so(self, work) -> None:
        (group,) = [g for g in (await work.placement_groups()).rows if g.name == "too-large"]
        assert group.state == "PENDING"
        assert group.why == "INFEASIBLE"
        assert group.bundles[0].resources == {"CPU": 50.0}
        assert group.bundles[0].node_id == ""

    async def test_objects_are_told_with_size_and_node(self, cluster, work) -> None:
        nodes = {n.node_id for n in cluster.ray.observe().nodes}
        objects = (await work.objects()).rows
        large = [o for o in objects if o.size_bytes >= 2_000_000]
        assert {o.process for o in large} == {"WORKER", "DRIVER"}
        assert {o.node_id for o in large} <= nodes
        assert [o.size_bytes for o in objects] == sorted(o.size_bytes for o in objects)[::-1]

    async def test_hardware_of_each_node_is_measured(self, cluster, work) -> None:
        wanted = {n.node_id for n in cluster.ray.observe().nodes}
        told = await asked_until(work.uses, lambda seen: {u.node_id for u in seen.rows} == wanted)
        for use in told.rows:
            assert 0 <= use.cpu <= 1
            assert 0 < use.memory_used < use.memory_total
            assert use.disk_total > 0

    async def test_a_log_is_read_to_its_end_and_followed(self, cluster, work) -> None:
        head = next(n.node_id for n in cluster.ray.observe().nodes if n.is_head)
        files = await work.log_files(head)
        assert "gcs_server.out" in {f.name for f in files.rows}
        blocks = [some async for some in work.log(head, "gcs_server.out", follow=False)]
        assert sum(map(len, blocks)) > 5
        followed = work.log(head, "gcs_server.out", tail=3)
        async with asyncio.timeout(WITHIN_S):
            assert await anext(followed)
            await followed.aclose()
        with pytest.raises(ClientError, match=r"nothing\.out"):
            [some async for some in work.log(head, "nothing.out")]

    async def test_a_job_is_submitted_followed_and_stopped(self, work) -> None:
        job_id = await work.submit("echo one; echo two; sleep 600")
        seen: list[str] = []
        async with asyncio.timeout(WITHIN_S):
            async for lines in work.job_log(job_id):
                seen += lines
                if "two" in seen and await work.stop_job(job_id):
                    break
        assert {"one", "two"} <= set(seen)
        await asked_until(
            work.jobs,
            lambda seen: any((j.job_id, j.status) == (job_id, "STOPPED") for j in seen.rows),
        )

    async def test_read_only_refuses_at_the_moment_of_the_change(self, cluster) -> None:
        work = work_at(cluster.ray.dashboard_url(), read_only=True)
        with pytest.raises(ReadOnlyError):
            await work.submit("echo no")
        with pytest.raises(ReadOnlyError):
            await work.stop_job("any")
        assert not [j for j in (await work.jobs()).rows if j.entrypoint == "echo no"]


@contextlib.contextmanager
def answering(answers: dict[str, Any]) -> Iterator[str]:
    """A dashboard that answers by path."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers[self.path.partition("?")[0]]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: the test's output is for the test."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def told(rows: Any, **more: Any) -> dict[str, Any]:
    return {"result": True, "data": {"result": {"result": rows, **more}}}


def test_rows_that_make_no_sense_are_left_out_and_counted() -> None:
    rows = [
        {"actor_id": "a1", "class_name": "Good", "state": "ALIVE", "num_restarts": "2"},
        {"class_name": "without an id"},
        {"actor_id": "a2", "state": "ALIVE", "required_resources": "many"},
        "no row",
        {"actor_id": "a3", "class_name": "JobSupervisor", "state": "ALIVE"},
        {
            "actor_id": "a4",
            "class_name": "X",
            "state": "ALIVE",
            "name": "_ray_internal_job_actor_1",
        },
    ]
    with answering({"/api/v0/actors": told(rows, total=6)}) as url:
        found = listing.actors(url)
    assert [actor.actor_id for actor in found.rows] == ["a1"]
    assert found.rows[0].restarts == 2
    assert "2 could not be read" in found.notes


def test_what_ray_does_not_tell_is_said() -> None:
    rows = [{"task_id": "t", "name": "n", "state": "RUNNING"}]
    answer = told(rows, total=50_000, partial_failure_warning="one node\n is silent")
    with answering({"/api/v0/tasks": answer}) as url:
        found = listing.tasks(url)
    assert found.total == 50_000
    assert found.notes == ("only 1 of 50,000 are told", "one node is silent")


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"result": True},
        {"result": True, "data": [1]},
        {"result": True, "data": {"result": []}},
        told("none"),
        told(None),
    ],
)
def test_an_answer_of_another_shape_is_an_error_of_rays(answer: Any) -> None:
    with answering({"/api/v0/objects": answer}) as url, pytest.raises(RayError):
        listing.objects(url)


def test_a_node_whose_agent_is_silent_is_counted() -> None:
    alive = {"state": "ALIVE", "nodeId": "n1"}
    rows = [
        {"raylet": alive},
        {"raylet": {**alive, "nodeId": "n2"}, "now": 5.0, "cpu": 50.0, "mem": [100, 60, 40, 40]},
        {"raylet": {"state": "DEAD"}, "now": 5.0},
        {"raylet": alive, "now": 5.0, "mem": "much"},
    ]
    with answering({"/nodes": {"result": True, "data": {"summary": rows}}}) as url:
        found = uses(url)
    (use,) = found.rows
    assert (use.cpu, use.memory_used, use.gpus) == (0.5, 40, ())
    assert found.notes == ("1 tell nothing yet", "1 could not be read")


@pytest.mark.parametrize("summary", [[], "none", None, {"a": 5}, {"a": {"summary": [1]}}])
def test_a_summary_of_another_shape_is_an_error_of_rays(summary: Any) -> None:
    answer = told({"node_id_to_summary": summary})
    with answering({"/api/v0/tasks/summarize": answer}) as url, pytest.raises(RayError):
        listing.task_summary(url)


def test_jobs_that_make_no_sense_are_left_out_and_counted() -> None:
    good = {"submission_id": "good", "status": "RUNNING", "start_time": 5000}
    entries = [5, None, {**good, "start_time": "soon"}, {**good, "metadata": 7}, good]
    with answering({"/api/jobs/": entries}) as url:
        found = listing.jobs(url)
    assert [(job.job_id, job.started_at) for job in found.rows] == [("good", 5.0)]
    assert (found.total, found.notes) == (1, ("4 could not be read",))


def test_numbers_without_end_leave_out_their_row_alone() -> None:
    rows = [{"object_id": "o1", "object_size": float("inf")}, {"object_id": "o2", "object_size": 7}]
    with answering({"/api/v0/objects": told(rows)}) as url:
        found = listing.objects(url)
    assert [one.object_id for one in found.rows] == ["o2"]
    assert found.notes == ("1 could not be read",)


@contextlib.contextmanager
def saying(words: bytes) -> Iterator[str]:
    """A dashboard that says the same to all, and hangs up."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(words)

        def log_message(self, *_: Any) -> None:
            """Nothing: the test's output is for the test."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("words", "opened"),
    [
        (b"HTTP/1.0 500 no\r\n\r\noops", 1),  # it came all the way
        (b"HTTP/1.0 200 ok\r\nContent-Length: 99\r\n\r\n{", 2),  # cut off
        (b"", 2),
    ],
)
async def test_only_a_way_that_broke_is_made_anew(words: bytes, opened: int) -> None:
    ways: list[str] = []
    with saying(words) as url:

        @contextlib.contextmanager
        def opening() -> Iterator[str]:
            ways.append(url)
            yield url

        work = DashboardWork(DashboardWay(opening), lambda: False)
        for _ in range(2):
            with pytest.raises(ClientError):
                await work.actors()
        await work.close()
    assert len(ways) == opened


_LEAVES = """
import asyncio, contextlib, sys
from raytui.client.asking import apart
async def main():
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    def question():
        loop.call_soon_threadsafe(asked.set)
        sys.stdin.read()
    asyncio.create_task(apart(question))
    await asked.wait()
asyncio.run(main())
"""


def test_a_question_without_an_answer_keeps_no_program_from_ending() -> None:
    with subprocess.Popen([sys.executable, "-c", _LEAVES], stdin=subprocess.PIPE) as program:
        try:
            assert program.wait(WITHIN_S) == 0  # its stdin is open all the while
        finally:
            program.kill()
