"""Set-ups of nodes: a grid of phases, the steps of one node, and their output."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from raytui.app import RaytuiApp
from raytui.backends.last_lines import last_lines
from raytui.client.base import ClusterClient
from raytui.model.command import RetrySetup
from raytui.model.lifecycle import InstanceStatus
from raytui.model.reason import Why, because
from raytui.model.snapshot import Row
from raytui.model.step import LaunchError, Step, StepSink, StepStatus
from raytui.screens.cluster import ClusterScreen
from raytui.screens.launch import LaunchScreen
from raytui.screens.node import NodeScreen
from raytui.screens.phases import Phase, phase_of, setup_of, short_status
from raytui.screens.setup import SetupScreen
from raytui.screens.setupgrid import phase_cell
from raytui.screens.steps import StepsScreen
from raytui.widgets.cell import text_of
from raytui.widgets.tail import Tail
from tests.tui import sample
from tests.tui.driving import Clock, command, go, opened, recorded, table, text, toasts, until

W, R, D, F, S = (
    StepStatus.WAITING,
    StepStatus.RUNNING,
    StepStatus.DONE,
    StepStatus.FAILED,
    StepStatus.SKIPPED,
)
NOW = sample.NOW
FAILURE = "set up 2/3: exit code 100: E: Unable to locate package libfoo"
NODES = ("10.77.0.3-a1b2c3", "10.77.0.4-d4e5f6", "10.77.0.5-0a0b0c")


def waits(node: str, *names: str) -> list[Step]:
    return [Step(node, name, W) for name in names]


def did(node: str, name: str, began: float, took: float, detail: str = "") -> Step:
    return Step(node, name, D, NOW + began, NOW + began + took, detail)


def steps() -> tuple[Step, ...]:
    """One that is set up, one under way, one that failed, one that waits for login."""
    first, second, third = NODES
    return (
        did("head", "wait for login", -60, 2.1),
        did("head", "copy /data", -57, 0.8),
        did("head", "set up 1/1", -56, 41),
        did("head", "start Ray 1/1", -15, 9, "Ray runtime started."),
        did(first, "wait for login", -40, 2.0),
        did(first, "copy /data", -38, 0.9),
        *(did(first, f"set up {n}/5", -37 + n, 1) for n in (1, 2)),
        Step(first, "set up 3/5", R, NOW - 22, detail="Collecting torch (cached)"),
        *waits(first, "set up 4/5", "set up 5/5", "start Ray 1/1"),
        did(second, "wait for login", -40, 2.2),
        did(second, "set up 1/3", -37, 5),
        Step(second, "set up 2/3", F, NOW - 32, NOW - 30, FAILURE, "/there/02-set-up-2-3.log"),
        *waits(second, "set up 3/3", "start Ray 1/1"),
        Step(third, "wait for login", R, NOW - 31, detail="no route yet (host boots?)"),
    )


def line_with(pilot, words: str) -> str:
    return next((line for line in text(pilot.app).splitlines() if words in line), "")


# Phases


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("wait for login", Phase.SSH),
        ("copy ~/ray_bootstrap_config.yaml", Phase.FILES),
        ("initialize 1/2", Phase.INIT),
        ("start the container", Phase.DOCKER),
        ("set up 12/30", Phase.SETUP),
        ("copy raytui", Phase.SETUP),
        ("install raytui", Phase.SETUP),
        ("end the old Ray", Phase.RAY),
        ("start Ray 2/2", Phase.RAY),
        ("wait for the first nodes", None),
    ],
)
def test_each_step_of_a_set_up_belongs_to_a_phase(name, phase):
    assert phase_of(name) is phase


def shown(node: str, phase: Phase, *, of: Sequence[Step] = ()) -> str:
    setup = setup_of(node, (s for s in of or steps() if s.node == node))
    return text_of(phase_cell(setup, phase, NOW))


def test_a_phase_tells_how_far_it_is():
    first, second, third = NODES
    assert shown("head", Phase.SETUP) == "✓ 41s"
    assert shown(first, Phase.SETUP) == "◐ 3/5 0m22s"
    assert shown(second, Phase.SETUP) == "✕ 2/3 exit 100"
    assert shown(second, Phase.RAY) == "·"
    assert shown(second, Phase.DOCKER) == "–", "its plan is known, and has none"
    assert shown(third, Phase.SSH) == "◐ 0m31s"
    assert shown(third, Phase.DOCKER) == "·", "nobody knows yet whether it has one"


def test_a_phase_goes_on_between_two_of_its_steps():
    between = [did("n", "set up 1/2", -9, 2), *waits("n", "set up 2/2")]
    assert shown("n", Phase.SETUP, of=between) == "◐ 2/2"


def test_only_steps_of_one_kind_are_counted():
    copies = [did("n", "copy /a", -9, 1), Step("n", "copy /b", R, NOW - 3)]
    assert shown("n", Phase.FILES, of=copies) == "◐ 2/2 0m03s"
    ray = [Step("n", "end the old Ray", R, NOW - 3), *waits("n", "start Ray 1/2", "start Ray 2/2")]
    assert shown("n", Phase.RAY, of=ray) == "◐ 0m03s"
    ray = [did("n", "end the old Ray", -9, 1), Step("n", "start Ray 1/2", R, NOW - 3), ray[2]]
    assert shown("n", Phase.RAY, of=ray) == "◐ 1/2 0m03s"


def test_what_an_earlier_try_has_done_is_said_to_be():
    before = [Step("n", "set up 1/1", S, NOW, NOW, "done before")]
    assert shown("n", Phase.SETUP, of=before) == "– before"


def test_a_set_up_that_is_tried_again_has_not_failed():
    again = [*steps(), Step(NODES[1], "wait for login", R, NOW)]
    setup = setup_of(NODES[1], {s.name: s for s in again if s.node == NODES[1]}.values())
    assert setup.failed is None
    assert not setup.is_done


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("set up 3/5: Collecting torch", "setup 3/5"),
        ("start Ray 1/2", "ray 1/2"),
        ("wait for login: no route yet: try 2", "ssh"),
        ("Collecting torch", ""),
        ("", ""),
    ],
)
def test_the_newest_word_about_a_node_tells_how_far_it_is(detail, words):
    assert short_status(detail) == words


# The grid of a running cluster


def cluster(**options):
    return recorded(steps=steps(), **options)


async def at_setups(pilot) -> None:
    await go(pilot, "u")
    await until(pilot, lambda: isinstance(pilot.app.screen, SetupScreen))
    await until(pilot, lambda: table(pilot.app).rows)


@pytest.mark.parametrize("page", ["1", "2", "3"])
async def test_u_shows_the_set_ups_and_esc_goes_back(page):
    async with opened(cluster()) as pilot:
        await go(pilot, page)
        name = pilot.app.screen.page
        await at_setups(pilot)
        await go(pilot, "escape")
        assert pilot.app.screen.page == name


async def test_every_node_is_a_row_with_a_column_for_each_phase():
    async with opened(cluster()) as pilot:
        await at_setups(pilot)
        assert "4 SET-UPS   ✓ 1 set up   ◐ 2 under way   ✕ 1 failed" in text(pilot.app)
        head = " ".join(line_with(pilot, " head ").split())
        assert head.endswith("head ✓ 2.1s ✓ 0.8s – – ✓ 41s ✓ 9.0s 54s")
        assert "◐ 3/5 0m22s" in line_with(pilot, NODES[0])
        assert "Collecting torch (cached)" in line_with(pilot, NODES[0])
        assert "✕ 2/3 exit 100" in line_with(pilot, NODES[1])
        assert "E: Unable to locate package libfoo" in line_with(pilot, NODES[1])
        assert "wait for login: no route yet (host boots?)" in line_with(pilot, NODES[2])


async def test_on_a_small_terminal_what_is_under_way_can_still_be_read():
    async with opened(cluster(), size=(80, 24)) as pilot:
        await at_setups(pilot)
        assert "DOCKER" not in text(pilot.app)
        assert "◐ 3/5 0m22s" in line_with(pilot, NODES[0])
        assert "✕ 2/3 exit 100" in line_with(pilot, NODES[1])
        assert "wait for login" in line_with(pilot, NODES[2])


async def test_the_grid_follows_and_the_selection_stays_on_its_node():
    client = cluster()
    async with opened(client) as pilot:
        await at_setups(pilot)
        await go(pilot, "down", "down")
        done = did(NODES[0], "set up 3/5", -22, 22)
        client.steps = (
            did("10.77.0.2-ffffff", "wait for login", -90, 1),
            *(done if s.name == "set up 3/5" else s for s in steps()),
        )
        await until(pilot, lambda: "5 SET-UPS" in text(pilot.app))
        assert table(pilot.app).selected.node == NODES[1]
        assert "◐ 4/5" in line_with(pilot, NODES[0])


async def test_set_ups_are_filtered_and_failed_ones_sorted_first():
    async with opened(cluster()) as pilot:
        await at_setups(pilot)
        await go(pilot, "comma")
        assert table(pilot.app).rows[0].node == NODES[1]
        await go(pilot, "slash", *"status=running", "enter")
        assert [setup.node for setup in table(pilot.app).rows] == [NODES[0], NODES[2]]
        await go(pilot, "escape")
        assert isinstance(pilot.app.screen, SetupScreen)
        assert len(table(pilot.app).rows) == 4


async def test_r_tries_the_failed_node_again():
    client = cluster()
    async with opened(client) as pilot:
        await at_setups(pilot)
        await go(pilot, "down", "down", "R")
        await until(pilot, lambda: client.sent)
    assert client.sent == [RetrySetup((NODES[1],))]


async def test_read_only_mode_tries_nothing_again():
    client = cluster(read_only=True)
    async with opened(client) as pilot:
        await at_setups(pilot)
        await go(pilot, "down", "down", "R")
        await go(pilot, "enter")
        await until(pilot, lambda: "OUTPUT OF set up 2/3" in text(pilot.app))
        await go(pilot, "R")
        await until(pilot, lambda: len(toasts(pilot.app)) == 2)
        assert all("read-only" in toast for toast in toasts(pilot.app))
    assert client.sent == []


async def test_a_cluster_without_set_ups_says_what_would_be_here():
    async with opened() as pilot:
        await command(pilot, "setup")
        await until(pilot, lambda: "no node is being set up" in text(pilot.app))


# The steps of one node


async def test_enter_shows_the_steps_and_the_whole_output_of_the_failed_one():
    output = [f"line {n}" for n in range(500)]
    client = cluster(outputs={(NODES[1], "set up 2/3"): output})
    async with opened(client) as pilot:
        await at_setups(pilot)
        await go(pilot, "down", "down", "enter")
        await until(pilot, lambda: "line 499" in text(pilot.app))
        assert "✕  set up 2/3" in line_with(pilot, "exit code 100")
        assert "/there/02-set-up-2-3.log" in text(pilot.app)
        await go(pilot, "up")
        await until(pilot, lambda: "OUTPUT OF set up 1/3" in text(pilot.app))
        assert "line 499" not in text(pilot.app)
        await go(pilot, "escape")
        assert isinstance(pilot.app.screen, SetupScreen)


async def test_the_selection_goes_on_with_the_set_up_until_a_step_is_chosen():
    client = cluster()
    async with opened(client) as pilot:
        await command(pilot, f"setup {NODES[0]}")
        await until(pilot, lambda: "OUTPUT OF set up 3/5" in text(pilot.app))
        ended = did(NODES[0], "set up 3/5", -22, 22)
        fourth = Step(NODES[0], "set up 4/5", R, NOW, detail="Installing")
        newer = {(s.node, s.name): s for s in (*steps(), ended, fourth)}
        client.steps = tuple(newer.values())
        await until(pilot, lambda: "OUTPUT OF set up 4/5" in text(pilot.app))
        await go(pilot, "up", "up")
        await until(pilot, lambda: "OUTPUT OF set up 2/5" in text(pilot.app))
        client.steps = tuple(
            {**newer, (NODES[0], "set up 4/5"): did(NODES[0], "set up 4/5", 0, 3)}.values()
        )
        await until(pilot, lambda: "✓  set up 4/5" in text(pilot.app))
        assert table(pilot.app).selected.name == "set up 2/5"


async def test_long_lines_are_wrapped_on_demand():
    line = "begin " + "x" * 200 + " end"
    client = cluster(outputs={(NODES[1], "set up 2/3"): ["first", "", line]})
    async with opened(client, size=(80, 30)) as pilot:
        await command(pilot, f"setup {NODES[1]}")
        await until(pilot, lambda: "begin xxx" in text(pilot.app))
        assert "x end" not in text(pilot.app)
        await go(pilot, "w")
        await until(pilot, lambda: "x end" in text(pilot.app))
        await go(pilot, "w")
        await until(pilot, lambda: "x end" not in text(pilot.app))


async def test_the_output_of_a_node_that_is_gone_stays_to_be_read():
    client = cluster(outputs={(NODES[1], "set up 2/3"): ["the reason"]})
    async with opened(client) as pilot:
        await command(pilot, f"setup {NODES[1]}")
        await until(pilot, lambda: "the reason" in text(pilot.app))
        client.steps = ()
        await asyncio.sleep(1.2)
        await pilot.pause()
        assert "the reason" in text(pilot.app)


async def test_reading_further_up_is_not_disturbed_by_new_lines():
    app = RaytuiApp(recorded(), clock=Clock())
    async with app.run_test(size=(80, 24)) as pilot:
        tail = Tail()
        await app.screen.mount(tail)
        tail.styles.height = 10
        tail.show([f"line {n}" for n in range(100)])
        await until(pilot, lambda: tail.is_vertical_scroll_end and tail.max_scroll_y)
        tail.show([f"line {n}" for n in range(120)])
        await until(pilot, lambda: tail.is_vertical_scroll_end and tail.line_count == 120)
        tail.scroll_to(y=20, animate=False)
        await pilot.pause()
        tail.show([f"line {n}" for n in range(140)])
        await pilot.pause()
        assert (tail.scroll_offset.y, tail.line_count) == (20, 140)


# A node that is being set up


def setting_up(detail: str):
    node = sample.member(NODES[0], "cpu-small", InstanceStatus.SETTING_UP, detail=detail)
    row = Row(node, because(Why.STARTING, status="setting up", since=NOW - 48))
    return sample.snapshot(rows=(*sample.rows(), row))


@pytest.mark.parametrize(
    ("detail", "status"),
    [
        ("set up 3/5: Collecting torch", "◐ setup 3/5"),
        ("✕ set up 2/3: exit code 1: no, trying again in 0m28s", "✕ setup 2/3"),
        ("Collecting torch", "◐ setting up"),
    ],
)
async def test_the_list_of_nodes_tells_how_far_a_set_up_is(detail, status):
    async with opened(recorded(setting_up(detail))) as pilot:
        await go(pilot, "2")
        line = line_with(pilot, NODES[0])
        assert status in line
        assert "setting up for 0m48s · " in line
        assert "set up" not in line.replace("setting up", "")


async def test_the_page_of_a_node_shows_its_set_up_and_what_it_prints():
    client = recorded(
        setting_up("set up 3/5: Collecting torch"),
        steps=steps(),
        outputs={(NODES[0], "set up 3/5"): ["$ pip install torch", "Collecting torch"]},
    )
    async with opened(client) as pilot:
        await command(pilot, f"node {NODES[0]}")
        await until(pilot, lambda: "OUTPUT OF set up 3/5" in text(pilot.app))
        assert "$ pip install torch" in text(pilot.app)
        assert "◐ set up 3/5  0m22s" in text(pilot.app)
        await go(pilot, "u")
        assert isinstance(pilot.app.screen, StepsScreen)
        await go(pilot, "escape")
        assert isinstance(pilot.app.screen, NodeScreen)


# While a cluster is launched


class Launch:
    """Sets a head and two workers up; one of them fails until it is tried again."""

    def __init__(self, folder: Path) -> None:
        self.output_file = folder / "out.log"
        self.output_file.write_text("$ apt-get install libfoo\nE: Unable to locate package\n")
        self.retried: list[str] = []
        self.let_fail = asyncio.Event()
        self.let_succeed = asyncio.Event()
        self.calls = 0

    async def run(self, sink: StepSink) -> ClusterClient:
        self.calls += 1
        self.sink = sink
        sink(did("", "check host keys", -70, 0.3, "3 hosts known"))
        sink(did("head", "something new", -61, 0.5))
        for step in steps():
            kept = str(self.output_file) if step.status is F else ""
            sink(msgspec.structs.replace(step, output=kept))
        ends = [asyncio.ensure_future(e.wait()) for e in (self.let_fail, self.let_succeed)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if self.let_succeed.is_set():
            return recorded()
        raise LaunchError("the head did not start")

    async def output(self, step: Step) -> Sequence[str]:
        return last_lines(Path(step.output), 1000) if step.output else [step.detail]

    async def retry(self, node: str) -> str:
        self.retried.append(node)
        self.sink(Step(node, "set up 2/3", R, NOW, detail="again"))
        return f"trying the set-up of {node} again"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_launch_shows_the_grid_and_its_own_steps_above(tmp_path, size):
    launch = Launch(tmp_path)
    app = RaytuiApp(None, launch=launch, launch_title="prod", clock=Clock())
    async with app.run_test(size=size, notifications=True) as pilot:
        await go(pilot, "enter")
        await until(pilot, lambda: "4 SET-UPS" in text(app))
        lines = text(app).splitlines()
        above = next(i for i, line in enumerate(lines) if "check host keys" in line)
        below = next(i for i, line in enumerate(lines) if " head " in line)
        assert above < below
        assert "something new" not in text(app), "it is among the steps of its node"
        assert "✕ 2/3 exit 100" in line_with(pilot, NODES[1])
        assert "R try step again" in lines[-1]

        await go(pilot, "down", "down", "enter")
        await until(pilot, lambda: "E: Unable to locate package" in text(app))
        await go(pilot, "R")
        await until(pilot, lambda: "◐  set up 2/3" in text(app))
        assert launch.retried == [NODES[1]]
        await go(pilot, "escape")
        assert isinstance(app.screen, LaunchScreen)
        assert "✕" not in line_with(pilot, NODES[1])


async def test_the_nodes_of_a_launch_can_be_filtered(tmp_path):
    app = RaytuiApp(None, launch=Launch(tmp_path), launch_title="prod", clock=Clock())
    async with app.run_test(size=(120, 40)) as pilot:
        await go(pilot, "enter")
        await until(pilot, lambda: "4 SET-UPS" in text(app))
        await go(pilot, "slash", *"status=failed", "enter")
        assert "1 of 4 match “status=failed”" in text(app)
        assert [setup.node for setup in table(app, "#setups").rows] == [NODES[1]]
        await go(pilot, "escape")
        assert len(table(app, "#setups").rows) == 4
        assert isinstance(app.screen, LaunchScreen), "Esc has cleared the filter, and left nothing"


async def test_who_reads_an_output_is_not_taken_away_when_the_launch_succeeds(tmp_path):
    launch = Launch(tmp_path)
    app = RaytuiApp(None, launch=launch, launch_title="prod", clock=Clock())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await go(pilot, "enter")
        await until(pilot, lambda: "4 SET-UPS" in text(app))
        await go(pilot, "enter")
        assert isinstance(app.screen, StepsScreen)
        launch.let_succeed.set()
        await until(pilot, lambda: "the cluster runs: Esc leads to it" in toasts(app))
        assert isinstance(app.screen, StepsScreen)
        await go(pilot, "escape")
        await until(pilot, lambda: isinstance(app.screen, ClusterScreen))


async def test_after_a_launch_that_failed_the_key_starts_it_again(tmp_path):
    launch = Launch(tmp_path)
    launch.let_fail.set()
    app = RaytuiApp(None, launch=launch, launch_title="prod", clock=Clock())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await go(pilot, "enter")
        await until(pilot, lambda: "✕ launch failed" in text(app))
        assert "the head did not start" in text(app)
        await go(pilot, "down", "down", "R")
        await until(pilot, lambda: launch.calls == 2)
    assert launch.retried == []


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_why_a_launch_failed_is_in_sight_however_many_nodes_there_are(tmp_path, size):
    class Many(Launch):
        async def run(self, sink: StepSink) -> ClusterClient:
            for number in range(12):
                sink(did("", f"own step {number}", -70, 0.1))
            for number in range(100):
                sink(did(f"10.77.1.{number}", "wait for login", -60, 2))
            raise LaunchError("the head is not set up", "\n".join(f"line {n}" for n in range(99)))

    app = RaytuiApp(None, launch=Many(tmp_path), launch_title="prod", clock=Clock())
    async with app.run_test(size=size) as pilot:
        await go(pilot, "enter")
        await until(pilot, lambda: "✕ the head is not set up" in text(app))
        await until(pilot, lambda: "line 0" in text(app))
        assert "10.77.1.0" in text(app)
        assert "q leave" in text(app).splitlines()[-1]
