"""Launching under random faults: in the end there are exactly the instances that were asked for."""

from __future__ import annotations

import random

import pytest

from raytui.backends.base import PartialLaunchError, ProviderError, ThrottledError, TransientError
from tests.aws.world import A, B, World, ids

_ROUNDS = 40


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_whatever_fails_each_request_gets_what_it_asked_for_once(world: World, seed: int) -> None:
    chance = random.Random(seed)
    wanted = {f"request-{number}": chance.randint(1, 6) for number in range(4)}
    answers: dict[str, list[str]] = {}
    for _ in range(_ROUNDS):
        _stir(world, chance)
        for name in sorted(wanted.keys() - answers.keys()):
            machines = world.again() if chance.random() < 0.3 else world.machines
            try:
                answers[name] = ids(machines.launch(world.request(name, wanted[name])))
            except PartialLaunchError as partly:
                answers[name] = ids(partly.launched)
                wanted[name] = len(partly.launched)
            except (ThrottledError, TransientError):
                continue  # left open: the same request is made again
            except ProviderError:
                answers[name], wanted[name] = [], 0
        if answers.keys() == wanted.keys():
            break
    world.ec2.faults.clear()
    world.ec2.catch_up()
    assert {name: len(answer) for name, answer in answers.items()} == wanted
    given = sorted(instance for answer in answers.values() for instance in answer)
    assert given == sorted(world.at_ec2()) == ids(world.again().list_instances())


def _stir(world: World, chance: random.Random) -> None:
    """Other faults, other capacity; the later, the fewer."""
    ec2 = world.ec2
    ec2.faults.clear()
    world.now += chance.uniform(0, 20)
    if chance.random() < 0.3:
        ec2.lose_reply("RunInstances", times=chance.randint(1, 4))
    if chance.random() < 0.2:
        ec2.fail("RunInstances", "RequestLimitExceeded", status=503, times=chance.randint(1, 3))
    if chance.random() < 0.2:
        ec2.fail("DescribeInstances", "InternalError", status=500, times=2)
    ec2.room = {("m5.large", zone): chance.randint(0, 9) for zone in (A, B)}
    if chance.random() < 0.5:
        ec2.lag_behind = not ec2.lag_behind
    if chance.random() < 0.3:
        ec2.catch_up()
