"""Every page and dialog at every size: nothing dies, what matters most stays."""

from __future__ import annotations

import pytest

from tests.tui.driving import go, opened, table, text

SIZES = [
    (80, 24),
    *(
        pytest.param(size, marks=pytest.mark.slow)
        for size in ((200, 60), (60, 15), (20, 5), (5, 2))
    ),
]


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
async def test_every_page_and_dialog_can_be_shown(size):
    async with opened(size=size) as pilot:
        for keys in (
            ["question_mark", "escape"],
            ["r", "escape"],
            ["colon", "escape"],
            ["down", "equals_sign", "escape"],
            ["2", "down", "t", "escape", "enter", "escape", "slash", "g", "escape"],
            ["3", "enter", "escape"],
            ["m", "escape", "1"],
        ):
            await go(pilot, *keys)
        assert pilot.app.screen.page == "cluster"


async def test_eighty_columns_keep_name_state_and_reason():
    async with opened(size=(80, 24)) as pilot:
        shown = text(pilot.app)
        assert "prod-west" in shown
        assert "CPU   6/12" in shown
        assert "■ blocked" in shown
        await go(pilot, "2")
        shown = text(pilot.app)
        line = next(line for line in shown.splitlines() if "i-0b77" in line)
        assert "◌ idle" in line
        assert "idle 3m4" in line
        assert "? help" in shown.splitlines()[-1]


async def test_no_line_is_longer_than_the_terminal_and_columns_line_up():
    async with opened(size=(120, 30)) as pilot:
        await go(pilot, "2")
        lines = text(pilot.app).splitlines()
        title = next(line for line in lines if "WHY IT IS HERE" in line)
        at = title.index("STATUS")
        for row in table(pilot.app).rows:
            line = next(line for line in lines if row.id in line)
            assert line[at] in "●◌◐▽✕", line


async def test_a_terminal_that_grows_and_shrinks_keeps_the_selection():
    async with opened(size=(120, 40)) as pilot:
        await go(pilot, "2", *["down"] * 8)
        chosen = table(pilot.app).selected.id
        for size in ((60, 10), (160, 50), (80, 8)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert table(pilot.app).selected.id == chosen
            assert chosen in text(pilot.app)
