"""Ray's token: where it is found, to whom it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytui.config import ray_token
from raytui.ray.authentication import headers_for

HERE = "http://127.0.0.1:8265"
ELSEWHERE = "http://ray.example.org:8265"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a token."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def file(home: Path) -> Path:
    """Where Ray keeps a person's token, with one in it."""
    (home / ".ray").mkdir()
    path = home / ".ray" / "auth_token"
    path.write_text("from-the-file\n")
    return path


def test_without_a_token_nothing_is_said() -> None:
    assert ray_token.mode() == "disabled"
    assert headers_for(HERE) == {}


def test_a_token_of_the_home_is_shown_on_this_machine_alone(file: Path) -> None:
    assert ray_token.mode() == "token"
    assert headers_for(HERE) == {"Authorization": "Bearer from-the-file"}
    assert headers_for("http://[::1]:1") == headers_for("http://localhost:1") == headers_for(HERE)
    assert headers_for(ELSEWHERE) == {}


def test_a_token_that_was_named_is_shown_to_any_host(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(file))
    assert headers_for(ELSEWHERE) == {"Authorization": "Bearer from-the-file"}
    monkeypatch.setenv("RAY_AUTH_TOKEN", "named")
    assert headers_for(ELSEWHERE) == {"Authorization": "Bearer named"}


def test_who_has_switched_tokens_off_shows_none(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert ray_token.token() == ""
    assert headers_for(HERE) == {}


def test_what_is_no_text_is_no_token(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    assert ray_token.token() == ""
