"""`raytui monitor`: a daemon's log, here and on a head."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from raytui.cli.log_lines import last_lines, new_lines, readable
from raytui.config.locations import ClusterPaths
from tests.cli.conftest import raytui
from tests.support.hosts import wait_until
from tests.support.on_premise import OnPremise


@pytest.mark.ssh
@pytest.mark.slow
def test_the_log_on_the_head_is_followed_and_nothing_stays_there(elsewhere: OnPremise):
    with elsewhere.start("monitor", "away", "--json") as following:
        assert following.stdout is not None
        first = json.loads(following.stdout.readline())
        assert {"ts", "level", "event"} <= first.keys()
        assert watching(elsewhere)
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0
    wait_until(lambda: not watching(elsewhere), "the end of the follower on the head")


@pytest.mark.ssh
@pytest.mark.slow
def test_once_and_for_people(elsewhere: OnPremise):
    done = elsewhere.raytui("monitor", "away", "--no-follow", "--lines", "1")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert "  info     " in line


def watching(cluster: OnPremise) -> bool:
    return "raytui monitor" in cluster.head.run("ps", "-eo", "args")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return ClusterPaths("quiet").make().log


def test_a_daemon_that_is_down_has_its_last_words_read(log: Path):
    log.write_text(
        '{"ts":"2026-01-02T03:04:05.678+00:00","level":"error","event":"no disk","n":1}\n'
    )
    done = raytui("monitor", "quiet", "--no-follow")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("error    no disk  n=1\n")
    assert raytui("monitor", "quiet", "--no-follow", "--json").stdout == log.read_text()


def test_a_cluster_without_a_log_is_told(log: Path):
    assert raytui("monitor", "laptop").returncode == 3


def test_lines_are_followed_into_the_file_that_takes_the_place(log: Path):
    log.write_text("one\ntwo\nhal")
    moves = [
        lambda: log.open("a").write("f\n"),
        lambda: (log.rename(f"{log}.1"), log.write_text("new\n")),
    ]

    def go_on() -> bool:
        if moves:
            moves.pop(0)()
            return True
        return False

    with log.open("rb") as file:
        assert list(last_lines(log, file, 1)) == ["two"]
        assert list(new_lines(log, file, go_on)) == ["half", "new"]


def test_the_last_lines_reach_back_into_the_part_before(log: Path):
    Path(f"{log}.1").write_text("1\n2\n3\n")
    log.write_text("4\n")
    with log.open("rb") as file:
        assert list(last_lines(log, file, 3)) == ["2", "3", "4"]


def test_what_a_line_says_cannot_reach_the_terminal():
    words = {"ts": "2026-01-02T03:04:05+00:00", "level": "info", "event": "\x1b[2J", "who": "a b"}
    assert readable(json.dumps(words)).endswith('info     ·[2J  who="a b"')
    assert readable("no \x1bjson") == "no ·json"
