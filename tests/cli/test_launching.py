"""A launch behind the Launch screen: beside the screen's loop, and left when nobody waits."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from raytui.cli.launching import LaunchHere
from raytui.client.base import ClientError
from raytui.client.recorded import RecordedClient
from raytui.model.command import RetrySetup
from raytui.model.step import LaunchError, Step, StepSink, StepStatus

WORKER = "10.77.0.3-a1b2c3"


def running(node: str, name: str, output: str = "") -> Step:
    return Step(node, name, StepStatus.RUNNING, 1.0, detail="newest", output=output)


class Looking:
    """Makes clients, and remembers them."""

    def __init__(self) -> None:
        self.made: list[RecordedClient] = []

    def __call__(self) -> RecordedClient:
        outputs = {(WORKER, "set up 1/1"): ["from the head"]}
        self.made.append(RecordedClient((), outputs=outputs))
        return self.made[-1]


async def test_the_launch_works_beside_the_loop_and_ends_with_a_client():
    look, told, threads = Looking(), [], []

    def bring_up(sink: StepSink) -> None:
        threads.append(threading.current_thread())
        sink(running("head", "set up 1/1"))

    client = await LaunchHere(bring_up, look).run(told.append)
    assert look.made == [client]
    assert [step.name for step in told] == ["set up 1/1"]
    assert threads[0] is not threading.main_thread()


async def test_why_it_failed_reaches_the_screen_and_nothing_stays_open():
    def bring_up(sink: StepSink) -> None:
        raise LaunchError("no Ray", "the output")

    look = Looking()
    launch = LaunchHere(bring_up, look)
    await launch.output(running(WORKER, "set up 1/1"))
    with pytest.raises(LaunchError, match="no Ray") as failure:
        await launch.run(lambda step: None)
    assert failure.value.detail == "the output"
    assert [client.closed for client in look.made] == [True]


async def test_a_launch_that_is_left_is_not_waited_for_and_ends_with_its_next_step():
    begun, go_on = threading.Event(), threading.Event()
    ended: list[BaseException] = []
    threads: list[threading.Thread] = []

    def bring_up(sink: StepSink) -> None:
        threads.append(threading.current_thread())
        begun.set()
        go_on.wait(60)
        try:
            sink(running("head", "set up 1/1"))
        except LaunchError as error:
            ended.append(error)
            raise

    told: list[Step] = []
    task = asyncio.create_task(LaunchHere(bring_up, Looking()).run(told.append))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The program may end now: such a thread is not waited for.
    assert threads[0].daemon
    go_on.set()
    await asyncio.to_thread(threads[0].join, 60)
    assert len(ended) == 1
    assert told == []


async def test_output_is_read_where_it_is_kept(tmp_path: Path):
    file = tmp_path / "01-set-up-1-1.log"
    file.write_text("$ make\ndone\n")
    launch = LaunchHere(lambda sink: None, Looking())
    assert await launch.output(running("head", "set up 1/1", str(file))) == ["$ make", "done"]
    assert await launch.output(running("head", "wait for login")) == ["newest"]
    assert await launch.output(running(WORKER, "set up 1/1")) == ["from the head"]
    assert await launch.output(running(WORKER, "set up 1/1", "/on/the/head.log")) == [
        "from the head"
    ]


async def test_a_worker_is_tried_again_by_the_daemon_the_head_by_the_launch():
    look = Looking()
    launch = LaunchHere(lambda sink: None, look)
    await launch.retry(WORKER)
    assert look.made[0].sent == [RetrySetup((WORKER,))]
    with pytest.raises(ClientError, match="with the launch"):
        await launch.retry("head")
