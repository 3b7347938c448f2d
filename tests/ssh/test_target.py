"""Where a host is and how it is logged in to: the cluster file over ssh_config."""

from pathlib import Path

import pytest

from raytui.backends.base import ConfigError
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.openssh import ssh_argv
from raytui.backends.ssh.target import SshTarget, ssh_target
from raytui.model.spec import AuthSpec
from tests.support.needs import missing


@pytest.fixture(autouse=True)
def openssh() -> None:
    missing("openssh")


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config"
    file.write_text(text)
    return file


def test_ssh_config_fills_what_the_cluster_file_leaves_open(tmp_path: Path) -> None:
    file = written(
        tmp_path, f"Host gpu*\nHostName 10.1.1.1\nUser me\nPort 2222\nIdentityFile {tmp_path}/%r\n"
    )
    (tmp_path / "me").write_text("a key")
    target = ssh_target("gpu1", AuthSpec(), config=str(file))
    assert (target.address, target.user, target.port) == ("10.1.1.1", "me", 2222)
    assert target.key_files == (f"{tmp_path}/me",)
    assert target.host_key_name == "[10.1.1.1]:2222"
    named = ssh_target("gpu1", AuthSpec("ubuntu", "~/x.pem"), config=str(file))
    assert named.user == "ubuntu"
    assert named.key_files == (str(Path("~/x.pem").expanduser()),)
    assert named.only_these_keys


def test_the_proxy_command_of_the_cluster_file_wins_and_may_get_the_nodes_id(
    tmp_path: Path,
) -> None:
    file = written(tmp_path, "Host *\nProxyCommand nc %h %p\n")
    assert ssh_target("h1", AuthSpec("u"), config=str(file)).proxy_command == "nc h1 22"
    auth = AuthSpec("u", ssh_proxy_command="ssm %h %p %r 100%%", ssh_proxy_use_node_id=True)
    target = ssh_target("10.0.0.9", auth, node_id="i-0ab", config=str(file))
    assert target.proxy_command == "ssm i-0ab 22 u 100%"
    assert target.host_key_name == "i-0ab"


def test_proxy_jump_is_a_chain_that_openssh_walks(tmp_path: Path) -> None:
    file = written(tmp_path, "Host far\nProxyJump a,me@b:2200\nPort 23\n")
    target = ssh_target("far", AuthSpec("u"), config=str(file))
    expected = (
        f"-F {file} -o BatchMode=yes -o ServerAliveInterval=5 -J a -W '[far]:23' ssh://me@b:2200"
    )
    assert target.proxy_command.endswith(expected)


def test_openssh_gets_the_same_rules(tmp_path: Path) -> None:
    target = SshTarget(
        "box", "10.0.0.1", "ray", 2222, ("/k/a b",), True, "nc 50% x", "i-1", ("/h/known",)
    )
    argv = ssh_argv(target, HostKeys(tmp_path / "known_hosts"))
    options = dict(option.split("=", 1) for option in argv if "=" in option)
    assert options["StrictHostKeyChecking"] == "yes"
    assert options["HostKeyAlias"] == "i-1"
    assert options["UserKnownHostsFile"] == f'"{tmp_path}/known_hosts" "/h/known"'
    assert options["ProxyCommand"] == "nc 50%% x"
    assert argv[-2:] == ["-i", "/k/a b"]
    assert options["BatchMode"] == "yes"


def test_files_that_ssh_config_includes_count(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Host box\nHostName 10.3.3.3\n")
    file = written(tmp_path, f"Include {tmp_path}/more\nHost *\nUser me\n")
    target = ssh_target("box", AuthSpec(), config=str(file))
    assert (target.address, target.user) == ("10.3.3.3", "me")


def test_an_ssh_config_that_is_broken_says_where(tmp_path: Path) -> None:
    file = written(tmp_path, "Host *\nProt 22\n")
    with pytest.raises(ConfigError, match="line 2: Bad configuration option: prot"):
        ssh_target("box", AuthSpec(), config=str(file))
