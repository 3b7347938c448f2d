"""A file that a program offers is saved by the browser that runs it, and never shown as a page."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import ClientSession, WSMsgType

from tests.web.conftest import WAIT_S, serving, tab

OFFERING = (sys.executable, str(Path(__file__).with_name("offering.py")))


async def test_what_is_offered_can_be_saved_once():
    async for served in serving(OFFERING):
        cookie = await served.enter()
        async with ClientSession() as session, tab(session, served, cookie) as connection:
            key = ""
            async with asyncio.timeout(WAIT_S):
                while not key:
                    message = await connection.receive()
                    if message.type is WSMsgType.TEXT and message.json()[0] == "deliver_file_start":
                        key = message.json()[1]
            assert (await served.ask(f"/download/{key}")).status == 401
            address = f"{served.origin}/download/{key}"
            async with session.get(address, headers={"Cookie": cookie}) as answer:
                assert answer.status == 200
                assert await answer.text() == "name,type\nn1,cpu\n"
                assert answer.content_type == "application/octet-stream"
                disposition = answer.headers["Content-Disposition"]
                assert disposition == "attachment; filename*=UTF-8''no-des--.html"
            async with session.get(address, headers={"Cookie": cookie}) as again:
                assert again.status == 404
