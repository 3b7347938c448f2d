"""Themes: ours are good, a person's own are used, bad ones are told once."""

from __future__ import annotations

import os
from itertools import combinations
from math import dist
from pathlib import Path

import pytest
from rich._palettes import STANDARD_PALETTE
from rich.color import ColorSystem
from textual.color import Color

from raytui.config import locations
from raytui.config.settings import Settings
from raytui.screens.themes import DEFAULT, FEW_COLOURS, ThemeError, load_themes, read_theme
from raytui.widgets.tokens import token_defaults
from tests.tui.driving import opened, text, toasts

OURS = sorted(locations.packaged("themes").glob("*.yaml"))
INK = ("quiet", "heading", "key", "state-running", "state-starting", "state-idle",
       "state-draining", "state-failed", "state-held")  # fmt: skip


def linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def contrast(a: Color, b: Color) -> float:
    """Contrast ratio after WCAG 2."""

    def luminance(color: Color) -> float:
        return 0.2126 * linear(color.r) + 0.7152 * linear(color.g) + 0.0722 * linear(color.b)

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


APART = 15.0
"""Distance in CIE Lab; about 2 can just be seen side by side."""
STATES = ("state-running", "state-starting", "state-idle", "state-draining", "state-failed",
          "state-held")  # fmt: skip
SIGHTS = {
    # Machado, Oliveira, Fernandes 2009, severity 1.0; for linear RGB.
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
TO_XYZ = (
    # sRGB, D65, each row divided by its white.
    (0.4124 / 0.9505, 0.3576 / 0.9505, 0.1805 / 0.9505),
    (0.2126, 0.7152, 0.0722),
    (0.0193 / 1.089, 0.1192 / 1.089, 0.9505 / 1.089),
)


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def seen_by(sight: str, color: Color) -> list[float]:
    """What such eyes see, as linear RGB."""
    rgb = [linear(value) for value in (color.r, color.g, color.b)]
    return [min(1.0, max(0.0, value)) for value in times(SIGHTS[sight], rgb)]


def distance(one: list[float], other: list[float]) -> float:
    """Between two colours in linear RGB: CIE 1976."""

    def lab(rgb: list[float]) -> tuple[float, float, float]:
        def root(t: float) -> float:
            return t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29

        x, y, z = map(root, times(TO_XYZ, rgb))
        return 116 * y - 16, 500 * (x - y), 200 * (y - z)

    return dist(lab(one), lab(other))


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


def test_there_are_six_of_them():
    assert [path.stem for path in OURS] == [
        "raytui-16", "raytui-contrast", "raytui-dark", "raytui-deuteranopia", "raytui-light",
        "raytui-tritanopia",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sight"),
    [
        ("raytui-deuteranopia", "deuteranopia"),
        ("raytui-deuteranopia", "protanopia"),
        ("raytui-tritanopia", "tritanopia"),
        *(("raytui-contrast", sight) for sight in ("protanopia", "deuteranopia", "tritanopia")),
    ],
)
def test_states_stay_apart_for_colour_blind_eyes(name, sight):
    theme = read_theme(locations.packaged("themes") / f"{name}.yaml")
    seen = {state: seen_by(sight, Color.parse(theme.variables[state])) for state in STATES}
    for one, other in combinations(STATES, 2):
        assert distance(seen[one], seen[other]) >= APART, f"{one} and {other}"


def test_the_usual_theme_is_not_for_those_eyes():
    theme = read_theme(locations.packaged("themes") / "raytui-dark.yaml")
    seen = [seen_by("tritanopia", Color.parse(theme.variables[state])) for state in STATES]
    assert min(distance(one, other) for one, other in combinations(seen, 2)) < APART


def test_the_theme_for_sixteen_colours_has_no_others():
    theme = read_theme(locations.packaged("themes") / "raytui-16.yaml")
    colours = [getattr(theme, name) for name in ("primary", "foreground", "background", "error")]
    for value in [*colours, *theme.variables.values()]:
        rich = Color.parse(value).rich_color
        number = rich.downgrade(ColorSystem.STANDARD).number
        assert STANDARD_PALETTE[number].hex == value


async def test_a_terminal_of_sixteen_colours_gets_that_theme(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLORTERM")
    async with opened() as pilot:
        assert pilot.app.theme == FEW_COLOURS
    async with opened(settings=Settings(theme="raytui-light")) as pilot:
        assert pilot.app.theme == "raytui-light"


async def test_a_persons_own_theme_can_be_chosen():
    own_theme("mine.yaml", 'name: mine\nprimary: "#ff00ff"\n')
    async with opened(settings=Settings(theme="mine")) as pilot:
        assert pilot.app.theme == "mine"
        assert toasts(pilot.app) == []


async def test_a_theme_may_be_toml_too():
    own_theme(
        "mine.toml",
        'name = "mine"\nprimary = "#ff00ff"\n[variables]\n"state-failed" = "#ff8800"\n',
    )
    async with opened(settings=Settings(theme="mine")) as pilot:
        assert pilot.app.theme == "mine"
        assert pilot.app.get_css_variables()["state-failed"] == "#ff8800"
        assert toasts(pilot.app) == []


async def test_bad_theme_files_are_told_in_one_toast_and_the_usual_theme_is_used():
    own_theme("broken.yaml", "name: [")
    own_theme("colour.yaml", 'name: x\nprimary: "no colour"\n')
    own_theme("half.toml", "name = ")
    async with opened(settings=Settings(theme="x")) as pilot:
        assert pilot.app.theme == DEFAULT
        (toast,) = toasts(pilot.app)
        for words in ("broken.yaml", "colour.yaml", "half.toml", "x: there is no such theme"):
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
