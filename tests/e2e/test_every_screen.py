"""Every page of the real program on real Ray, and each main action done once."""

from __future__ import annotations

import pytest

from raytui.screens.pages import PAGES
from tests.e2e.conftest import Drive, Program
from tests.e2e.terminal import Terminal, lines_with

pytestmark = [pytest.mark.ray, pytest.mark.tmux, pytest.mark.slow, pytest.mark.timeout(420)]

WORK = """
@ray.remote(num_cpus=1)
class Keeper:
    def __init__(self): self.kept = ray.put(b"x" * 3_000_000)
    def ready(self): return True
keeper = Keeper.options(name="the-keeper").remote()
ray.get(keeper.ready.remote())
@ray.remote(num_cpus=1)
def lasting(): time.sleep(600)
tasks = [lasting.remote() for _ in range(2)]
from ray.util.placement_group import placement_group
group = placement_group([{"CPU": 1}], name="the-group")
time.sleep(600)
"""


def open_page(screen: Terminal, name: str) -> str:
    """Go there by its key; every page names itself in the last line."""
    page = next(page for page in PAGES if page.name == name)
    screen.press(page.key)
    return screen.wait(lambda text: page.title in text.rstrip().splitlines()[-1])


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24)])
def test_each_page_shows_what_runs_and_each_main_action_is_done(
    program: Program, drive: Drive, width: int, height: int
) -> None:
    program.file("all")
    assert program.run("up", "all.yaml", "-y").returncode == 0
    drive(program.status("all")["gcs_address"], WORK)
    screen = program.terminal("all", width=width, height=height)
    screen.wait("autoscaler live", 60)
    for page in PAGES:
        open_page(screen, page.name)

    # What the driver made is found, each on its page.
    open_page(screen, "actors")
    screen.wait(lambda text: lines_with(text, "Keeper", "alive"), 90)
    open_page(screen, "tasks")
    screen.wait(lambda text: lines_with(text, "lasting"), 60)
    open_page(screen, "groups")
    screen.wait(lambda text: lines_with(text, "the-group"), 60)
    screen.press("d")
    screen.wait("group id")
    screen.press("Escape")
    screen.wait(lambda text: "group id" not in text)

    # A job: submitted, its output followed, stopped after a question.
    open_page(screen, "jobs")
    screen.press("n")
    screen.wait("Submit")
    screen.type("echo it began; sleep 600")
    screen.press("Enter")
    screen.wait(lambda text: lines_with(text, "running", "echo it"), 60)
    screen.press("Home")
    screen.wait(lambda text: lines_with(text, "▸", "echo it"))
    screen.press("l")
    screen.wait(lambda text: lines_with(text, "it began") and "LOG OF" in text, 60)
    screen.press("q")
    screen.wait(lambda text: "LOG OF" not in text)
    open_page(screen, "jobs")
    screen.press("x")
    screen.wait("raytui job stop")
    screen.press("Tab", "Enter")
    screen.wait(lambda text: lines_with(text, "stopped", "echo it"), 60)

    # A node: told to go, and kept; read-only refuses; an order that is not taken back ends it.
    open_page(screen, "nodes")
    screen.wait(lambda text: lines_with(text, "small"), 90)
    screen.press("Down", "t")
    screen.wait("raytui terminate")
    screen.press("Tab", "Enter")
    screen.wait("U: keep")
    screen.press("U")
    screen.wait(lambda text: "U: keep" not in text)
    screen.press("C-r")
    screen.wait("read-only")
    screen.press("t")
    screen.wait(lambda text: lines_with(text, "Drain and terminate"))
    screen.press("C-r")
    screen.wait("changes are allowed")
    screen.press("q")
    screen.wait("exit code 0", 20)
