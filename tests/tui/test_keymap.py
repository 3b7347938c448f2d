"""Keys of one's own: those that can be are used and shown everywhere, the others are told."""

from __future__ import annotations

import pytest

from raytui.config.settings import Settings
from raytui.config.settings_file import read_settings
from raytui.screens.dialog import Dialog
from raytui.screens.keymap import KEYED, NEVER_HARMFUL, checked_keys
from raytui.screens.reading import ReadingScreen
from raytui.screens.verb_list import VERBS
from tests.tui.driving import go, opened, table, text, toasts


def refused(**keys: str) -> list[str]:
    settings = Settings(keys={one.replace("_", "-"): key for one, key in keys.items()})
    return [f"{problem.key_path}: {problem.message}" for problem in checked_keys(settings)[1]]


def test_the_usual_keys_are_all_in_order():
    assert checked_keys(Settings(keys={one: keys for one, (keys, _) in KEYED.items()}))[1] == ()


def test_what_changes_a_cluster_is_on_no_key_pressed_by_habit():
    usual = {key for verb in VERBS if verb.mutates for key in verb.keys.split(",")}
    assert not usual & NEVER_HARMFUL


def test_an_unknown_id_is_told_with_the_nearest_one():
    (problem,) = checked_keys(Settings(keys={"terminat": "t"}))[1]
    assert "did you mean terminate?" in problem.hint


@pytest.mark.parametrize("key", ["", " , ", "hyperspace", "ctrl+", "ctlr+t", "tt", "control+t"])
def test_what_is_no_key_is_told(key):
    assert len(refused(help=key)) == 1


@pytest.mark.parametrize("key", ["F", "f5", "ctrl+t", "?", "question_mark", "alt+x", "shift+f3"])
def test_keys_may_be_said_as_they_are_typed_or_in_full(key):
    assert refused(help=key) == []


@pytest.mark.parametrize("key", sorted(NEVER_HARMFUL))
def test_a_key_pressed_by_habit_changes_no_cluster(key):
    assert refused(terminate=key) != []
    assert refused(messages=key) == []


def test_two_things_of_one_page_are_not_on_one_key():
    assert refused(terminate="h") == ["keys.terminate: h is the key of hold on the same page"]
    assert refused(hold="?") != []
    assert refused(hold="slash") != []
    assert refused(list_down="question_mark") != []


def test_two_things_may_change_places():
    assert refused(terminate="h", hold="t") == []


async def test_a_key_that_cannot_be_stays_usual_and_is_told_once_with_its_line(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('mouse = 3\n[keys]\nterminate = "ctrl+h"\nhelp = "f1"\n')
    async with opened(settings=read_settings(path), size=(280, 40)) as pilot:
        (toast,) = toasts(pilot.app)
        assert f"{path}:1: mouse" in toast
        assert f"{path}:3: keys.terminate" in toast
        assert "f1 help" in text(pilot.app).splitlines()[-1]
        await go(pilot, "2")
        assert "t terminate" in text(pilot.app).splitlines()[-1]


async def test_lists_and_dialogs_obey_other_keys():
    keys = {"list-down": "f3", "list-last": "f4", "dialog-close": "f9", "nodes": "f2"}
    async with opened(settings=Settings(keys=keys)) as pilot:
        await go(pilot, "f2")
        nodes = table(pilot.app)
        await go(pilot, "f3", "f3")
        assert nodes.cursor == 2
        await go(pilot, "j")
        assert nodes.cursor == 2
        await go(pilot, "f4")
        assert nodes.cursor == len(nodes.rows) - 1
        await go(pilot, "t")
        assert isinstance(pilot.app.screen, Dialog)
        await go(pilot, "f9")
        assert not isinstance(pilot.app.screen, Dialog)


async def test_help_names_the_other_keys():
    settings = Settings(keys={"messages": "f7", "list-last": "f4"})
    async with opened(settings=settings, size=(120, 150)) as pilot:
        await go(pilot, "question_mark")
        lines = text(pilot.app).splitlines()
        assert "f7" in next(line for line in lines if "All messages" in line)
        assert "f4" in next(line for line in lines if line.strip(" │").endswith(" Last"))


async def test_texts_obey_other_keys():
    async with opened(settings=Settings(keys={"text-close": "f6"})) as pilot:
        await go(pilot, "m")
        assert isinstance(pilot.app.screen, ReadingScreen)
        await go(pilot, "f6")
        assert not isinstance(pilot.app.screen, ReadingScreen)
