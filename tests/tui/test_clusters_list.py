"""The list of clusters: what it tells, moving through it, opening one and coming back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import OptionList

from raytui.app import RaytuiApp
from raytui.model.fleet import Fleet, FleetState
from raytui.screens.cluster import ClusterScreen
from raytui.screens.clusters import ClustersScreen
from raytui.screens.pick import PickScreen
from tests.tui import fleets
from tests.tui.driving import Clock, command, go, table, text, toasts, until
from tests.tui.fleets import ROWS, WrittenFleet, fleet


@asynccontextmanager
async def listed(
    client: WrittenFleet | None = None, *, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Pilot]:
    app = RaytuiApp(None, fleet=client or WrittenFleet(), clock=Clock())
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ClustersScreen))
        await until(pilot, lambda: "looking for" not in text(app) or client is not None)
        yield pilot


async def test_each_cluster_tells_how_it_is():
    async with listed(size=(180, 40)) as pilot:
        shown = text(pilot.app)
    line = next(line for line in shown.splitlines() if "train" in line)
    for words in ("ml", "● ready", "7/10", "56", "18", "$12.50/h", "raytui operator"):
        assert words in line
    assert "! demo-gpu-x: FailedScheduling: 0/3 nodes" in line
    assert "⏸ suspended" in next(line for line in shown.splitlines() if "notebooks" in line)
    assert "KubeRay" in next(line for line in shown.splitlines() if "serve" in line)
    assert "3 CLUSTERS" in shown
    assert "! 1 in trouble" in shown
    assert "prod · all namespaces · ● watching" in shown
    assert "$13.10/h" in shown


async def test_eighty_columns_keep_name_state_nodes_demand_and_trouble():
    async with listed(size=(80, 24)) as pilot:
        shown = text(pilot.app)
    line = next(line for line in shown.splitlines() if "train" in line)
    for words in ("● ready", "7/10", "18", "! demo-gpu"):
        assert words in line
    assert "? help" in shown.splitlines()[-1]
    assert "Enter open" in shown.splitlines()[-1]


async def test_a_cluster_is_opened_and_the_list_is_behind_it_as_it_is_by_then():
    client = WrittenFleet()
    async with listed(client) as pilot:
        await until(pilot, lambda: "train" in text(pilot.app))
        await go(pilot, "down", "down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ClusterScreen))
        assert client.opened == ["web/serve"]
        await until(pilot, lambda: "cpu-small" in text(pilot.app))
        assert "0 Clusters" in text(pilot.app).splitlines()[-1]
        client.put(fleet(*ROWS[:2], replace(ROWS[2], running=2, state=FleetState.FAILED)))
        await go(pilot, "2", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, ClustersScreen))
        await until(pilot, lambda: "✕ failed" in text(pilot.app))
        assert table(pilot.app).selected.key == "web/serve"
        await until(pilot, lambda: client.clients["web/serve"].closed)
        await go(pilot, "up", "up", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ClusterScreen))
        assert client.opened == ["web/serve", "ml/train"]
        await go(pilot, "2", "enter", "0")
        await until(pilot, lambda: isinstance(pilot.app.screen, ClustersScreen))
    assert client.closed
    assert client.clients["ml/train"].closed


async def test_a_cluster_that_cannot_be_opened_says_why_and_the_list_stays():
    client = WrittenFleet()
    client.refusal = "get rayclusters: 403 Forbidden"
    async with listed(client) as pilot:
        await until(pilot, lambda: "train" in text(pilot.app))
        await go(pilot, "enter")
        await until(pilot, lambda: toasts(pilot.app))
        assert toasts(pilot.app) == ["get rayclusters: 403 Forbidden"]
        assert isinstance(pilot.app.screen, ClustersScreen)
        assert "opening" not in text(pilot.app)
        await go(pilot, "n")
        await until(pilot, lambda: len(toasts(pilot.app)) == 2)


async def test_opening_that_takes_long_is_told_and_can_be_given_up():
    client = WrittenFleet()
    client.may_open.clear()
    async with listed(client) as pilot:
        await until(pilot, lambda: "train" in text(pilot.app))
        await go(pilot, "enter")
        await until(pilot, lambda: "◐ opening ml/train…" in text(pilot.app))
        await go(pilot, "escape")
        await until(pilot, lambda: "● watching" in text(pilot.app))
        client.may_open.set()
        await go(pilot)
        assert client.opened == []


async def test_another_namespace_is_picked_by_a_few_letters():
    client = WrittenFleet()
    async with listed(client) as pilot:
        await until(pilot, lambda: "train" in text(pilot.app))
        await go(pilot, "n")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
        assert "ml  2 clusters" in text(pilot.app)
        await go(pilot, "w", "e")
        await until(pilot, lambda: pilot.app.screen.query_one(OptionList).option_count == 1)
        await go(pilot, "enter")
        await until(pilot, lambda: client.looked_at == [("prod", "web")])
        assert "◐ reading…" in text(pilot.app)
        client.put(fleet())  # of the place that was left: it comes too late
        await go(pilot)
        assert "namespace web" in text(pilot.app)
        client.put(fleet(ROWS[2], namespace="web"))
        await until(pilot, lambda: "train" not in text(pilot.app))
        assert "● watching" in text(pilot.app)
        await command(pilot, "ns all")
        assert client.looked_at[-1] == ("prod", "")


async def test_another_context_is_picked_with_the_arrows():
    client = WrittenFleet()
    async with listed(client) as pilot:
        await until(pilot, lambda: "train" in text(pilot.app))
        await go(pilot, "c")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
        await go(pilot, "up", "enter")
        await until(pilot, lambda: client.looked_at == [("dev", "")])


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (Fleet("prod", "ml", is_complete=True), "no RayCluster in namespace ml"),
        (Fleet("prod", "", is_complete=True), "raytui k8s create NAME"),
        (Fleet("prod", "", troubles=("may not list rayclusters",)), "may not list rayclusters"),
        (Fleet("prod", ""), "looking for RayClusters…"),
    ],
)
async def test_an_empty_list_says_why_it_is_empty(picture, said):
    async with listed(WrittenFleet(picture)) as pilot:
        await until(pilot, lambda: said in text(pilot.app) and "prod" in text(pilot.app))


async def test_what_cannot_be_seen_any_more_is_told_and_the_last_of_it_stays():
    client = WrittenFleet()
    async with listed(client) as pilot:
        await until(pilot, lambda: "train" in text(pilot.app))
        client.put(fleet(troubles=("no answer from https://10.0.0.1", "another")))
        await until(pilot, lambda: "! no answer from https://10.0.0.1" in text(pilot.app))
        assert "(and 1 more)" in text(pilot.app)
        assert "train" in text(pilot.app)
        assert pilot.app.screen.has_class("-stale")


async def test_the_selection_follows_its_cluster_and_filters_and_orders_stay():
    client = WrittenFleet()
    async with listed(client) as pilot:
        await until(pilot, lambda: "train" in text(pilot.app))
        await go(pilot, "down")
        client.put(fleet(replace(ROWS[0], name="aaa"), *ROWS))
        await until(pilot, lambda: "aaa" in text(pilot.app))
        assert table(pilot.app).selected.key == "ml/notebooks"
        await command(pilot, "filter ns=ml state=ready")
        assert [row.key for row in table(pilot.app).rows] == ["ml/aaa", "ml/train"]
        client.put(fleet(*ROWS))
        await until(pilot, lambda: "aaa" not in text(pilot.app))
        assert [row.key for row in table(pilot.app).rows] == ["ml/train"]
        await go(pilot, "escape")
        assert len(table(pilot.app).rows) == 3


async def test_all_of_a_long_trouble_can_be_read_and_help_knows_this_page():
    async with listed() as pilot:
        await until(pilot, lambda: "train" in text(pilot.app))
        await go(pilot, "d")
        assert "3 Insufficient nvidia.com/gpu" in text(pilot.app)
        await go(pilot, "escape", "question_mark")
        shown = text(pilot.app)
        assert "Choose the context of the kubeconfig" in shown
        assert "Pause or resume" not in shown
        await go(pilot, "escape")
        await command(pilot, "pause")
        assert toasts(pilot.app)[-1].endswith("not on this page")


async def test_names_from_the_cluster_are_never_read_as_markup():
    odd = replace(ROWS[0], trouble="[bold red]boo[/] [link='x'")
    client = WrittenFleet(fleet(odd, troubles=("[red]no[/",)))
    async with listed(client, size=(200, 40)) as pilot:
        await until(pilot, lambda: "! [bold red]boo[/]" in text(pilot.app))
        assert "! [red]no[/" in text(pilot.app)
        await go(pilot, "d")
        assert "[link='x'" in text(pilot.app)


async def test_a_list_whose_watching_breaks_says_so():
    class Breaking(WrittenFleet):
        async def pictures(self):
            yield fleet()
            raise RuntimeError("boom")

    async with listed(Breaking()) as pilot:
        await until(pilot, lambda: "✕ raytui failed: RuntimeError: boom" in text(pilot.app))
        assert "train" in text(pilot.app)
        assert fleets.ROWS[0].name in text(pilot.app)
