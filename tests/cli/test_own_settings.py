"""Flags win over the settings file, also over what it says of one cluster."""

from __future__ import annotations

from raytui.cli.own_settings import own_settings
from raytui.config.settings_file import settings_file


def written(text: str) -> None:
    path = settings_file()
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_the_file_holds_where_no_flag_says_otherwise():
    written('theme = "a"\nmouse = false\n[clusters.prod]\ntheme = "b"\n')
    settings = own_settings()
    assert (settings.mouse, settings.theme, settings.of_cluster("prod").theme) == (False, "a", "b")


def test_a_theme_given_as_a_flag_holds_for_every_cluster():
    written('theme = "a"\n[clusters.prod]\ntheme = "b"\nproduction = true\n')
    prod = own_settings(theme="c").of_cluster("prod")
    assert (prod.theme, prod.production) == ("c", True)


def test_no_mouse_wins():
    written("mouse = true\n")
    assert own_settings(no_mouse=True).mouse is False
