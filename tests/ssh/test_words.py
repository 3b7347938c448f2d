"""What needs no host: masking, known_hosts, output taken apart."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytui.backends.kept_output import HEAD_KEPT, TAIL_KEPT
from raytui.backends.masking import masked, masked_env
from raytui.backends.ssh.known_hosts import add_key, known_keys
from raytui.backends.ssh.output import Output
from raytui.backends.ssh.remote_shell import RemoteCall

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
