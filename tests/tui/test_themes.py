"""Themes: ours are good, a person's own are used, bad ones are told once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.color import Color

from raytui.config import locations
from raytui.screens.themes import DEFAULT, ThemeError, load_themes, read_theme
from raytui.widgets.tokens import token_defaults
from tests.tui.driving import opened, text, toasts

OURS = sorted(locations.packaged("themes").glob("*.yaml"))
INK = ("quiet", "heading", "key", "state-running", "state-starting", "state-idle",
       "state-draining", "state-failed", "state-held")  # fmt: skip


def contrast(a: Color, b: Color) -> float:
    """Contrast ratio after WCAG 2."""

    def luminance(color: Color) -> float:
        def linear(value: int) -> float:
            share = value / 255
            return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

        return 0.2126 * linear(color.r) + 0.7152 * linear(color.g) + 0.0722 * linear(color.b)

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def own_theme(name: str, content: str) -> None:
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "raytui" / "themes"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_themes_have_every_token_and_can_be_read(path):
    theme = read_theme(path)
    assert set(theme.variables) == set(token_defaults(theme))
    least = 7.0 if theme.name == "raytui-contrast" else 4.5
    paper = Color.parse(theme.background)
    for name in INK:
        assert contrast(Color.parse(theme.variables[name]), paper) >= least, name


def test_there_are_three_of_them():
    assert [path.stem for path in OURS] == ["raytui-contrast", "raytui-dark", "raytui-light"]


async def test_a_persons_own_theme_can_be_chosen():
    own_theme("mine.yaml", 'name: mine\nprimary: "#ff00ff"\n')
    async with opened(theme="mine") as pilot:
        assert pilot.app.theme == "mine"
        assert toasts(pilot.app) == []


async def test_bad_theme_files_are_told_in_one_toast_and_the_usual_theme_is_used():
    own_theme("broken.yaml", "name: [")
    own_theme("colour.yaml", 'name: x\nprimary: "no colour"\n')
    async with opened(theme="x") as pilot:
        assert pilot.app.theme == DEFAULT
        (toast,) = toasts(pilot.app)
        for words in ("broken.yaml", "colour.yaml", "x: there is no such theme"):
            assert words in toast


@pytest.mark.parametrize(
    "content",
    ["", "- a", "name: x", "primary: '#fff'", 'name: x\nprimary: "#fff"\nextra: 1',
     'name: x\nprimary: "#fff"\nvariables: [1]', 'name: x\nprimary: "#fff"\ndark: maybe',
     "!!python/object/apply:os.system ['true']", "\x00"],
)  # fmt: skip
def test_bad_files_are_a_clear_error(tmp_path, content):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(ThemeError):
        read_theme(path)


def test_a_bad_file_keeps_no_other_from_loading():
    own_theme("broken.yaml", "name: [")
    themes, wrong = load_themes()
    assert {theme.name for theme in themes} >= {"raytui-dark", "raytui-light", "raytui-contrast"}
    assert len(wrong) == 1


@pytest.mark.parametrize("name", ["nord", "textual-light", "ansi-dark", "raytui-contrast"])
async def test_every_theme_can_be_changed_to_while_running(name):
    async with opened() as pilot:
        pilot.app.theme = name
        await pilot.pause()
        assert "cpu-small" in text(pilot.app)


async def test_no_color_keeps_every_glyph_and_word(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened() as pilot:
        shown = text(pilot.app)
    for words in ("● autoscaler live", "◐ starting", "■ blocked", "✕ infeasible", "▸ head"):
        assert words in shown
