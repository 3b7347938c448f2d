"""Runs commands in the Ray container of a machine, through whatever reaches the machine."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable, Mapping, Sequence

from raytui.backends.base import (
    CommandResult,
    CommandRunner,
    Filters,
    LineSink,
    TransientError,
)
from raytui.backends.login_shell import login_shell, noiseless, without_noise
from raytui.model.spec import DockerSpec
from raytui.model.text import first_line
from raytui.provisioning import docker_commands as commands

_ASK_S = 60.0
"""How long a question to the engine may take."""


class DockerRunner:
    """A CommandRunner whose machine is the container; `host` is the machine around it.

    Files go by way of a directory on the host, which is mounted for `file_mounts`. What was put
    before the container ran and is not mounted comes in when it starts.
    """

    def __init__(
        self,
        host: CommandRunner,
        docker: DockerSpec,
        cluster_name: str,
        file_mounts: Iterable[str] = (),
    ) -> None:
        self.host = host
        self._docker = docker
        self._cluster = cluster_name
        self._mounts = commands.mounted(file_mounts)
        self._staged: dict[str, None] = {}
        self._home = ""

    def why_start(self) -> str:
        """Why the container has to be started (anew); empty when it runs with all mounts."""
        if self._ask(".State.Running", self._docker.container_name) != "true":
            return f"no container {self._docker.container_name} runs"
        active = self._ask("json .Mounts", self._docker.container_name)
        lacks = commands.missing_mounts(active, self._mounts, self._find_home())
        return f"the container lacks the mounts {', '.join(lacks)}" if lacks else ""

    def start(self, *, on_line: LineSink | None = None) -> CommandResult:
        """Get the image and start the container, unless it runs as it should.

        Then what waits on the host is copied into it. Raises ProviderError when that fails.
        """
        result = self.host.run_shell(commands.pull(self._docker), on_line=on_line)
        if result.exit_code:
            return result
        if self.why_start():
            name = self._docker.container_name
            if self._ask(".State.Running", name) == "true":
                self.stop(on_line=on_line)
            options = (*self._shm(), *self._runtime())
            home = self._home_of_image()
            text = commands.start(self._docker, self._cluster, self._mounts, home, options)
            result = self.host.run_shell(text, on_line=on_line)
            self._home = ""
        if not result.exit_code:
            for path in self._staged:
                self._copy_in(path, None, on_line)
        return result

    def stop(self, *, on_line: LineSink | None = None) -> CommandResult:
        """Stop the container, which goes away with it."""
        return self.host.run(commands.stop(self._docker), on_line=on_line)

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """See CommandRunner.

        Out of time, the engine's client is ended; what it started in the container may go on.
        """
        inside = commands.execute(self._docker, command, env or ())
        return self.host.run(inside, env=env, timeout_s=timeout_s, on_line=on_line)

    def run_shell(
        self,
        text: str,
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """See CommandRunner; two habits are Ray's.

        A command that begins with the engine's name runs on the host, and `~/` is the container's
        home also where no shell would expand it.
        """
        if text.startswith(commands.program(self._docker)):
            return self.host.run_shell(text, env=env, timeout_s=timeout_s, on_line=on_line)
        if "~/" in text:
            text = text.replace("~/", self._find_home() + "/")

        # Ray's own quoting: bash of the image, and in it the login shell.
        inside = ["/bin/bash", "-c", shlex.join(login_shell(text))]
        result = self.run(inside, env=env, timeout_s=timeout_s, on_line=noiseless(on_line))
        return CommandResult(result.exit_code, without_noise(result.output))

    def put(
        self,
        source: str,
        to: str,
        *,
        filters: Filters | None = None,
        delete: bool = False,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> None:
        """See CommandRunner; what is deleted is deleted in mounts only."""
        staged = commands.staging(self._cluster, to)
        self.host.put(
            source, staged, filters=filters, delete=delete, timeout_s=timeout_s, on_line=on_line
        )
        if self._is_mounted(to):
            return
        self._staged[to] = None
        if self._ask(".State.Running", self._docker.container_name) == "true":
            self._copy_in(to, timeout_s, on_line)

    def get(
        self,
        source: str,
        to: str,
        *,
        filters: Filters | None = None,
        delete: bool = False,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> None:
        """See CommandRunner."""
        staged = commands.staging(self._cluster, source)
        if not self._is_mounted(source):
            self.host.run(["mkdir", "-p", posixpath.dirname(staged.rstrip("/"))], timeout_s=_ASK_S)
            out = commands.copy_out(self._docker, self._expanded(source), staged)
            _check(self.host.run(out, timeout_s=timeout_s, on_line=on_line), source)
        self.host.get(
            staged, to, filters=filters, delete=delete, timeout_s=timeout_s, on_line=on_line
        )

    def stream_command(self, command: Sequence[str]) -> list[str]:
        """See CommandRunner."""
        return self.host.stream_command(commands.execute(self._docker, command))

    def close(self) -> None:
        """See CommandRunner."""
        self.host.close()

    def _copy_in(self, path: str, timeout_s: float | None, on_line: LineSink | None) -> None:
        inside = self._expanded(path)
        folder = posixpath.dirname(inside.rstrip("/"))
        _check(self.run(["mkdir", "-p", folder], timeout_s=_ASK_S), path)
        copy = commands.copy_in(self._docker, commands.staging(self._cluster, path), inside)
        _check(self.host.run(copy, timeout_s=timeout_s, on_line=on_line), path)

    def _is_mounted(self, path: str) -> bool:
        return any(
            path.rstrip("/") == mount.rstrip("/") or path.startswith(mount.rstrip("/") + "/")
            for mount in self._mounts
        )

    def _expanded(self, path: str) -> str:
        return path.replace("~", self._find_home(), 1) if path.startswith("~") else path

    def _find_home(self) -> str:
        if not self._home:
            told = self.run(["printenv", "HOME"], timeout_s=_ASK_S)
            self._home = told.output.strip() if not told.exit_code else self._home_of_image()
        return self._home

    def _home_of_image(self) -> str:
        return commands.home_in(self._ask("json .Config.Env", self._docker.image))

    def _shm(self) -> tuple[str, ...]:
        meminfo = self.host.run(["cat", "/proc/meminfo"], timeout_s=_ASK_S)
        return commands.shm_option(self._docker, meminfo.output)

    def _runtime(self) -> tuple[str, ...]:
        """NVIDIA's runtime where the engine has it and the machine has GPUs."""
        if self._docker.disable_automatic_runtime_detection:
            return ()
        known = self.host.run(commands.runtimes(self._docker), timeout_s=_ASK_S)
        if "nvidia-container-runtime" not in known.output:
            return ()
        there = self.host.run(["nvidia-smi"], timeout_s=_ASK_S).exit_code == 0
        return ("--runtime=nvidia",) if there else ()

    def _ask(self, template: str, what: str) -> str:
        """One fact about a container or an image; empty when there is none of that name."""
        result = self.host.run(commands.inspect(self._docker, template, what), timeout_s=_ASK_S)
        return "" if result.exit_code else result.output.strip()


def _check(copied: CommandResult, path: str) -> None:
    if copied.exit_code:
        words = first_line(copied.output) or f"exit code {copied.exit_code}"
        raise TransientError(
            f"{path} was not copied to or from the container: {words}", detail=copied.output
        )
