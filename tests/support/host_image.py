"""The images of the test hosts: small Debians with sshd, made once and kept in the user's cache."""

import fcntl
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

CACHE = Path(platformdirs.user_cache_dir("raytui-tests"))


@dataclass(frozen=True)
class HostImage:
    """What a host is made from."""

    name: str
    version: int
    """Raise it when what goes into the image changes."""
    packages: tuple[str, ...]

    @property
    def tag(self) -> str:
        """What container engines call it."""
        return f"raytui-test-{self.name}:{self.version}"


BARE = HostImage("host", 1, ("openssh-server", "python3", "procps", "rsync", "sudo"))
"""A machine as one gets it."""

WITH_ENGINES = HostImage(
    "host-with-engines",
    1,
    # the plugins stand for a package that debootstrap would have to choose
    (*BARE.packages, "docker.io", "podman", "crun", "containernetworking-plugins"),
)
"""A machine that runs containers."""


def image_tar(image: HostImage = BARE) -> Path:
    """The image's files as a tar; made with debootstrap (a minute or two) when it is not there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    tar = CACHE / f"{image.name}-{image.version}.tar"
    with (CACHE / f"{image.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tar.exists():
            _make(image, tar)
    return tar


def _make(image: HostImage, tar: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="image-", dir=CACHE))
    try:
        root = folder / "root"
        packages = ",".join(image.packages)
        _run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root))
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
