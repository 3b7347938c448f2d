"""A few pictures, so that nobody changes the looks without noticing."""

from __future__ import annotations

from raytui.app import RaytuiApp
from raytui.config.settings import Settings
from raytui.screens.terminate import TerminateScreen
from raytui.widgets.table import LineTable
from tests.tui import sample
from tests.tui.driving import Clock, go, recorded, until
from tests.tui.test_setups import steps


def app(**options: object) -> RaytuiApp:
    client = recorded(sample.snapshot(), impacts=sample.impacts())
    return RaytuiApp(client, clock=Clock(), **options)  # type: ignore[arg-type]


async def settled(pilot, *keys: str) -> None:
    await until(pilot, lambda: pilot.app.session and pilot.app.session.snapshot is not None)
    await go(pilot, *keys)


def test_cluster(snap_compare):
    assert snap_compare(app(), terminal_size=(120, 36), run_before=settled)


def test_nodes_on_a_small_terminal(snap_compare):
    async def before(pilot):
        await settled(pilot, "2", "down", "space", "down")

    assert snap_compare(app(), terminal_size=(80, 24), run_before=before)


def test_terminate_in_light_colours(snap_compare):
    async def before(pilot):
        await settled(pilot, "2", "down", "t")
        await until(pilot, lambda: isinstance(pilot.app.screen, TerminateScreen))
        await until(pilot, lambda: not pilot.app.screen.query_one("#go").disabled)

    shown = app(settings=Settings(theme="raytui-light"))
    assert snap_compare(shown, terminal_size=(120, 30), run_before=before)


def test_decision(snap_compare):
    async def before(pilot):
        await settled(pilot, "3", "enter")

    assert snap_compare(app(), terminal_size=(120, 30), run_before=before)


def test_set_ups(snap_compare):
    async def before(pilot):
        await settled(pilot, "u")
        await until(pilot, lambda: pilot.app.screen.query_one(LineTable).rows)
        await go(pilot, "down", "down")

    shown = RaytuiApp(recorded(steps=steps()), clock=Clock())
    assert snap_compare(shown, terminal_size=(120, 20), run_before=before)
