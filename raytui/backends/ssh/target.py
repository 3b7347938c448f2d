"""Where a host is and how we log in: the cluster's `auth` section over the user's ssh_config."""

from __future__ import annotations

import getpass
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from raytui.backends.base import ConfigError
from raytui.backends.ssh.ssh_config import CONFIG_VARIABLE, Settings, config_argv, settings_for
from raytui.model.spec import AuthSpec

_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+$-]*")
"""What names may look like: they are handed to programs, where `-` begins an option."""


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
    config: str = ""
    """The ssh_config that was read, as for ssh's `-F`; empty: the user's and the system's own."""
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
    host: str, auth: AuthSpec, *, node_id: str = "", ours: bool = False, config: str = ""
) -> SshTarget:
    """How to reach `host`: what `auth` says wins over ssh_config, that over the defaults.

    `node_id` is the provider's id of a machine of its own: it names the host in known_hosts, and
    in the proxy command if `ssh_proxy_use_node_id` says so. `config` is the ssh_config to read,
    as for ssh's `-F`: `none` for none, empty for what $RAYTUI_SSH_CONFIG names or else the user's
    own. Raises ConfigError when a name could not be one, or ssh_config cannot be read.
    """
    config = config or os.environ.get(CONFIG_VARIABLE, "")
    _check(_HOST, host, node_id or host)
    found = settings_for(host, config)
    user = auth.ssh_user or _one(found, "user") or getpass.getuser()
    address = _one(found, "hostname") or host
    _check(_HOST, address)
    _check(_USER, user)
    port = int(_one(found, "port") or 22)
    tokens = {
        "%%": "%",
        "%h": address,
        "%n": host,
        "%p": str(port),
        "%r": user,
        "%d": str(Path.home()),
        "%u": getpass.getuser(),
    }
    return SshTarget(
        name=host,
        address=address,
        user=user,
        port=port,
        key_files=_key_files(auth, found, tokens),
        only_these_keys=bool(auth.ssh_private_key) or _one(found, "identitiesonly") == "yes",
        proxy_command=_proxy(auth, found, tokens, node_id, config),
        host_key_alias=node_id or _one(found, "hostkeyalias"),
        known_hosts=_known_hosts(found),
        config=config,
        ours=ours,
    )


def _check(form: re.Pattern[str], *names: str) -> None:
    for name in names:
        if not form.fullmatch(name):
            raise ConfigError(f"{name!r} cannot be the name of a host or a user")


def _one(found: Settings, name: str) -> str:
    value = found.get(name, [""])[0]
    return "" if value == "none" else value


def _key_files(auth: AuthSpec, found: Settings, tokens: Mapping[str, str]) -> tuple[str, ...]:
    """Of ssh_config's, those that are there: its defaults are a list of guesses."""
    if auth.ssh_private_key:
        return (_path(auth.ssh_private_key),)
    files = [_path(_expand(file, tokens)) for file in found.get("identityfile", [])]
    return tuple(f for f in files if Path(f).is_file() or Path(f + ".pub").is_file())


def _known_hosts(found: Settings) -> tuple[str, ...]:
    lists = [_one(found, "userknownhostsfile"), _one(found, "globalknownhostsfile")]
    return tuple(_path(file) for file in shlex.split(" ".join(lists)) if file != "none")


def _proxy(
    auth: AuthSpec, found: Settings, tokens: Mapping[str, str], node_id: str, config: str
) -> str:
    if auth.ssh_proxy_command:
        if auth.ssh_proxy_use_node_id and node_id:
            tokens = {**tokens, "%h": node_id}
        return _expand(auth.ssh_proxy_command, tokens)
    if command := _one(found, "proxycommand"):
        return _expand(command, tokens)
    jump = _one(found, "proxyjump")
    return _through(jump, tokens["%h"], tokens["%p"], config) if jump else ""


def _through(jump: str, host: str, port: str, config: str) -> str:
    """ProxyJump is short for this command; the jump hosts' keys are checked by ssh itself."""
    *before, last = jump.split(",")
    argv = ["ssh", *config_argv(config), "-o", "BatchMode=yes", "-o", "ServerAliveInterval=5"]
    if before:
        argv += ["-J", ",".join(before)]
    # ssh takes a jump host with a port as a URL only
    last = last if "://" in last or ":" not in last else f"ssh://{last}"
    return shlex.join([*argv, "-W", f"[{host}]:{port}", last])


def _expand(text: str, tokens: Mapping[str, str]) -> str:
    """OpenSSH's tokens (ssh_config(5), TOKENS); those that we do not know stay as they are."""
    return re.sub("%.", lambda match: tokens.get(match[0], match[0]), text)


def _path(text: str) -> str:
    return str(Path(text).expanduser())
