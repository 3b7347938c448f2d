"""One registry: every key, name, help line and palette entry is a verb that exists."""

from __future__ import annotations

import pytest
from textual.command import CommandPalette
from textual.widgets import Input

from raytui.config.settings import Settings
from raytui.model.command import HoldNodes, Pause, SetFloor
from raytui.screens.autoscaler import AutoscalerScreen
from raytui.screens.choose import ChooseScreen
from raytui.screens.cluster import ClusterScreen
from raytui.screens.commandline import CommandLine
from raytui.screens.decision import DecisionScreen
from raytui.screens.help import HelpScreen
from raytui.screens.node import NodeScreen
from raytui.screens.nodes import NodesScreen
from raytui.screens.pages import LIVE, PAGE_TITLES
from raytui.screens.setup import SetupScreen
from raytui.screens.verb_list import VERBS
from raytui.screens.verbs import verbs_on
from tests.tui import sample
from tests.tui.driving import command, go, opened, recorded, text, toasts, until

PAGES = (
    ClusterScreen,
    NodesScreen,
    NodeScreen,
    SetupScreen,
    AutoscalerScreen,
    DecisionScreen,
)
FORBIDDEN = {"ctrl+a", "ctrl+b", "ctrl+h", "ctrl+j", "ctrl+k", "ctrl+l", "ctrl+d"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.page)
def test_a_page_does_all_its_verbs(page):
    for verb in verbs_on(page.page):
        if verb.id in PAGE_TITLES:
            continue  # the app changes pages
        assert callable(getattr(page, f"verb_{verb.id.replace('-', '_')}", None)), verb.id


@pytest.mark.parametrize("page", sorted(LIVE | {"launch", "steps"}))
def test_no_key_means_two_things_on_a_page(page):
    keys = [key for verb in verbs_on(page) for key in verb.keys.split(",") if key]
    assert len(keys) == len(set(keys))


def test_ids_and_names_are_told_apart():
    ids = [verb.id for verb in VERBS]
    names = [name for verb in VERBS for name in verb.names]
    assert len(ids) == len(set(ids))
    assert len(names) == len(set(names))


def test_nothing_that_changes_the_cluster_is_on_a_key_of_tmux_or_vim():
    keys = {key for verb in VERBS if verb.mutates for key in verb.keys.split(",")}
    assert not keys & FORBIDDEN


@pytest.mark.parametrize("page", ["1", "2", "3"])
async def test_help_lists_every_verb_of_the_page(page):
    async with opened(size=(120, 90)) as pilot:
        await go(pilot, page)
        name = pilot.app.screen.page
        await go(pilot, "question_mark")
        shown = text(pilot.app)
        for verb in verbs_on(name):
            assert verb.words in shown
        assert isinstance(pilot.app.screen, HelpScreen)
        await go(pilot, "escape")
        assert pilot.app.screen.page == name


async def test_pages_are_gone_to_by_number_and_by_name():
    async with opened() as pilot:
        for key, page in (("2", NodesScreen), ("3", AutoscalerScreen), ("1", ClusterScreen)):
            await go(pilot, key)
            assert isinstance(pilot.app.screen, page)
        await command(pilot, "nodes")
        assert isinstance(pilot.app.screen, NodesScreen)


async def test_commands_by_name_scale_and_complete():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "colon", *"sca", "tab", *" cpu-l", "tab", *" 3")
        assert pilot.app.screen.query_one(Input).value == "scale cpu-large 3"
        await go(pilot, "enter")
        await until(pilot, lambda: client.sent)
    assert client.sent == [SetFloor("cpu-large", 3)]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("scale nope 3", "there is no node type “nope”"),
        ("scale cpu-small 99", "whole number from 0 to 20"),
        ("scale cpu-small ²", "whole number from 0 to 20"),
        ("scale head 3", "head is always"),
        ("request CPU", "is no NAME=AMOUNT"),
        ("theme nope", "themes: "),
        ("node", "which node?"),
        ("hold", "choose nodes on the Nodes page"),
    ],
)
async def test_a_wrong_argument_is_explained(typed, words):
    client = recorded()
    async with opened(client) as pilot:
        await command(pilot, typed)
        assert any(words in toast for toast in toasts(pilot.app))
    assert client.sent == []


async def test_what_is_asked_for_by_name_is_done_and_not_toggled():
    client = recorded(sample.snapshot(paused_by="ana"))
    async with opened(client) as pilot:
        for words in ("pause", "hold i-0c40"):
            await command(pilot, words)
        await until(pilot, lambda: len(client.sent) == 2)
    assert client.sent == [Pause(), HoldNodes(("i-0c40",))]


async def test_an_unknown_command_is_told_in_place_and_can_be_corrected():
    async with opened() as pilot:
        await go(pilot, "colon", *"nodez", "enter")
        assert isinstance(pilot.app.screen, CommandLine)
        assert "there is no command “nodez”" in text(pilot.app)
        await go(pilot, "backspace", "s", "enter")
        assert isinstance(pilot.app.screen, NodesScreen)


async def test_the_palette_offers_the_verbs_of_the_page():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "ctrl+p")
        await until(pilot, lambda: CommandPalette.is_open(pilot.app))
        await go(pilot, *"pause or")
        await until(pilot, lambda: "Pause or resume the autoscaler" in text(pilot.app))
        await go(pilot, "down", "enter")
        await until(pilot, lambda: client.sent)


async def test_keys_can_be_remapped_and_are_shown_as_remapped():
    client = recorded()
    settings = Settings(keys={"toggle-pause": "f8"})
    async with opened(client, settings=settings, size=(280, 40)) as pilot:
        assert "f8 pause" in text(pilot.app).splitlines()[-1]
        await go(pilot, "p")
        assert client.sent == []
        await go(pilot, "f8")
        await until(pilot, lambda: client.sent)


async def test_keys_of_the_footer_can_be_clicked():
    async with opened() as pilot:
        footer = text(pilot.app).splitlines()[-1]
        await pilot.click("#keys", offset=(footer.index(" 2 ") + 1, 0))
        await pilot.pause()
        assert isinstance(pilot.app.screen, NodesScreen)


async def test_q_leaves_at_once_without_a_question_and_ends_the_connection():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "q")
    assert client.closed
    assert pilot.app.return_value == "quit"


@pytest.mark.parametrize(
    ("keys", "result"), [(["enter"], "keep"), (["right", "enter"], "down"), (["escape"], None)]
)
@pytest.mark.parametrize("how", ["q", "ctrl+q"])
async def test_leaving_asks_when_there_is_a_question(how, keys, result):
    client = recorded(sample.snapshot())
    async with opened(client, on_quit_question="Keep the cluster running?") as pilot:
        await go(pilot, how)
        assert isinstance(pilot.app.screen, ChooseScreen)
        assert "Keep the cluster running?" in text(pilot.app)
        await go(pilot, *keys)
        if result is None:
            assert isinstance(pilot.app.screen, ClusterScreen)
    assert pilot.app.return_value == result
