"""Real hosts, and runners that reach them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from raytui.backends.ssh.connection import Limits, SshConnection
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.runner import SshRunner
from raytui.backends.ssh.target import ssh_target
from raytui.model.spec import AuthSpec
from tests.support.hosts import Engine, Host

LIMITS = Limits(connect_s=2, handshake_s=2, beat_s=0.5, silence_s=2)
"""Short patience, so that tests of what hangs are quick."""

Reach = Callable[..., SshRunner]


@pytest.fixture
def host(engine: Engine) -> Iterator[Host]:
    with engine.host("alpha", "--tmpfs", "/small:size=4m,mode=1777") as alpha:
        yield alpha


@pytest.fixture
def reach(host: Host, tmp_path: Path) -> Iterator[Reach]:
    """Makes runners that reach the host as user `ray`; by default it is one of ours."""
    with ExitStack() as stack:

        def runner(
            *, ours: bool = True, key: Path = host.engine.key, config: str = "", name: str = ""
        ) -> SshRunner:
            file = tmp_path / "ssh_config"
            known = f"UserKnownHostsFile {tmp_path}/user_known_hosts\n"
            file.write_text(known + "GlobalKnownHostsFile none\n" + config)
            auth = AuthSpec(ssh_user="ray", ssh_private_key=str(key))
            target = ssh_target(name or host.address, auth, ours=ours, config=str(file))
            keys = HostKeys(tmp_path / "known_hosts")
            return SshRunner(stack.enter_context(SshConnection(target, keys, LIMITS)))

        yield runner


@pytest.fixture
def runner(reach: Reach) -> SshRunner:
    return reach()
