"""The main job, end to end: the real program in a real terminal on real Ray."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Drive, Program
from tests.e2e.terminal import lines_with
from tests.support import processes
from tests.support.waiting import eventually

pytestmark = [pytest.mark.ray, pytest.mark.tmux, pytest.mark.slow, pytest.mark.timeout(420)]

FORTY_TASKS = """
@ray.remote(num_cpus=1)
def work(i):
    time.sleep(2)
    return i
assert sorted(ray.get([work.remote(i) for i in range(40)])) == list(range(40))
"""


def workers(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in status["nodes"] if not node["is_head"]]


def test_launch_grow_explain_shrink_scale_terminate_leave_and_end(
    program: Program, drive: Drive
) -> None:
    file = program.file("main")
    screen = program.terminal(str(file))

    # Nothing runs yet: it offers to launch, and shows each step.
    screen.wait("Nothing runs yet")
    screen.press("Enter")
    screen.wait("autoscaler live", 120)
    address = program.status("main")["gcs_address"]

    # Forty tasks wait: nodes are started, and both that and the limit are given as reasons.
    driver = drive(address, FORTY_TASKS)
    screen.wait("max_workers of small is 3", 60)
    screen.wait(lambda text: lines_with(text, "launch 3 × small", "{CPU: 1} found no room"))
    screen.press("2")
    screen.wait(lambda text: len(lines_with(text, "small", "busy: ")) == 3, 120)

    # The tasks finish; idle nodes say when they leave, and leave down to the floor.
    assert driver.wait(120) == 0
    screen.wait(lambda text: lines_with(text, "idle", "leaves in"))
    screen.wait(lambda text: not lines_with(text, "small"), 90)

    # `+` on the node type raises its floor: a node comes, and says why it is here.
    screen.press("1", "Down", "+")
    screen.wait(lambda text: lines_with(text, "floor of small 0 → 1"))
    screen.press("2")
    screen.wait("the floor of small is 1", 90)
    (node,) = workers(program.status("main"))
    screen.press("1", "Down", "-")
    screen.wait(lambda text: lines_with(text, "floor of small 1 → 0"))
    screen.press("2", "Down", "h")
    screen.wait(lambda text: lines_with(text, "small", "held by"))

    # `t` asks first, with Cancel in focus: Enter changes nothing.
    screen.press("t")
    screen.wait(f"raytui terminate {node['instance_id']}")
    screen.press("Enter")
    screen.wait(lambda text: "raytui terminate" not in text)
    assert [n["status"] for n in workers(program.status("main"))] in (["idle"], ["running"])
    screen.press("t")
    screen.wait(f"raytui terminate {node['instance_id']}")
    screen.press("Tab", "Enter")
    screen.wait(lambda text: not lines_with(text, "small"), 60)

    # `q` leaves the cluster up; another terminal attaches to it.
    screen.press("q")
    screen.wait("exit code 0", 20)
    assert program.status("main")["gcs_address"] == address
    again = program.terminal(str(file), width=80, height=24)
    again.wait("autoscaler live", 60)
    again.wait("EVENTS")
    again.press("q")
    again.wait("exit code 0", 20)

    # The end leaves no process behind.
    paths = program.paths("main")
    done = program.run("down", "main", "-y")
    assert done.returncode == 0, done.stderr
    screen.close()
    again.close()
    eventually(lambda: not program.processes() and not processes.using(paths.ray_temp), 15)
