"""A head that is noted here and no longer there: found again, or told to be gone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from msgspec.structs import replace

from raytui.backends.ssh.errors import UnreachableError
from raytui.client.head_words import what_head_said
from raytui.client.transport import LastingError
from raytui.config.launched import remember
from raytui.launcher.head_place import (
    HeadNotFoundError,
    HeadPlace,
    head_place,
    note_place,
    noted_place,
)
from raytui.launcher.reach import head_that_answers, stream_to_head
from tests.aws.laptop import Laptop

BEFORE = "192.0.2.1"
NO_CONNECTION = f"ssh: connect to host {BEFORE} port 22: Connection timed out"


@pytest.fixture
def moved(laptop: Laptop) -> HeadPlace:
    """Where the head is, though the note says that it is where it was before."""
    laptop.up()
    place = head_place(laptop.cluster(), laptop.paths)
    note_place(laptop.paths, replace(place, address=BEFORE))
    return place


def test_a_command_finds_it_again(laptop: Laptop, moved: HeadPlace):
    with pytest.raises(UnreachableError, match=moved.address):
        head_that_answers(laptop.cluster(), laptop.paths)
    assert noted_place(laptop.paths) == moved


def test_a_screen_finds_it_again(laptop: Laptop, moved: HeadPlace):
    error = what_head_said(laptop.cluster(), laptop.paths, 255, NO_CONNECTION)
    assert "has another address by now" in str(error)
    assert moved.address in stream_to_head(laptop.cluster(), laptop.paths, "daemon")


def test_a_head_that_has_ended_is_told_to_be_gone(laptop: Laptop, moved: HeadPlace):
    laptop.ec2.take_back(moved.machine, "Server.InternalError", "the host failed")
    with pytest.raises(HeadNotFoundError, match=r"no head of it runs. Bring it up: raytui up"):
        head_that_answers(laptop.cluster(), laptop.paths)
    told = what_head_said(laptop.cluster(), laptop.paths, 255, NO_CONNECTION)
    assert isinstance(told, LastingError)


def test_where_nobody_can_be_asked_it_is_where_it_was(
    laptop: Laptop, moved: HeadPlace, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UnreachableError, match=BEFORE):
        head_that_answers(laptop.cluster(), laptop.paths)


LOOK = """
import sys
from raytui.cli.cluster import client_of
client_of("mine")
print(*sorted({"boto3", "botocore"} & set(sys.modules)))
"""


def test_who_looks_at_a_noted_head_loads_nothing_of_aws(laptop: Laptop):
    remember(laptop.paths, laptop.cluster())
    note_place(laptop.paths, HeadPlace("i-1", BEFORE, "i-1"))
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("\n", 0), done.stderr
