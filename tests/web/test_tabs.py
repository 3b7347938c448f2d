"""A tab and its program: they begin and end together, and are few."""

from __future__ import annotations

import asyncio
import sys
import time

import psutil
import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError

from raytui.web.server import MOST_TABS
from raytui.web.words import MOST_CELLS, Resized, Typed, WordError, read_word
from tests.web.conftest import WAIT_S, Served, serving, shows, tab


def programs() -> list[psutil.Process]:
    """The programs that our servers run now."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and "raytui" in child.cmdline()
    ]


async def none_left() -> None:
    end = time.monotonic() + WAIT_S
    while programs():
        assert time.monotonic() < end, programs()
        await asyncio.sleep(0.05)


async def test_a_tab_shows_the_cluster_and_ends_its_program_with_it(served: Served):
    cookie = await served.enter()
    async with ClientSession() as session:
        async with tab(session, served, cookie) as connection:
            await shows(connection, "simulated-12")
            assert len(programs()) == 1
        await none_left()


async def test_leaving_the_program_ends_the_connection(served: Served):
    cookie = await served.enter()
    async with ClientSession() as session, tab(session, served, cookie) as connection:
        await shows(connection, "simulated-12")
        await connection.send_json(["stdin", "q"])
        async with asyncio.timeout(WAIT_S):
            while (await connection.receive()).type is WSMsgType.BINARY:
                pass
        assert connection.closed
    await none_left()


async def test_there_are_only_a_few_tabs_at_a_time(served: Served):
    cookie = await served.enter()
    async with ClientSession() as session:
        tabs = [await tab(session, served, cookie) for _ in range(MOST_TABS)]
        with pytest.raises(WSServerHandshakeError) as refused:
            await tab(session, served, cookie)
        assert refused.value.status == 503
        for one in tabs:
            await one.close()
        await none_left()
        async with tab(session, served, cookie) as connection:
            await shows(connection, "simulated-12")


@pytest.mark.parametrize("said", ["no JSON", "{}", '["stdin", 5]', '["resize", {}]', "[]"])
async def test_what_the_page_never_says_ends_the_connection(served: Served, said: str):
    cookie = await served.enter()
    async with ClientSession() as session, tab(session, served, cookie) as connection:
        await connection.send_str(said)
        async with asyncio.timeout(WAIT_S):
            while (await connection.receive()).type is WSMsgType.BINARY:
                pass
        assert connection.closed
    await none_left()


async def test_a_program_that_cannot_begin_says_where_to_look():
    argv = (sys.executable, "-m", "raytui", "open", "nosuchcluster")
    async for served in serving(argv):
        cookie = await served.enter()
        async with ClientSession() as session, tab(session, served, cookie) as connection:
            await shows(connection, "on the terminal of raytui web")
        await none_left()


def test_a_terminal_has_a_size_within_reason():
    said = read_word('["resize", {"width": 999999999, "height": -4}]')
    assert said == Resized(MOST_CELLS, 1)


def test_a_paste_is_what_a_terminal_sends():
    assert read_word('["stdin", "\\u001b[200~x"]') == Typed("\x1b[200~x")


@pytest.mark.parametrize("said", ["null", '"stdin"', '["resize", {"width": "a", "height": 1}]'])
def test_other_words_are_errors(said: str):
    with pytest.raises(WordError):
        read_word(said)
