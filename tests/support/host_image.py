"""The image of the test hosts: a small Debian with sshd, made once and kept in the user's cache."""

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

import platformdirs

CACHE = Path(platformdirs.user_cache_dir("raytui-tests"))

_PACKAGES = "openssh-server,python3,procps,rsync,sudo"
_VERSION = 1
"""Raise it when what goes into the image changes."""


def image_tar() -> Path:
    """The image's files as a tar; made with debootstrap (a minute or two) when it is not there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    tar = CACHE / f"host-{_VERSION}.tar"
    with (CACHE / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tar.exists():
            _make(tar)
    return tar


def _make(tar: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="image-", dir=CACHE))
    try:
        root = folder / "root"
        _run("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(root))
        # `*` is a password that nobody has; the default `!` would lock the account for sshd
        _run("chroot", str(root), "useradd", "-m", "-s", "/bin/bash", "-p", "*", "ray")
        (root / "etc/sudoers.d/ray").write_text("ray ALL=(ALL) NOPASSWD: ALL\n")
        # below it lie the mounts of an interpreter in root's home, for all users
        (root / "root").chmod(0o755)
        shutil.rmtree(root / "var/cache/apt/archives")
        shutil.rmtree(root / "var/lib/apt/lists")
        _run("tar", "-C", str(root), "-cf", str(folder / "done.tar"), ".")
        (folder / "done.tar").replace(tar)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
