"""What the user's ssh_config says about a host, as OpenSSH itself reads it (`ssh -G`)."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from raytui.backends.base import ConfigError

CONFIG_VARIABLE = "RAYTUI_SSH_CONFIG"
"""Names an ssh_config to read instead of the user's and the system's own, as for ssh's `-F`."""

_READ_S = 10.0
"""`Match exec` may run programs."""

Settings = Mapping[str, list[str]]
"""Option name in lower case → its values. OpenSSH's defaults stand in it, too."""


def config_argv(config: str) -> list[str]:
    """Options for any ssh: `config` is empty for the user's and the system's own, or as `-F`."""
    return ["-F", config] if config else []


def settings_for(host: str, config: str) -> Settings:
    """All settings for `host`, a checked name. Raises ConfigError with ssh's own words."""
    argv = ["ssh", *config_argv(config), "-T", "-G", host]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_READ_S,
        )
    except FileNotFoundError:
        raise ConfigError("OpenSSH's client is not installed (ssh)") from None
    except subprocess.TimeoutExpired:
        raise ConfigError(f"ssh -G {host} took more than {_READ_S:g} s: see ssh_config") from None
    if done.returncode:
        raise ConfigError(f"ssh_config cannot be used for {host}: {done.stderr.strip()}")
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found
