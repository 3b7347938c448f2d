"""Without Unicode every sign has an ASCII form of the same width, on every screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

import raytui
from raytui.config.settings import Settings
from raytui.config.terminal_abilities import shows_unicode
from raytui.widgets.glyphs import ASCII_SIGNS, in_ascii
from tests.tui.driving import go, opened, text

IN_STRINGS = re.compile(r"[^\x00-\x7f]")
DRAWN = [
    path
    for room in ("screens", "widgets")
    for path in sorted((Path(raytui.__file__).parent / room).glob("*.py"))
]


def test_each_sign_is_one_column_for_one_column():
    for sign, plain in ASCII_SIGNS.items():
        assert cell_len(chr(sign)) == 1, chr(sign)
        assert len(plain) == 1 and plain.isascii()


@pytest.mark.parametrize("path", DRAWN, ids=lambda path: path.stem)
def test_every_sign_that_screens_draw_has_a_form_of_its_own(path):
    signs = set(IN_STRINGS.findall(path.read_text()))
    braille = {sign for sign in signs if 0x2800 <= ord(sign) < 0x2900}
    assert {sign for sign in signs - braille if in_ascii(sign) == "?"} == set()


@pytest.mark.parametrize("words", ["Zürich", "日本", "é\u0301", "a\u200bb", "🚀 x", "\u202e"])
def test_any_text_keeps_its_width(words):
    assert in_ascii(words).isascii()
    assert cell_len(in_ascii(words)) == cell_len(words)


@pytest.mark.parametrize("keys", [("1",), ("2",), ("2", "enter"), ("3",), ("question_mark",),
                                  ("2", "down", "t"), ("ctrl+p",)])  # fmt: skip
async def test_no_screen_lets_more_than_ascii_out(keys):
    async with opened(settings=Settings(unicode=False)) as pilot:
        await go(pilot, *keys)
        assert text(pilot.app).isascii()


async def test_the_signs_stay_distinct_and_the_words_stay():
    async with opened(settings=Settings(unicode=False)) as pilot:
        shown = text(pilot.app)
    for words in ("* autoscaler live", "~ starting", "# blocked", "x infeasible", "> head"):
        assert words in shown


@pytest.mark.parametrize(
    ("world", "shown"),
    [
        ({"LC_ALL": "C"}, False),
        ({"LANG": "C"}, False),
        ({"LANG": "POSIX"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "en_US.utf8"}, True),
        ({"LANG": "C", "LC_ALL": "en_US.UTF-8"}, True),
        ({}, True),
    ],
)
def test_the_locale_decides(monkeypatch, world, shown):
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in world.items():
        monkeypatch.setenv(name, value)
    assert shows_unicode("auto") is shown
    assert shows_unicode(not shown) is not shown
