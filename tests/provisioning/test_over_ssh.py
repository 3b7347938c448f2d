"""Setting a real host up over SSH."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytui.backends.ssh.connection import SshConnection
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.runner import SshRunner
from raytui.backends.ssh.target import ssh_target
from raytui.model.spec import AuthSpec
from raytui.model.step import Step
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.many_nodes import update_nodes
from raytui.provisioning.node_setup import NodeSetup
from raytui.provisioning.node_update import NodeUpdate
from tests.support import hosts

pytestmark = [pytest.mark.ssh, pytest.mark.slow]


def test_two_hosts_are_set_up_and_a_failed_step_is_tried_again_alone(tmp_path: Path):
    code = tmp_path / "code"
    code.mkdir()
    (code / "main.py").write_text("print('from main')")
    commands = (
        "echo once >> ~/first",
        "echo $WHO; test -e ~/fixed",
        "cat ~/deep/code/main.py > ~/last",
    )
    told: list[Step] = []
    with hosts.engine() as engine, engine.host("one") as one, engine.host("two") as two:
        runners = {}
        for host in (one, two):
            auth = AuthSpec(ssh_user="ray", ssh_private_key=str(engine.key))
            target = ssh_target(host.address, auth, ours=True)
            keys = HostKeys(tmp_path / "known_hosts")
            runners[host.address] = SshRunner(SshConnection(target, keys))
        updates = [
            NodeUpdate(
                NodeSetup(
                    address,
                    False,
                    NodeHashes("l", "r", "c"),
                    file_mounts={"~/deep/code": str(code)},
                    setup_commands=commands,
                    env={"WHO": "it's me"},
                ),
                runner,
                "c",
            )
            for address, runner in runners.items()
        ]

        def set_up() -> dict[str, str]:
            done = update_nodes(updates, tmp_path / "setup", told.append, login_within_s=30)
            return {updated.instance_id: updated.error for updated in done}

        runners[one.address].run_shell("touch ~/fixed")
        failed = set_up()
        assert failed[one.address] == ""
        assert failed[two.address] == "set up 2/3: exit code 1: it's me"
        runners[two.address].run_shell("touch ~/fixed")
        assert set_up()[two.address] == ""
        shown = runners[two.address].run_shell("cat ~/first ~/last")
        for runner in runners.values():
            runner.close()
    assert shown.output == "once\nprint('from main')"
