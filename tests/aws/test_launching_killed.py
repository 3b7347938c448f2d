"""A launcher that is killed between EC2's act and EC2's reply."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from raytui.backends.aws.session import AwsSession
from tests.aws.emulated import Emulated
from tests.aws.world import World, ids

_LAUNCHER = """
import sys
from raytui.backends.aws.session import AwsSession
from tests.aws.world import REGION, World
World(None, AwsSession({"region": REGION})).launch("request-1", 5)
"""


@pytest.mark.slow
@pytest.mark.parametrize("listed", [True, False])
def test_the_next_process_gets_exactly_what_was_asked_for(
    ec2: Emulated, aws: AwsSession, listed: bool
) -> None:
    ec2.lag_behind = not listed
    held = ec2.hold_reply("RunInstances")
    launcher = subprocess.Popen([sys.executable, "-c", _LAUNCHER])
    assert held.wait(60)
    os.kill(launcher.pid, signal.SIGKILL)
    launcher.wait(10)
    world = World(ec2, aws)
    launched = world.launch("request-1", 5)
    ec2.catch_up()
    assert ids(launched) == sorted(world.at_ec2())
    assert len(launched) == 5
