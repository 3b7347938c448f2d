"""The commands that the `docker:` section leads to, as Ray has them.

From `ray/autoscaler/_private/{docker,command_runner}.py` of Ray 2.60. Argument lists, but for
`start`: the user's run options are shell text, in which Ray lets the host expand variables.
"""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Iterable, Sequence

from raytui.config.bootstrap_files import BOOTSTRAP_FILES
from raytui.model.spec import DockerSpec

_SHM_SHARE = 0.3 * 1.1
"""Ray's share of memory for objects, and a tenth more."""
_SHM_MOST_BYTES = 200 * 10**9


def program(docker: DockerSpec) -> str:
    """`docker` or `podman`."""
    return "podman" if docker.use_podman else "docker"


def pull(docker: DockerSpec) -> str:
    """Get the image: the newest one, or with `pull_before_run: false` only when it is missing."""
    image = shlex.quote(docker.image)
    fetch = f"{program(docker)} pull {image}"
    if docker.pull_before_run:
        return fetch
    return f"{program(docker)} image inspect {image} 1> /dev/null 2>&1 || {fetch}"


def inspect(docker: DockerSpec, template: str, what: str) -> list[str]:
    """Ask for one fact about a container or image, e.g. `.State.Running`."""
    return [program(docker), "inspect", "-f", f"{{{{{template}}}}}", what]


def runtimes(docker: DockerSpec) -> list[str]:
    """Ask which runtimes the engine has."""
    return [program(docker), "info", "-f", "{{.Runtimes}}"]


def execute(
    docker: DockerSpec,
    command: Sequence[str],
    names: Iterable[str] = (),
    *,
    terminal: bool = False,
) -> list[str]:
    """Run a command in the container. Variables are named only: the engine's client has them.

    With `terminal` it has the terminal that the engine's client has.
    """
    given = [word for name in names for word in ("-e", name)]
    way = "-it" if terminal else "-i"
    return [program(docker), "exec", way, *given, docker.container_name, *command]


def stop(docker: DockerSpec) -> list[str]:
    """End the container.

    Ray's processes in it hear of it only by being killed: the engine tells process 1, bash, which
    does not listen, so the engine's usual 10 s of patience would be for nothing.
    """
    return [program(docker), "stop", "-t", "1", docker.container_name]


def copy_in(docker: DockerSpec, staged: str, target: str) -> list[str]:
    """Copy from the host into the running container; the image must have rsync."""
    return [*_rsync(docker), staged, f"{docker.container_name}:{target}"]


def copy_out(docker: DockerSpec, source: str, staged: str) -> list[str]:
    """Copy from the running container to the host, where nothing else stays."""
    return [*_rsync(docker), "--delete", f"{docker.container_name}:{source}", staged]


def _rsync(docker: DockerSpec) -> list[str]:
    return ["rsync", "-e", f"{program(docker)} exec -i", "-avz"]


def staging(cluster_name: str, path: str) -> str:
    """Where on the host a path of the container has its copy, and its mount."""
    return f"/tmp/ray_tmp_mount/{cluster_name}/{path.lstrip('/')}"  # noqa: S108 - it is Ray's


def mounted(targets: Iterable[str]) -> tuple[str, ...]:
    """Those of the file mounts that the container sees as mounts.

    The bootstrap files are not: a mounted file stays the old one when it is replaced.
    """
    return tuple(target for target in targets if target not in BOOTSTRAP_FILES)


def start(
    docker: DockerSpec,
    cluster_name: str,
    mounts: Iterable[str],
    home: str,
    found_options: Iterable[str] = (),
) -> str:
    """Start the container, as shell text.

    `home` is where its `~/` is, `found_options` are what the machine's memory and GPUs ask for.
    """
    volumes = [
        f"-v {shlex.quote(staging(cluster_name, m) + ':' + m.replace('~/', home + '/'))}"
        for m in mounts
    ]
    words = [
        f"{program(docker)} run --rm --name {shlex.quote(docker.container_name)} -d -it",
        *volumes,
        "-e LC_ALL=C.UTF-8 -e LANG=C.UTF-8",
        *docker.run_options,
        *found_options,
        f"--net=host {shlex.quote(docker.image)} bash",
    ]
    return " ".join(words)


def shm_option(docker: DockerSpec, meminfo: str) -> tuple[str, ...]:
    """Room in /dev/shm for Ray's objects, by the host's /proc/meminfo.

    Nothing when the user says it, does not want it, or the memory is not known.
    """
    if docker.disable_shm_size_detection or any("--shm-size" in o for o in docker.run_options):
        return ()
    words = next((ln.split() for ln in meminfo.splitlines() if "MemAvailable" in ln), [])
    if len(words) < 2 or not words[1].isdecimal():
        return ()
    return (f"--shm-size={int(min(int(words[1]) * 1024 * _SHM_SHARE, _SHM_MOST_BYTES))}b",)


def home_in(image_environment: str) -> str:
    """The home directory in an image whose `.Config.Env` is given as JSON; root's when unsaid."""
    try:
        variables = json.loads(image_environment) or []
    except ValueError:
        variables = []
    homes = [v.removeprefix("HOME=") for v in variables if str(v).startswith("HOME=")]
    return homes[0] if homes else "/root"


def missing_mounts(active: str, wanted: Iterable[str], home: str) -> list[str]:
    """Those of the wanted mounts that a container whose `.Mounts` are given as JSON lacks."""
    try:
        there = {posixpath.normpath(mount["Destination"]) for mount in json.loads(active) or []}
    except (ValueError, TypeError, KeyError):
        return []
    expanded = {mount: posixpath.normpath(mount.replace("~", home, 1)) for mount in wanted}
    return [mount for mount, path in expanded.items() if path not in there]
