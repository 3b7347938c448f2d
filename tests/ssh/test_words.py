"""What needs no host: masking, known_hosts, ssh_config, output taken apart."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytui.backends.base import ConfigError
from raytui.backends.kept_output import HEAD_KEPT, TAIL_KEPT
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.known_hosts import add_key, known_keys
from raytui.backends.ssh.masking import masked, masked_env
from raytui.backends.ssh.openssh import ssh_argv
from raytui.backends.ssh.output import Output
from raytui.backends.ssh.remote_shell import RemoteCall
from raytui.backends.ssh.target import SshTarget, ssh_target
from raytui.model.spec import AuthSpec

CALL = RemoteCall("TAG", "MARK", "", "")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("HF_TOKEN=abc python x.py", "HF_TOKEN=••• python x.py"),
        ("export MY_SECRET_ID='a b' && go", "export MY_SECRET_ID=••• && go"),
        ('PASSWORD="a\\"b c";x', "PASSWORD=•••;x"),
        ("run --wandb-api-key=abc --lr=1", "run --wandb-api-key=••• --lr=1"),
        ("aws_secret_access_key=k", "aws_secret_access_key=•••"),
        ("(KEY=a)", "(KEY=•••)"),
        ("A=1 monkeys KEYS", "A=1 monkeys KEYS"),
    ],
)
def test_values_under_a_secrets_name_are_masked(command: str, shown: str) -> None:
    assert masked(command) == shown


def test_secret_values_of_the_environment_are_masked_wherever_they_stand() -> None:
    env = {"DB_PASSWORD": "swordfish", "API_KEY": "swordfish-2", "PLACE": "harbour"}
    assert masked("+ login swordfish-2 swordfish harbour", env) == "+ login ••• ••• harbour"
    assert masked_env(env) == {"DB_PASSWORD": "•••", "API_KEY": "•••", "PLACE": "harbour"}


@pytest.mark.parametrize(
    ("names", "host", "fits"),
    [
        ("a.example,10.0.0.1", "10.0.0.1", True),
        ("*.example", "a.example", True),
        ("*.example,!a.example", "a.example", False),
        ("A.Example", "a.example", True),
        ("[a.example]:2222", "[a.example]:2222", True),
        ("[a.example]:2222", "a.example", False),
        ("|1|AAAA|AAAA", "a.example", False),
        ("|1|nonsense", "a.example", False),
    ],
)
def test_names_in_known_hosts_fit_as_openssh_has_them(
    tmp_path: Path, names: str, host: str, fits: bool
) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"# comment\n\n@cert-authority * ssh-rsa AAAA\nbroken\n{names} kind AAAA me\n")
    assert bool(known_keys(file, host)) is fits


@given(blob=st.binary(min_size=1, max_size=64))
def test_a_key_that_was_added_is_known(
    tmp_path_factory: pytest.TempPathFactory, blob: bytes
) -> None:
    file = tmp_path_factory.mktemp("keys") / "known_hosts"
    add_key(file, "i-1", "ssh-ed25519", blob)
    assert [(key.key_type, key.blob) for key in known_keys(file, "i-1")] == [("ssh-ed25519", blob)]
    assert known_keys(file, "i-2") == []


@given(text=st.text(alphabet="ab\r\né…", max_size=80), cuts=st.lists(st.integers(0, 200)))
def test_output_is_the_same_however_it_is_cut(text: str, cuts: list[int]) -> None:
    data = f"noise\nTAG 12\nmore\nMARK begin\n{text}MARK end 7\nlater".encode()
    lines: list[str] = []
    output = Output(CALL, lines.append)
    edges = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    for start, end in itertools.pairwise(edges):
        output.feed(data[start:end])
    assert (output.session, output.exit_code, output.text) == (12, 7, text)
    whole = text.removesuffix("\n").split("\n") if text else []
    assert lines == [line.rstrip("\r").rpartition("\r")[2] for line in whole]


def test_long_output_keeps_its_beginning_and_its_end() -> None:
    output = Output(CALL)
    output.feed(b"TAG 1\nMARK begin\n")
    for number in range(200_000):
        output.feed(f"line {number}\n".encode())
    output.feed(b"MARK end 0\n")
    text = output.text
    assert text.startswith("line 0\n")
    assert text.endswith("line 199999\n")
    assert len(text) < HEAD_KEPT + TAIL_KEPT + 50
    left_out = re.search(r"… ([\d,]+) characters left out …", text)
    total = sum(len(f"line {number}\n") for number in range(200_000))
    assert left_out
    kept = len(text) - len(f"\n{left_out[0]}\n")
    assert int(left_out[1].replace(",", "")) == total - kept


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
