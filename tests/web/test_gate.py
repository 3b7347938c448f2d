"""Who may come in: every check of every request, as raw requests see it."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from raytui.web.gate import Gate
from raytui.web.server import listening
from tests.web.conftest import SOCKET, Served, raw

PATHS = ("/", "/ws", "/static/js/textual.js", "/download/anything")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:{port}.evil.example",
        "127.0.0.2:{port}",
        "[::1]:{port}",
        "0.0.0.0:{port}",
        "LOCALHOST.:{port}",
        "",
    ],
)
async def test_another_name_for_this_machine_is_refused(served: Served, host: str):
    cookie = await served.enter()
    answer = await served.ask("/", f"Cookie: {cookie}", host=host.format(port=served.port))
    assert answer.status == 403


async def test_two_names_or_none_are_refused(served: Served):
    cookie = await served.enter()
    twice = await served.ask("/", "Host: evil.example", f"Cookie: {cookie}")
    none = await raw(served.port, ["GET / HTTP/1.1", f"Cookie: {cookie}"])
    assert {twice.status, none.status} <= {400, 403}


async def test_both_own_names_are_answered(served: Served):
    cookie = await served.enter()
    for host in (f"127.0.0.1:{served.port}", f"localhost:{served.port}"):
        answer = await served.ask("/", f"Cookie: {cookie}", host=host)
        assert answer.status == 200
        assert f"ws://{host}/ws" in answer.body


async def test_another_name_does_not_spend_the_token(served: Served):
    target = urlsplit(served.gate.link)
    link = f"{target.path}?{target.query}"
    assert (await served.ask(link, host="evil.example")).status == 403
    assert await served.enter()


@pytest.mark.parametrize("path", PATHS)
async def test_without_the_cookie_nothing_is_served(served: Served, path: str):
    answer = await served.ask(path, f"Origin: {served.origin}")
    assert answer.status == 401
    await served.enter()
    assert (await served.ask(path, f"Origin: {served.origin}")).status == 401


@pytest.mark.parametrize("token", ["", "wrong", "é"])
async def test_a_wrong_token_neither_enters_nor_spends_the_right_one(served: Served, token: str):
    answer = await served.ask(f"/?token={token.encode().hex() if token == 'é' else token}")
    assert answer.status == 401
    assert "set-cookie" not in answer.headers
    assert await served.enter()


async def test_the_token_is_good_once(served: Served):
    target = urlsplit(served.gate.link)
    await served.enter()
    again = await served.ask(f"{target.path}?{target.query}")
    assert again.status == 401
    assert "set-cookie" not in again.headers


async def test_a_look_at_the_head_alone_does_not_spend_the_token(served: Served):
    target = urlsplit(served.gate.link)
    assert (await served.ask(f"/?{target.query}", method="HEAD")).status == 401
    assert await served.enter()


async def test_the_cookie_is_kept_from_scripts_and_other_sites(served: Served):
    target = urlsplit(served.gate.link)
    answer = await served.ask(f"{target.path}?{target.query}")
    parts = {part.strip() for part in answer.headers["set-cookie"].split(";")}
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= parts
    token = parse_qs(target.query)["token"][0]
    assert token not in answer.body
    assert token not in str(answer.headers)


async def test_a_cookie_of_another_server_does_not_enter(served: Served):
    await served.enter()
    other = Gate(served.port)
    (token,) = parse_qs(urlsplit(other.link).query)["token"]
    session = other.exchange(token)
    assert (await served.ask("/", f"Cookie: {other.cookie}={session}")).status == 401


def test_the_token_has_256_bits_and_is_never_the_same():
    tokens = {parse_qs(urlsplit(Gate(1).link).query)["token"][0] for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(base64.urlsafe_b64decode(token + "=")) == 32 for token in tokens)


def test_nobody_is_known_before_the_link_was_used():
    gate = Gate(1)
    assert not gate.knows({gate.cookie: ""})
    assert gate.exchange("") is None


FOREIGN = (
    "http://evil.example",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1:1",
    "http://localhost:{port}",
    "null",
)


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_socket_of_another_page_is_refused(served: Served, origin: str):
    cookie = f"Cookie: {await served.enter()}"
    foreign = f"Origin: {origin.format(port=served.port)}"
    assert (await served.ask("/ws", cookie, foreign, *SOCKET)).status == 403


async def test_a_socket_without_an_origin_is_refused(served: Served):
    cookie = f"Cookie: {await served.enter()}"
    assert (await served.ask("/ws", cookie, *SOCKET)).status == 403


async def test_the_own_page_gets_its_socket(served: Served):
    cookie = f"Cookie: {await served.enter()}"
    answer = await served.ask("/ws", cookie, f"Origin: {served.origin}", *SOCKET)
    assert answer.status == 101


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_what_does_more_than_to_read_must_tell_its_origin(served: Served, method: str):
    cookie = f"Cookie: {await served.enter()}"
    for origin in ("http://evil.example", "null"):
        assert (await served.ask("/", cookie, f"Origin: {origin}", method=method)).status == 403
    assert (await served.ask("/", cookie, method=method)).status == 403
    # None of them is served, but only our own page is told so.
    own = await served.ask("/", cookie, f"Origin: {served.origin}", method=method)
    assert own.status == 405


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_download_for_another_page_is_refused(served: Served, site: str):
    cookie = f"Cookie: {await served.enter()}"
    assert (await served.ask("/download/x", cookie, f"Sec-Fetch-Site: {site}")).status == 403
    assert (await served.ask("/download/x", cookie, "Origin: http://evil.example")).status == 403
    assert (await served.ask("/download/x", cookie, "Sec-Fetch-Site: same-origin")).status == 404


async def test_every_answer_forbids_to_keep_frame_or_load_from_elsewhere(served: Served):
    cookie = f"Cookie: {await served.enter()}"
    answers = [
        await served.ask("/"),
        await served.ask("/", host="evil.example"),
        await served.ask("/", cookie),
        await served.ask("/nothing", cookie),
        await served.ask("/static/js/textual.js", cookie),
    ]
    assert [answer.status for answer in answers] == [401, 403, 200, 404, 200]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self';" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/", "/static/../server.py", "/static/%2e%2e/server.py"])
async def test_of_the_package_only_the_pages_files_are_served(served: Served, path: str):
    cookie = f"Cookie: {await served.enter()}"
    assert (await served.ask(path, cookie)).status in (403, 404)


def test_only_this_machine_can_connect():
    taken = listening(0)
    assert taken.getsockname()[0] == "127.0.0.1"
    taken.close()
