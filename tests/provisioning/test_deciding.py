"""What a node needs, by what it was made from."""

from __future__ import annotations

import pytest

from raytui.provisioning.deciding import Change, Restarts, Work, decide
from raytui.provisioning.hashes import NodeHashes

WANTED = NodeHashes(launch="l", runtime="r", contents="c")
BARE = NodeHashes(launch="l")
OTHER_COMMANDS = NodeHashes("l", "old", "c")
OTHER_FILES = NodeHashes("l", "r", "old")

SET_UP, RESYNC, NOTHING = Change.SET_UP, Change.RESYNC, Change.NOTHING
NO_RESTART, RESTART_ONLY = Restarts(no_restart=True), Restarts(restart_only=True)


@pytest.mark.parametrize(
    ("known", "restarts", "head", "worker"),
    [
        (BARE, Restarts(), Work(SET_UP, True, True), Work(SET_UP, True, True)),
        (WANTED, Restarts(), Work(NOTHING, False, True), Work(NOTHING)),
        (OTHER_FILES, Restarts(), Work(RESYNC, False, True), Work(RESYNC)),
        (OTHER_COMMANDS, Restarts(), Work(SET_UP, True, True), Work(SET_UP, True, True)),
        (BARE, NO_RESTART, Work(SET_UP, True, True), Work(SET_UP, True, True)),
        (WANTED, NO_RESTART, Work(NOTHING), Work(NOTHING)),
        (OTHER_COMMANDS, NO_RESTART, Work(SET_UP, True, False), Work(SET_UP, True, False)),
        (BARE, RESTART_ONLY, Work(SET_UP, True, True), Work(SET_UP, True, True)),
        (WANTED, RESTART_ONLY, Work(NOTHING, False, True), Work(NOTHING)),
        (OTHER_COMMANDS, RESTART_ONLY, Work(SET_UP, False, True), Work(SET_UP, False, True)),
    ],
)
def test_only_what_is_different_is_done(
    known: NodeHashes, restarts: Restarts, head: Work, worker: Work
):
    assert decide(known, WANTED, is_head=True, restarts=restarts) == head
    assert decide(known, WANTED, is_head=False, restarts=restarts) == worker


@pytest.mark.parametrize("restarts", [Restarts(), NO_RESTART, RESTART_ONLY])
@pytest.mark.parametrize("is_head", [True, False])
def test_a_container_that_is_gone_is_set_up_from_the_start(is_head: bool, restarts: Restarts):
    work = decide(WANTED, WANTED, is_head=is_head, container_waits=True, restarts=restarts)
    assert work == Work(SET_UP, setup_commands=True, start_ray=True)


def test_another_machine_or_type_is_launched_anew():
    other = NodeHashes("old", "r", "c")
    assert decide(other, WANTED, is_head=True) == Work(Change.RELAUNCH)
    assert decide(WANTED, WANTED, is_head=True, same_type=False) == Work(Change.RELAUNCH)


def test_files_that_nobody_looked_at_are_not_copied_again():
    assert decide(WANTED, NodeHashes("l", "r"), is_head=False) == Work(NOTHING)


@pytest.mark.parametrize("restarts", [Restarts(), NO_RESTART, RESTART_ONLY])
def test_a_machine_that_is_given_again_needs_rays_start_and_what_is_different(restarts: Restarts):
    def work(known: NodeHashes) -> Work:
        return decide(known, WANTED, is_head=False, fresh=True, restarts=restarts)

    assert work(WANTED) == Work(NOTHING, start_ray=True)
    assert work(OTHER_FILES) == Work(RESYNC, start_ray=True)
    assert work(OTHER_COMMANDS) == Work(SET_UP, setup_commands=True, start_ray=True)
    assert work(NodeHashes("old", "r", "c")) == Work(NOTHING, start_ray=True), "it is what there is"
