"""Setting a real host up over SSH."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytui.backends.ssh.connection import SshConnection
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.runner import SshRunner
from raytui.backends.ssh.target import ssh_target
from raytui.model.spec import AuthSpec
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.node_setup import NodeSetup
from raytui.provisioning.node_update import NodeUpdate, update_node
from tests.support.hosts import Engine

pytestmark = [pytest.mark.ssh, pytest.mark.slow]


def test_a_host_is_set_up_and_a_failed_step_is_tried_again_alone(engine: Engine, tmp_path: Path):
    code = tmp_path / "code"
    code.mkdir()
    (code / "main.py").write_text("print('from main')")
    setup = NodeSetup(
        "i-1",
        False,
        NodeHashes("l", "r", "c"),
        file_mounts={"~/deep/code": str(code)},
        setup_commands=(
            "echo once >> ~/first",
            "echo $WHO; test -e ~/fixed",
            "cat ~/deep/code/main.py > ~/last",
        ),
        env={"WHO": "it's me"},
    )
    with engine.host("one") as host:
        auth = AuthSpec(ssh_user="ray", ssh_private_key=str(engine.key))
        target = ssh_target(host.address, auth, ours=True, config="none")
        with SshConnection(target, HostKeys(tmp_path / "known_hosts")) as connection:
            runner = SshRunner(connection)

            def set_up() -> str:
                job = NodeUpdate(setup, runner, "c")
                return update_node(job, tmp_path / "setup", lambda _: None, login_within_s=30).error

            assert set_up() == "set up 2/3: exit code 1: it's me"
            runner.run_shell("touch ~/fixed")
            assert set_up() == ""
            shown = runner.run_shell("cat ~/first ~/last")
    assert shown.output == "once\nprint('from main')"
