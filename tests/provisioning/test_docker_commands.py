"""The commands of docker mode: those that Ray would run, whatever the section says."""

from __future__ import annotations

import posixpath
import shlex
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytui.config.bootstrap_files import BOOTSTRAP_FILES
from raytui.model.spec import DockerSpec
from raytui.provisioning import docker_commands as ours

rays = pytest.importorskip("ray.autoscaler._private.docker")
rays_runner = pytest.importorskip("ray.autoscaler._private.command_runner")

NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)
IMAGES = st.builds("{}/{}:{}".format, NAMES, NAMES, NAMES)
PATHS = st.lists(NAMES, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from(["~/" + "/".join(parts), "/" + "/".join(parts)])
)
OPTIONS = st.lists(
    st.sampled_from(
        [
            "--ulimit nofile=65536:65536",
            "--gpus all",
            "-e X=$HOME",
            "-v '/a b':/c",
            "--shm-size=2g",
            "--cap-add SYS_PTRACE",
        ]
    ),
    max_size=4,
)
SECTIONS = st.builds(
    DockerSpec,
    image=IMAGES,
    container_name=NAMES,
    pull_before_run=st.booleans(),
    run_options=OPTIONS.map(tuple),
    disable_automatic_runtime_detection=st.booleans(),
    disable_shm_size_detection=st.booleans(),
    use_podman=st.booleans(),
)


def words(command: str) -> list[str]:
    """A command's words, paths in them without needless slashes."""
    return [
        ":".join(posixpath.normpath(p) for p in w.split(":")) if w.startswith("/tmp/ray") else w
        for w in shlex.split(command)
    ]


@given(SECTIONS, NAMES, st.lists(PATHS, max_size=4, unique=True), OPTIONS)
def test_the_container_starts_as_rays(docker: DockerSpec, cluster: str, mounts: list[str], more):
    cleaned = ours.mounted([*mounts, *BOOTSTRAP_FILES])
    assert list(cleaned) == mounts
    theirs = rays.docker_start_cmds(
        "user",
        docker.image,
        dict.fromkeys(mounts, "/local"),
        docker.container_name,
        [*docker.run_options, *more],
        cluster,
        "/home/ray",
        ours.program(docker),
    )
    assert words(ours.start(docker, cluster, mounts, "/home/ray", more)) == words(theirs)


@given(SECTIONS)
def test_what_is_asked_about_a_container_is_what_ray_asks(docker: DockerSpec):
    name, engine = docker.container_name, ours.program(docker)
    for template, theirs in (
        (".State.Running", rays.check_docker_running_cmd),
        ("json .Mounts", rays.check_bind_mounts_cmd),
        (".Config.Image", rays.check_docker_image),
    ):
        asked = [*ours.inspect(docker, template, name), "||", "true"]
        assert asked == shlex.split(theirs(name, engine))


@given(SECTIONS, st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_a_command_goes_into_the_container_as_rays(docker: DockerSpec, text: str):
    (theirs,) = rays.with_docker_exec([text], docker.container_name, ours.program(docker))
    engine, verb, interactive, *rest = ours.execute(docker, ["/bin/bash", "-c", text])
    assert interactive == "-i"
    assert [engine, verb, *rest] == shlex.split(theirs)


class Host:
    """What Ray's docker runner asks of a machine: its memory, the engine's runtimes."""

    ssh_user = "user"
    cluster_name = "c"

    def __init__(self, **answers: str) -> None:
        self.answers = answers

    def run(self, command: str, **_: Any) -> bytes:
        return next(a for word, a in self.answers.items() if word in command).encode()


@given(SECTIONS, st.none() | st.integers(0, 2**33))
def test_shared_memory_is_sized_as_rays(docker: DockerSpec, kilobytes: int | None):
    meminfo = "MemTotal: 1 kB\n"
    if kilobytes is not None:
        meminfo += f"MemAvailable:   {kilobytes} kB\n"
    section = {"disable_shm_size_detection": docker.disable_shm_size_detection}
    runner = SimpleNamespace(docker_config=section, ssh_command_runner=Host(meminfo=meminfo))
    given_options = list(docker.run_options)
    theirs = rays_runner.DockerCommandRunner._auto_configure_shm(runner, given_options)
    added = [option.replace("'", "") for option in theirs[len(given_options) :]]
    sizes = [int(float(o.removeprefix("--shm-size=").removesuffix("b"))) for o in added]
    assert [f"--shm-size={size}b" for size in sizes] == list(ours.shm_option(docker, meminfo))


def test_a_missing_image_only_is_fetched_when_the_user_says_so():
    docker = DockerSpec(image="r/ray:1", container_name="ray", pull_before_run=False)
    assert ours.pull(docker).endswith("|| docker pull r/ray:1")
    assert ours.pull(DockerSpec(image="r/ray:1", use_podman=True)) == "podman pull r/ray:1"


@pytest.mark.parametrize(
    ("environment", "home"),
    [('["A=1","HOME=/home/ray"]', "/home/ray"), ("[]", "/root"), ("null", "/root"), ("", "/root")],
)
def test_the_home_in_an_image_is_the_one_it_says(environment: str, home: str):
    assert ours.home_in(environment) == home


def test_a_container_without_a_mount_is_found_out():
    active = '[{"Destination": "/home/ray/code/"}, {"Destination": "/data"}]'
    assert ours.missing_mounts(active, ["~/code", "/data/"], "/home/ray") == []
    assert ours.missing_mounts(active, ["~/code", "~/new"], "/home/ray") == ["~/new"]
    assert ours.missing_mounts("no JSON", ["~/code"], "/home/ray") == []
