"""Getting to a host, or not: keys of both sides, and hosts that are not there."""

import re
import shlex
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from raytui.backends.base import ConfigError
from raytui.backends.ssh.connection import SshConnection
from raytui.backends.ssh.errors import (
    AuthFailedError,
    ChangedHostKeyError,
    HungError,
    UnknownHostKeyError,
    UnreachableError,
)
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.runner import SshRunner
from raytui.backends.ssh.target import ssh_target
from raytui.model.spec import AuthSpec
from tests.ssh.conftest import LIMITS, Reach
from tests.support.hosts import Host, wait_until

pytestmark = pytest.mark.ssh


def hi(runner: SshRunner) -> bool:
    return runner.run(["echo", "hi"]).output == "hi\n"


def test_a_host_of_ours_has_its_key_learnt_and_pinned_on_first_contact(
    reach: Reach, host: Host, tmp_path: Path
) -> None:
    assert hi(reach(ours=True))
    pinned = tmp_path / "known_hosts"
    assert pinned.read_text() == host.known_hosts_line()
    assert pinned.stat().st_mode & 0o777 == 0o600
    assert hi(reach(ours=True))
    assert hi(reach(ours=False))
    assert pinned.read_text() == host.known_hosts_line()


def test_a_strangers_unknown_key_is_refused_with_fingerprint_and_command(
    reach: Reach, host: Host, tmp_path: Path
) -> None:
    with pytest.raises(UnknownHostKeyError) as caught:
        hi(reach(ours=False))
    shown = host.run("ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    assert shown in str(caught.value)
    assert f"ssh -p 22 ray@{host.address} true" in str(caught.value)
    assert not (tmp_path / "known_hosts").exists()


def test_a_strangers_key_that_the_user_knows_is_accepted_hashed_or_not(
    reach: Reach, host: Host, tmp_path: Path
) -> None:
    known = tmp_path / "user_known_hosts"
    known.write_text(host.known_hosts_line())
    assert hi(reach(ours=False))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
    assert host.address not in known.read_text()
    assert hi(reach(ours=False))


@pytest.mark.parametrize("ours", [True, False])
def test_a_changed_key_always_stops_and_is_told_how_to_be_forgotten(
    reach: Reach, host: Host, tmp_path: Path, ours: bool
) -> None:
    assert hi(reach(ours=True))
    host.change_key()
    with pytest.raises(ChangedHostKeyError, match="its host key has changed") as caught:
        hi(reach(ours=ours))
    forget = re.search(r"ssh-keygen -R .*", str(caught.value))
    assert forget
    subprocess.run(shlex.split(forget[0]), check=True, capture_output=True)
    assert hi(reach(ours=True))


def test_openssh_stops_at_a_changed_key_as_well(reach: Reach, host: Host) -> None:
    runner = reach(ours=True)
    assert hi(runner)
    host.change_key()
    argv = runner.stream_command(["echo", "hi"])
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (255, "")
    assert "HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_a_key_of_another_type_than_the_known_one_is_a_changed_key(
    reach: Reach, host: Host, tmp_path: Path
) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "other"], check=True
    )
    kind, blob, *_ = (tmp_path / "other.pub").read_text().split()
    (tmp_path / "user_known_hosts").write_text(f"{host.address} {kind} {blob}\n")
    with pytest.raises(ChangedHostKeyError):
        hi(reach(ours=True))


def test_a_revoked_key_stops(reach: Reach, host: Host, tmp_path: Path) -> None:
    line = host.known_hosts_line()
    (tmp_path / "user_known_hosts").write_text(f"{line}@revoked {line}")
    with pytest.raises(ChangedHostKeyError, match="revoked"):
        hi(reach(ours=False))


def test_a_machine_is_known_by_its_id_so_a_new_one_may_have_an_old_address(
    host: Host, tmp_path: Path
) -> None:
    keys = HostKeys(tmp_path / "known_hosts")
    auth = AuthSpec("ray", str(host.engine.key))
    for node_id in ("i-1", "i-2"):
        target = ssh_target(host.address, auth, node_id=node_id, ours=True, config="none")
        with SshConnection(target, keys, LIMITS) as connection:
            assert hi(SshRunner(connection))
            argv = SshRunner(connection).stream_command(["echo", "hi"])
            assert subprocess.check_output(argv) == b"hi\n"
        host.change_key()
    names = [line.split()[0] for line in keys.file.read_text().splitlines()]
    assert names == ["i-1", "i-2"]


def test_a_wrong_key_is_told_with_what_was_tried(reach: Reach, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", wrong], check=True)
    with pytest.raises(AuthFailedError, match=f"ray is not let in .*tried: {wrong}"):
        hi(reach(key=wrong))


def test_a_missing_and_an_encrypted_key_say_so(reach: Reach, tmp_path: Path) -> None:
    with pytest.raises(AuthFailedError, match=f"{tmp_path}/none does not exist"):
        hi(reach(key=tmp_path / "none"))
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "word", "-f", locked], check=True)
    with pytest.raises(AuthFailedError, match=r"is encrypted: give it to the agent with ssh-add"):
        hi(reach(key=locked))


def test_a_key_of_the_agent_opens_the_door(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sock = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        wait_until(sock.exists, "ssh-agent")
        subprocess.run(["ssh-add", "-q", host.engine.key], check=True)
        monkeypatch.setenv("HOME", str(tmp_path))
        named = tmp_path / "only its public half is here"
        shutil.copy(f"{host.engine.key}.pub", f"{named}.pub")
        for auth in (AuthSpec("ray"), AuthSpec("ray", str(named))):
            target = ssh_target(host.address, auth, ours=True, config="none")
            with SshConnection(target, HostKeys(tmp_path / "known_hosts"), LIMITS) as connection:
                assert hi(SshRunner(connection))
    finally:
        agent.terminate()
        agent.wait()


def test_ssh_config_says_where_a_name_leads_and_through_what(reach: Reach, host: Host) -> None:
    name = f"Host box\nHostName {host.address}\nHost far\nHostName 127.0.0.1\n"
    trusting = "Host *\nStrictHostKeyChecking accept-new\n"
    key = f"IdentityFile {host.engine.key}\nUser root\n"
    proxied = f"Host far\nProxyJump box\n{name}{trusting}{key}"
    assert hi(reach(name="box", config=name))
    runner = reach(name="far", config=proxied)
    assert runner.run(["hostname"]).output == "alpha\n"
    argv = runner.stream_command(["hostname"])
    assert subprocess.check_output(argv, text=True) == "alpha\n"


def test_a_proxy_command_that_fails_is_told_in_its_own_words(reach: Reach) -> None:
    proxy = "ProxyCommand sh -c 'echo no such bastion >&2; exit 1'\n"
    with pytest.raises(UnreachableError, match="no such bastion"):
        hi(reach(config=proxy))


def test_a_host_that_is_down_and_a_port_that_is_closed_are_unreachable(
    reach: Reach, host: Host
) -> None:
    with pytest.raises(UnreachableError, match="Connection refused"):
        hi(reach(config="Port 9\n"))
    host.engine.docker("stop", "-t", "0", host.container)
    with pytest.raises(UnreachableError, match=f"{host.address}: no "):
        hi(reach())


def test_a_name_that_nobody_knows_is_unreachable(reach: Reach) -> None:
    with pytest.raises(UnreachableError, match=r"nowhere\.invalid"):
        hi(reach(name="nowhere.invalid"))


def test_a_host_that_hangs_after_connect_is_told_apart(reach: Reach, host: Host) -> None:
    with host.frozen(), pytest.raises(HungError, match="connected, but no answer"):
        hi(reach())
    assert hi(reach())


def test_a_listener_that_says_nothing_or_nonsense_is_told_apart(reach: Reach) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = f"Port {listener.getsockname()[1]}\n"
        with pytest.raises(HungError, match="connected, but no answer during the handshake"):
            hi(reach(name="127.0.0.1", config=port))


def test_what_is_no_name_is_never_handed_to_a_program() -> None:
    for host in ("-oProxyCommand=reboot", "a b", "$(reboot)", ""):
        with pytest.raises(ConfigError):
            ssh_target(host, AuthSpec("ray"), config="none")
