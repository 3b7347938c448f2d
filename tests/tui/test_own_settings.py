"""Settings at work: clusters of their own, and commands of one's own."""

from __future__ import annotations

import pytest

from raytui.config.settings import ClusterSettings, OwnCommand, Settings
from raytui.screens.choose import ChooseScreen
from raytui.screens.owncommands import argv_of
from raytui.screens.verb import VerbError
from tests.tui.driving import command, go, opened, recorded, text, toasts

NAME = recorded().name
SSH = OwnCommand(("ssh", "$NODE_IP", "uptime of $NODE_ID"), "Log in")
VALUES = {"NODE_ID": "i-1", "NODE_IP": "10.0.0.7", "CLUSTER": "a b; rm", "ID": "-rf"}


def of_cluster(**own: object) -> Settings:
    return Settings(clusters={NAME: ClusterSettings(**own)})  # type: ignore[arg-type]


async def test_production_says_so_and_has_a_frame_of_its_own():
    async with opened(settings=of_cluster(production=True)) as pilot:
        assert " PRODUCTION " in text(pilot.app).splitlines()[0]
        variables = pilot.app.get_css_variables()
        assert variables["frame"] == variables["state-failed"]


async def test_other_clusters_are_as_usual():
    settings = Settings(clusters={"another": ClusterSettings(production=True, theme="nord")})
    async with opened(settings=settings) as pilot:
        assert "PRODUCTION" not in text(pilot.app)
        assert pilot.app.theme == "raytui-dark"


async def test_a_cluster_has_its_theme_and_its_frame():
    async with opened(settings=of_cluster(theme="raytui-light", frame="#8a5a00")) as pilot:
        assert pilot.app.theme == "raytui-light"
        assert pilot.app.get_css_variables()["frame"] == "#8a5a00"


async def test_a_cluster_that_is_read_only_by_settings_can_be_changed_after_ctrl_r():
    client = recorded()
    async with opened(client, settings=of_cluster(read_only=True)) as pilot:
        await go(pilot, "p")
        assert client.sent == []
        await go(pilot, "ctrl+r", "p")
        assert len(client.sent) == 1


async def test_the_settings_say_above_how_many_the_number_is_typed_and_how_long_it_waits():
    settings = Settings(confirm_above=5, clusters={NAME: ClusterSettings(undo_s=0.0)})
    async with opened(settings=settings) as pilot:
        safety = pilot.app.session.safety
        assert (safety.type_above, safety.undo_s) == (5, 0.0)


def test_each_value_stays_in_its_argument():
    argv = argv_of(OwnCommand(("x", "$CLUSTER", "${NODE_ID}/log", "$HOME", "$$")), VALUES)
    assert argv == ["x", "a b; rm", "i-1/log", "$HOME", "$"]


def test_a_value_is_never_read_as_an_option():
    with pytest.raises(VerbError):
        argv_of(OwnCommand(("rm", "$ID")), VALUES)
    assert argv_of(OwnCommand(("rm", "--id=$ID")), VALUES) == ["rm", "--id=-rf"]


def test_a_value_that_is_not_known_is_told():
    with pytest.raises(VerbError, match="NODE_IP"):
        argv_of(SSH, VALUES | {"NODE_IP": ""})


async def test_a_command_is_shown_in_full_before_it_runs():
    async with opened(settings=Settings(commands={"ssh": SSH})) as pilot:
        await go(pilot, "2", "down")
        row = pilot.app.screen.table.selected
        await command(pilot, "run ssh")
        assert isinstance(pilot.app.screen, ChooseScreen)
        assert f"ssh {row.member.instance.ip} 'uptime of {row.id}'" in text(pilot.app)
        await go(pilot, "escape")
        assert not isinstance(pilot.app.screen, ChooseScreen)
        assert toasts(pilot.app) == []


async def test_read_only_refuses_commands_but_those_that_only_read():
    commands = {"ssh": SSH, "ping": OwnCommand(("ping", "$NODE_IP"), "", True)}
    client = recorded(read_only=True)
    async with opened(client, settings=Settings(commands=commands)) as pilot:
        await go(pilot, "2", "down")
        await command(pilot, "run ssh")
        assert not isinstance(pilot.app.screen, ChooseScreen)
        assert "read-only" in toasts(pilot.app)[-1]
        await command(pilot, "run ping")
        assert isinstance(pilot.app.screen, ChooseScreen)


async def test_read_only_turned_on_while_the_question_stands_there_holds():
    client = recorded()
    async with opened(client, settings=Settings(commands={"ssh": SSH})) as pilot:
        await go(pilot, "2", "down")
        await command(pilot, "run ssh")
        client.read_only = True
        await go(pilot, "enter")
        assert "read-only" in toasts(pilot.app)[-1]


async def test_commands_are_offered_by_their_key():
    async with opened(settings=Settings(commands={"ssh": SSH})) as pilot:
        await go(pilot, "exclamation_mark")
        assert "Log in" in text(pilot.app)
