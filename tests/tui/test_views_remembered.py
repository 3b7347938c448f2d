"""Lists open as they were left, for each cluster and page, unless that is not wanted."""

from __future__ import annotations

from raytui.config.settings import Settings, Views
from raytui.config.views import RememberedViews, View, views_file
from tests.tui.driving import command, go, opened, recorded, table, text, until

NAME = recorded().name


async def test_order_and_filter_are_as_they_were_left():
    async with opened() as pilot:
        await go(pilot, "2", "full_stop", "o")
        await command(pilot, "filter cpu")
        left = table(pilot.app).sorted_by
        assert left
    async with opened() as pilot:
        await go(pilot, "2")
        nodes = table(pilot.app)
        assert (nodes.sorted_by, nodes.descending, nodes.filter.text) == (left, True, "cpu")
        assert "match “cpu”" in text(pilot.app)


async def test_what_is_looked_at_is_kept_while_the_page_stays_open():
    async with opened() as pilot:
        await go(pilot, "2", "full_stop")
        await until(pilot, lambda: RememberedViews().of(NAME, "nodes") is not None)


async def test_another_cluster_has_views_of_its_own():
    RememberedViews().keep("another", "nodes", View(filter="cpu"))
    async with opened() as pilot:
        await go(pilot, "2")
        assert not table(pilot.app).filter


async def test_a_view_that_no_longer_makes_sense_is_passed_over():
    RememberedViews().keep(NAME, "nodes", View(sorted_by="NO SUCH", filter="~("))
    async with opened() as pilot:
        await go(pilot, "2")
        nodes = table(pilot.app)
        assert (nodes.sorted_by, nodes.filter.text) == ("", "")
        assert nodes.rows


async def test_forgotten_views_are_gone_here_and_in_the_file():
    RememberedViews().keep(NAME, "nodes", View(filter="cpu"))
    async with opened() as pilot:
        await go(pilot, "2")
        assert table(pilot.app).filter
        await command(pilot, "forget")
        assert not table(pilot.app).filter
    assert RememberedViews().of(NAME, "nodes") is None


async def test_who_wants_nothing_remembered_leaves_nothing():
    settings = Settings(views=Views(remember=False))
    async with opened(settings=settings) as pilot:
        await go(pilot, "2", "full_stop")
    assert not views_file().exists()
