"""Where raytui keeps things: the only module that knows about XDG directories."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import platformdirs

_SOCKET_PATH_LIMIT = 100
"""Unix socket paths end at 104 (macOS) to 108 (Linux) bytes."""


def _base(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) / "raytui" if value else Path(fallback)


def state_root() -> Path:
    """`$XDG_STATE_HOME/raytui`: one directory per cluster below it."""
    return _base("XDG_STATE_HOME", platformdirs.user_state_dir("raytui"))


def config_root() -> Path:
    """`$XDG_CONFIG_HOME/raytui`: settings and user themes."""
    return _base("XDG_CONFIG_HOME", platformdirs.user_config_dir("raytui"))


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/raytui`: what can be asked for or made again."""
    return _base("XDG_CACHE_HOME", platformdirs.user_cache_dir("raytui"))


def private_dir(path: Path) -> Path:
    """Make a directory only its owner can enter, and return it.

    Raises PermissionError when somebody else owns it: in a shared /tmp that is an attack.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if status.st_uid != os.getuid() or path.is_symlink():
        raise PermissionError(f"{path} is not ours: owned by uid {status.st_uid}")
    if status.st_mode & 0o077:
        path.chmod(0o700)
    return path


def short_root() -> Path:
    """A private directory with a short path, for sockets: `/tmp/raytui-<uid>`."""
    return private_dir(Path(tempfile.gettempdir()) / f"raytui-{os.getuid()}")


def _short_dir(of: Path) -> Path:
    digest = hashlib.sha256(str(of).encode()).hexdigest()[:10]
    return private_dir(short_root() / digest)


class ClusterPaths:
    """The files of one cluster on the machine that runs its daemon."""

    def __init__(self, cluster_name: str) -> None:
        self.dir = state_root() / cluster_name
        self.ledger = self.dir / "ledger.db"
        self.lock = self.dir / "daemon.lock"
        self.keeper = self.dir / "keeper.lock"
        """Held by who starts a daemon again that ended in trouble."""
        self.log = self.dir / "daemon.log"
        self.output = self.dir / "daemon.out"
        """What a detached daemon and its libraries print."""
        self.instances = self.dir / "instances"
        """The local provider's state: one file per instance."""
        self.known_hosts = self.dir / "known_hosts"
        """SSH host keys of this cluster's machines."""

    def make(self) -> ClusterPaths:
        """Create the directory, private to the user."""
        private_dir(self.dir)
        return self

    @property
    def socket(self) -> Path:
        """The control socket; moved to a short path when the state directory's is too long."""
        path = self.dir / "control.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
            return path
        return _short_dir(self.dir) / "control.sock"

    @property
    def ray_temp(self) -> Path:
        """Short private directory below which each local Ray node has its temp dir."""
        return _short_dir(self.dir) / "ray"


def known_clusters() -> list[str]:
    """Names of all clusters that have state on this machine."""
    root = state_root()
    return sorted(p.name for p in root.iterdir() if p.is_dir()) if root.is_dir() else []


def packaged(kind: str) -> Path:
    """Directory of files that come with raytui: `themes`, `examples`, `catalog` or `charts`.

    In a wheel they lie inside the package, in a checkout (editable install) beside it.
    """
    package = Path(__file__).resolve().parent.parent
    inside = package / "_data" / kind
    return inside if inside.is_dir() else package.parent / kind
