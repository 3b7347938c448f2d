"""How the pages of work look, one picture each."""

from __future__ import annotations

import pytest

from raytui.app import RaytuiApp
from tests.tui.driving import Clock, go, until
from tests.tui.works import working


@pytest.mark.parametrize(
    ("key", "page"),
    [
        ("4", "jobs"),
        ("6", "actors"),
        ("7", "tasks"),
        ("8", "groups"),
        ("O", "objects"),
        ("E", "events"),
    ],
)
def test_a_page_of_work(snap_compare, key, page):
    async def before(pilot):
        app = pilot.app
        await until(pilot, lambda: app.session and app.session.snapshot is not None)
        await go(pilot, key)
        await until(pilot, lambda: app.screen.page == page and app.screen.listing is not None)
        await until(pilot, lambda: app.screen.table.rows)

    client, _ = working()
    app = RaytuiApp(client, clock=Clock())
    assert snap_compare(app, terminal_size=(120, 40), run_before=before)
