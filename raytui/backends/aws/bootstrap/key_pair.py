"""The key pair by which machines are logged in to, as Ray names it and keeps it in ~/.ssh."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from raytui.backends.aws import tags
from raytui.backends.aws.bootstrap.parts import Draft, Part, State
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError

_SSH = "~/.ssh"


def key_pair(draft: Draft, aws: AwsSession) -> Iterator[Part]:
    """Find a key pair of which EC2 has the public and we the private half, or a free name.

    Raises ConfigError when the file names a key of which only one half is there.
    """
    if draft.auth.ssh_private_key:
        yield _given(draft)
        return
    there = {key["KeyName"] for key in aws.call("ec2", "describe_key_pairs")["KeyPairs"]}
    named = str((draft.options.get("key_pair") or {}).get("key_name") or "")
    name = named or _usable(there, aws.region)
    file = file_of(name)
    if (name in there) != file.exists():
        has = f"EC2 has it and {file} is not here" if name in there else f"{file} is here only"
        raise ConfigError(f"key pair {name}: {has}; name another in provider.key_pair.key_name")
    draft.log_in_with(f"{_SSH}/{name}.pem")
    for _, config in draft.without("KeyName"):
        config["KeyName"] = name
    if name in there:
        yield Part("key pair", name, State.FOUND, str(file))
    else:
        yield Part("key pair", name, State.TO_MAKE, str(file), lambda: _make(aws, name))


def _given(draft: Draft) -> Part:
    unnamed = [name for name, _ in draft.without("KeyName", "UserData")]
    if unnamed:
        raise ConfigError(
            f"auth.ssh_private_key is given: say of which key pair, as KeyName in the node_config "
            f"of {', '.join(unnamed)}"
        )
    names = sorted({str(c["KeyName"]) for c in draft.configs.values() if c.get("KeyName")})
    return Part("key pair", ", ".join(names), State.GIVEN, draft.auth.ssh_private_key)


def _usable(there: set[str], region: str) -> str:
    """Ray's first name that is whole, or that is free on both sides."""
    for number in count():
        name = f"ray-autoscaler_{number}_{region}" if number else f"ray-autoscaler_{region}"
        if (name in there) == file_of(name).exists():
            return name
    raise AssertionError("numbers do not end")


def file_of(name: str) -> Path:
    """Where this machine has the private half of a key pair."""
    return Path(_SSH).expanduser() / f"{name}.pem"


def _make(aws: AwsSession, name: str) -> None:
    file = file_of(name)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The file first: a key whose private half could not be kept would be of no use.
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        specified = tags.specification(["key-pair"], {tags.MADE_FOR: "all"})
        made = aws.call("ec2", "create_key_pair", KeyName=name, TagSpecifications=specified)
        with os.fdopen(descriptor, "w", closefd=False) as out:
            out.write(made["KeyMaterial"])
            out.flush()
            os.fsync(descriptor)
    except BaseException:
        file.unlink()
        raise
    finally:
        os.close(descriptor)
