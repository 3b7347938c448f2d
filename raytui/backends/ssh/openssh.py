"""The argv of OpenSSH's own ssh that reaches a host under the same rules as our connection."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.ssh_config import config_argv
from raytui.backends.ssh.target import SshTarget


def ssh_argv(target: SshTarget, keys: HostKeys, *, batch: bool = True) -> list[str]:
    """`ssh` with options, without the host; append `destination(target)` and a command.

    Same user, keys, proxy and known hosts. `batch` means that nobody is there to be asked; a
    person at a terminal may be asked for a key's passphrase. An unknown key is never asked about.
    """
    options = {
        "HostName": target.address,
        "User": target.user,
        "Port": str(target.port),
        "HostKeyAlias": target.host_key_alias,
        "UserKnownHostsFile": _files(str(keys.file), *target.known_hosts),
        # a stranger's first key is refused, one of ours is written to the cluster's file
        "StrictHostKeyChecking": "accept-new" if target.ours else "yes",
        "UpdateHostKeys": "no",
        "IdentitiesOnly": "yes" if target.only_these_keys else "",
        "ProxyCommand": target.proxy_command.replace("%", "%%"),
        "BatchMode": "yes" if batch else "",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "ControlMaster": "no",
        "ControlPath": "none",
        "LogLevel": "ERROR",
    }
    argv = ["ssh", *config_argv(target.config)]
    for name, value in options.items():
        if value:
            argv += ["-o", f"{name}={value}"]
    for file in target.key_files:
        argv += ["-i", file]
    return argv


def destination(target: SshTarget) -> str:
    """The host as ssh_config knows it, so that the user's other options for it count."""
    return target.name


def stream_argv(target: SshTarget, keys: HostKeys, command: Sequence[str]) -> list[str]:
    """An argv whose stdin and stdout are those of `command` on the host."""
    return [*ssh_argv(target, keys), "-T", destination(target), shlex.join(command)]


def terminal_argv(target: SshTarget, keys: HostKeys, command: Sequence[str] = ()) -> list[str]:
    """An argv that gives `command`, or else the user's login shell, a terminal on the host."""
    argv = [*ssh_argv(target, keys, batch=False), "-tt", destination(target)]
    return [*argv, shlex.join(command)] if command else argv


def jump_command(target: SshTarget, keys: HostKeys) -> str:
    """A proxy command (OpenSSH's `ProxyCommand`) that leads to other hosts through this one."""
    argv = shlex.join([*ssh_argv(target, keys), "-W"]).replace("%", "%%")
    return f"{argv} '[%h]:%p' {shlex.quote(destination(target))}"


def _files(*paths: str) -> str:
    return " ".join('"' + path.replace("%", "%%") + '"' for path in paths)
