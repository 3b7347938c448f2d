"""The daemon as a systemd service: its unit file, and where it goes."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

from msgspec import Struct

from raytui.config.locations import config_root
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError

LOCAL_PROVIDER = "fake_multinode"
DAEMON_MARK = "RAYTUI_DAEMON"
"""Environment variable that names the cluster in a daemon's processes."""

_BOOTED = Path("/run/systemd/system")
"""Exists where systemd is the init system (sd_booted(3))."""
_ASK_S = 20.0
_START_S = 90.0
_GROWING_PAUSES = 254
"""First version of systemd that waits longer after each failure."""


class Service(Struct, frozen=True):
    """One cluster's service."""

    name: str
    path: Path
    text: str
    of_user: bool

    @property
    def systemctl(self) -> tuple[str, ...]:
        """The command that drives it."""
        return ("systemctl", "--user") if self.of_user else ("systemctl",)


def unit_name(spec: ClusterSpec) -> str:
    """What the service of a cluster's daemon is called."""
    return f"raytui-{spec.cluster_name}.service"


def service_of(spec: ClusterSpec, *, of_user: bool) -> Service:
    """The service that runs the daemon of a cluster that was read from a file."""
    name = unit_name(spec)
    folder = (
        Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
        if of_user
        else Path("/etc/systemd/system")
    )
    return Service(name, folder / name, _unit(spec, of_user=of_user), of_user)


def usable_service(spec: ClusterSpec) -> Service | None:
    """The service that may run the daemon here for good without anybody's help, or None.

    Root's is one of the machine. Anybody else's is one of the user, if their services run now and
    may outlive their sessions.
    """
    if shutil.which("systemctl") is None or not _BOOTED.is_dir():
        return None
    if os.getuid() == 0:
        return service_of(spec, of_user=False)
    for question in (("systemctl", "--user", "show-environment"), ("loginctl", "enable-linger")):
        if _exit_code(question):
            return None
    return service_of(spec, of_user=True)


def start_service(service: Service, log: Path) -> None:
    """Write and start it, and have it started with the machine; raises LaunchError.

    Returns when the daemon has said that it is ready.
    """
    write(service)
    enable(service)
    command = (*service.systemctl, "restart", service.name)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_START_S)
    except subprocess.TimeoutExpired:
        raise LaunchError(f"{' '.join(command)} took more than {_START_S:g} s") from None
    if done.returncode:
        _exit_code((*service.systemctl, "disable", "--now", service.name))
        raise LaunchError(
            f"{' '.join(command)} failed; see journalctl -u {service.name} and {log}",
            done.stderr.strip(),
        )


def _exit_code(command: tuple[str, ...]) -> int:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_S
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        return 1


def write(service: Service) -> None:
    """Write the unit file; raises LaunchError when it may not be written."""
    try:
        service.path.parent.mkdir(parents=True, exist_ok=True)
        new = service.path.with_suffix(".new")
        new.write_text(service.text)
        new.replace(service.path)
    except OSError as error:
        hint = "" if service.of_user else "; run this with sudo, or use --user"
        raise LaunchError(f"{service.path}: {error.strerror}{hint}") from None


def enable(service: Service) -> bool:
    """Have it started with the machine (or the user); False when systemd does not run here.

    Raises LaunchError with systemctl's words.
    """
    if shutil.which("systemctl") is None or not _BOOTED.is_dir():
        return False
    for words in (("daemon-reload",), ("enable", service.name)):
        done = subprocess.run(
            [*service.systemctl, *words], capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            command = " ".join((*service.systemctl, *words))
            raise LaunchError(f"{command} failed: {done.stderr.strip()}")
    return True


def _unit(spec: ClusterSpec, *, of_user: bool) -> str:
    owner = pwd.getpwnam(os.environ["SUDO_USER"]) if _for_sudo(of_user) else None
    settings = Path(owner.pw_dir) / ".config" / "raytui" if owner else config_root()
    command = (sys.executable, "-P", "-m", "raytui", "daemon", "run", "--log-only", spec.source)
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    carried = [f"{n}={os.environ[n]}" for n in ("XDG_STATE_HOME",) if os.environ.get(n)]
    environment = (f"PATH={path}", f"{DAEMON_MARK}={spec.cluster_name}", *carried)
    sections = (
        (
            "Unit",
            f"Description=raytui autoscaler of the Ray cluster {spec.cluster_name}",
            *(() if of_user else ("Wants=network-online.target", "After=network-online.target")),
            "# Go on trying for ever: a daemon that has given up scales nothing.",
            "StartLimitIntervalSec=0",
        ),
        (
            "Service",
            "Type=notify",
            f"ExecStart={' '.join(map(_argument, command))}",
            "ExecReload=/bin/kill -HUP $MAINPID",
            *(() if of_user else (f"User={owner.pw_name if owner else _me()}",)),
            *(f"Environment={_quoted(setting)}" for setting in environment),
            "# What the provider's library needs (AWS_PROFILE and the like) goes there.",
            f"EnvironmentFile=-{_percent(str(settings / f'{spec.cluster_name}.env'))}",
            "# An orderly end was ordered (raytui daemon stop, raytui down): that is no failure.",
            "Restart=on-failure",
            *_pauses(),
            "# A round under way is finished first.",
            "TimeoutStopSec=45",
            "# Nodes on this machine are not the service's to end.",
            "KillMode=process",
            "LimitNOFILE=65536",
            "TasksMax=infinity",
            *(() if spec.provider.type == LOCAL_PROVIDER else _hardening(of_user=of_user)),
        ),
        ("Install", f"WantedBy={'default' if of_user else 'multi-user'}.target"),
    )
    return "\n".join(f"[{title}]\n" + "\n".join(lines) + "\n" for title, *lines in sections)


def _for_sudo(of_user: bool) -> bool:
    """Whether root installs it for the one who called sudo: the cluster's state is theirs."""
    return not of_user and os.getuid() == 0 and bool(os.environ.get("SUDO_USER"))


def _me() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _pauses() -> tuple[str, ...]:
    """Pauses between tries. Older versions of systemd know but one length."""
    if 0 < _version() < _GROWING_PAUSES:
        return ("RestartSec=10",)
    return ("RestartSec=2", "RestartSteps=6", "RestartMaxDelaySec=60")


def _version() -> int:
    """Of systemd here; 0 when it is not here."""
    try:
        done = subprocess.run(
            ["systemctl", "--version"], capture_output=True, text=True, timeout=10
        )
        return int(done.stdout.split()[1])
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
        return 0


def _hardening(*, of_user: bool) -> tuple[str, ...]:
    """What a daemon that calls a cloud and SSH never needs.

    Its sockets are in /tmp and its state is at home, so both stay as they are. The manager of a
    user's services may not make the mount namespaces that most of these take.
    """
    everywhere = ("UMask=0077", "NoNewPrivileges=yes", "LockPersonality=yes")
    if of_user:
        return everywhere
    return (
        *everywhere,
        "ProtectSystem=full",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectClock=yes",
        "ProtectHostname=yes",
        "RestrictSUIDSGID=yes",
        "RestrictRealtime=yes",
    )


def _argument(text: str) -> str:
    """One word of a command, in which systemd is to find no variables (systemd.service(5))."""
    return _quoted(text.replace("$", "$$"))


def _quoted(text: str) -> str:
    """One word of a setting (systemd.syntax(7))."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_percent(escaped)}"'


def _percent(text: str) -> str:
    """Text in which systemd finds no specifiers of its own."""
    return text.replace("%", "%%")
