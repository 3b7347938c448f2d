"""Where a host is and how we log in: the cluster's `auth` section over the user's ssh_config."""

from __future__ import annotations

import getpass
import re
import shlex
from pathlib import Path

import paramiko
from msgspec import Struct

from raytui.backends.base import ConfigError
from raytui.model.spec import AuthSpec

USER_CONFIG = Path("~/.ssh/config")

_GLOBAL_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"
_USER_KNOWN_HOSTS = "~/.ssh/known_hosts"
_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:%@+-]*")
"""What a host or user may look like: it is handed to programs, where `-` begins an option."""


class SshTarget(Struct, frozen=True):
    """One way to one host. The same value means the same connection."""

    name: str
    """As the cluster file or the provider calls it."""
    address: str
    user: str
    port: int = 22
    key_files: tuple[str, ...] = ()
    """Private keys, tried in this order."""
    only_these_keys: bool = False
    """No other key of the agent is offered (IdentitiesOnly)."""
    proxy_command: str = ""
    """Its stdin and stdout are the connection; run by sh, as OpenSSH does. Empty: TCP."""
    host_key_alias: str = ""
    """Name in known_hosts instead of the address. For machines whose addresses are handed on to
    others, the instance id: a new machine at an old address is not taken for a changed key."""
    known_hosts: tuple[str, ...] = ()
    """The user's files, besides the cluster's own."""
    config_file: str = ""
    """The ssh_config that was read; empty when none was."""
    ours: bool = False
    """We provisioned it: its key is learnt on first contact."""

    @property
    def default_key_name(self) -> str:
        """What OpenSSH calls the host in known_hosts when nothing else is said."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"

    @property
    def host_key_name(self) -> str:
        """What the host is called in known_hosts."""
        return self.host_key_alias or self.default_key_name


def ssh_target(
    host: str,
    auth: AuthSpec,
    *,
    node_id: str = "",
    ours: bool = False,
    config_file: Path | None = USER_CONFIG,
) -> SshTarget:
    """How to reach `host`: what `auth` says wins over ssh_config, that over the defaults.

    `node_id` is the provider's id of a machine of its own: it names the host in known_hosts, and
    in the proxy command if `ssh_proxy_use_node_id` says so. Raises ConfigError when a name could
    not be one, or ssh_config cannot be read.
    """
    config = config_file.expanduser() if config_file else None
    found = _lookup(config, host)
    user = auth.ssh_user or _text(found, "user") or getpass.getuser()
    address = _text(found, "hostname") or host
    for word in (host, address, user, node_id or host):
        if not _PLAIN.fullmatch(word):
            raise ConfigError(f"{word!r} cannot be the name of a host or a user")
    port = int(_text(found, "port") or 22)
    proxied = node_id if auth.ssh_proxy_use_node_id and node_id else address
    return SshTarget(
        name=host,
        address=address,
        user=user,
        port=port,
        key_files=_key_files(auth, found),
        only_these_keys=bool(auth.ssh_private_key) or _text(found, "identitiesonly") == "yes",
        proxy_command=_proxy(auth, found, proxied, port, user, config),
        host_key_alias=node_id or _text(found, "hostkeyalias"),
        known_hosts=_known_hosts(found),
        config_file=str(config) if config and config.is_file() else "",
        ours=ours,
    )


def _lookup(config: Path | None, host: str) -> paramiko.SSHConfigDict:
    if config is None or not config.is_file():
        return paramiko.SSHConfig().lookup(host)
    try:
        return paramiko.SSHConfig.from_path(str(config)).lookup(host)
    except (OSError, paramiko.ConfigParseError) as error:
        raise ConfigError(f"{config} cannot be read: {error}") from error


def _text(found: paramiko.SSHConfigDict, key: str) -> str:
    value = found.get(key, "")
    return value if isinstance(value, str) else ""


def _key_files(auth: AuthSpec, found: paramiko.SSHConfigDict) -> tuple[str, ...]:
    if auth.ssh_private_key:
        return (_path(auth.ssh_private_key),)
    named = found.get("identityfile") or ()
    if named:
        return tuple(map(_path, named))
    return tuple(_path(key) for key in _DEFAULT_KEYS if Path(_path(key)).is_file())


def _known_hosts(found: paramiko.SSHConfigDict) -> tuple[str, ...]:
    own = _text(found, "userknownhostsfile") or _USER_KNOWN_HOSTS
    shared = _text(found, "globalknownhostsfile") or _GLOBAL_KNOWN_HOSTS
    return tuple(_path(file) for file in shlex.split(f"{own} {shared}") if file != "none")


def _proxy(
    auth: AuthSpec,
    found: paramiko.SSHConfigDict,
    host: str,
    port: int,
    user: str,
    config: Path | None,
) -> str:
    if auth.ssh_proxy_command:
        tokens = {"%%": "%", "%h": host, "%n": host, "%p": str(port), "%r": user}
        return re.sub("%[%hnpr]", lambda match: tokens[match[0]], auth.ssh_proxy_command)
    command = _text(found, "proxycommand")
    if command and command != "none":
        return command
    jump = _text(found, "proxyjump")
    return _through(jump, host, port, config) if jump and jump != "none" else ""


def _through(jump: str, host: str, port: int, config: Path | None) -> str:
    """ProxyJump is short for this command; the jump hosts' keys are checked by ssh itself."""
    *before, last = jump.removeprefix("ssh://").split(",")
    name, _, jump_port = last.removeprefix("ssh://").partition(":")
    argv = ["ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=5"]
    if config and config.is_file():
        argv += ["-F", str(config)]
    if before:
        argv += ["-J", ",".join(before)]
    if jump_port:
        argv += ["-p", jump_port]
    return shlex.join([*argv, "-W", f"[{host}]:{port}", name])


def _path(text: str) -> str:
    return str(Path(text).expanduser())
