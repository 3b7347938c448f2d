"""Set one node up: each step told as it goes, its output kept, what is done never done twice."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from raytui.backends.base import CommandResult, CommandRunner, LineSink, ProviderError
from raytui.backends.masking import masked
from raytui.backends.ssh.errors import CUT_OFF
from raytui.config.locations import private_dir
from raytui.model.plan import FailureKind
from raytui.model.step import LaunchError, Step, StepSink, StepStatus
from raytui.provisioning.deciding import Change, Restarts, Work, decide
from raytui.provisioning.docker_runner import DockerRunner
from raytui.provisioning.done_steps import forget_done, read_done, write_done
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.login import PATIENT, PATIENT_WITH_NEW, NoLoginError, wait_for_login
from raytui.provisioning.node_setup import (
    Action,
    CopyFiles,
    NodeSetup,
    RunCommand,
    SetupStep,
    StartContainer,
)
from raytui.provisioning.output_file import OutputFile
from raytui.provisioning.progress import Progress, step
from raytui.provisioning.running_mark import VARIABLE, RunningMark
from raytui.provisioning.shown_steps import DONE_BEFORE

LOGIN_WITHIN_S = 900.0
"""How long a machine may boot (Ray's AUTOSCALER_NODE_START_WAIT_S)."""

_CUTS = 5
"""So often a step is begun again because its connection was lost."""
_BACK_WITHIN_S = 300.0
"""How long a machine may then be away."""
_FINAL = frozenset({FailureKind.AUTH, FailureKind.CONFIG})
"""What no second try mends."""
_SAY_EVERY_S = 0.1
_TERMINAL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0e-\x1f\x7f]"
)
_NO_FILE = 11
"""rsync's own code for trouble with files."""


class NodeUpdate(Struct, frozen=True):
    """One node to be set up, and how to reach its machine."""

    setup: NodeSetup
    host: CommandRunner
    cluster_name: str
    known: NodeHashes = NodeHashes()
    """What it was made from, by its tags."""
    same_type: bool = True
    is_new: bool = False
    """We had it made just now."""
    fresh: bool = False
    """Ray was never started for this instance, whatever its machine was before."""
    restarts: Restarts = Restarts()

    machine: str = ""
    """What the machine is called, where one may serve several nodes after another."""

    @property
    def node(self) -> str:
        """What its steps are told under."""
        return "head" if self.setup.is_head else self.setup.instance_id


class Updated(Struct, frozen=True):
    """How the set-up of a node ended."""

    instance_id: str
    change: Change
    """RELAUNCH: nothing was done, since another machine is needed."""
    hashes: NodeHashes = NodeHashes()
    """To be kept with the node (its tags), when nothing failed."""
    error: str = ""
    failed_step: str = ""
    detail: str = ""
    """More of the story: the end of the output."""
    is_final: bool = False
    """Trying again cannot help: somebody has to mend something first."""


def update_node(
    update: NodeUpdate,
    directory: Path,
    on_step: StepSink,
    stopping: threading.Event | None = None,
    *,
    login_within_s: float = LOGIN_WITHIN_S,
) -> Updated:
    """Bring a node in line with the cluster file; a failure is in the answer, never raised.

    `directory` is the cluster's own for set-up (state and output of each node below it). Steps
    that an earlier, unfinished call has done are skipped: calling again after a failure tries the
    failed step once more and goes on. When `stopping` is set, no further step begins.
    """
    run = _Run(update, directory, on_step, stopping or threading.Event(), login_within_s)
    return run.to_the_end()


def node_directory(directory: Path, instance_id: str) -> Path:
    """Where the state and the output of a node's set-up are, below the cluster's own."""
    return directory / _file_name(instance_id)


class _Run:
    """One call of `update_node`."""

    def __init__(
        self,
        update: NodeUpdate,
        directory: Path,
        on_step: StepSink,
        stopping: threading.Event,
        login_within_s: float,
    ) -> None:
        setup = update.setup
        self._update = update
        self._setup = setup
        self._on_step = on_step
        self._stopping = stopping
        self._login_within_s = login_within_s
        private_dir(directory)
        self._directory = private_dir(node_directory(directory, setup.instance_id))
        self._done_file = self._directory / "done.json"
        self._container = (
            DockerRunner(update.host, setup.docker, update.cluster_name, setup.file_mounts)
            if setup.docker
            else None
        )
        machine = update.machine or setup.instance_id
        self._mark = RunningMark(update.host, _file_name(f"{update.cluster_name}@{machine}"))
        self._word = ""
        """That of a command which was cut off, and may still run."""
        self._at = ""
        self._change = Change.NOTHING

    def to_the_end(self) -> Updated:
        """See `update_node`."""
        instance_id = self._setup.instance_id
        try:
            self._reach()
            work = self._decide()
            self._change = work.change
            if work.change is not Change.RELAUNCH:
                self._work(work)
                return Updated(instance_id, work.change, self._setup.hashes)
            return Updated(instance_id, work.change)
        except (LaunchError, ProviderError, OSError) as error:
            words = "stopped" if self._stopping.is_set() else str(error)
            detail = getattr(error, "detail", "")
            return Updated(
                instance_id,
                self._change,
                error=words,
                failed_step=self._at,
                detail=detail,
                is_final=_is_final(error),
            )

    def _reach(self) -> None:
        self._at = "wait for login"
        with step(self._on_step, self._at, self._update.node) as progress:
            wait_for_login(
                self._update.host,
                progress,
                self._stopping,
                within_s=self._login_within_s,
                patient=PATIENT_WITH_NEW if self._update.is_new else PATIENT,
            )
            if (word := self._mark.find()) and self._mark.end(word, self._container):
                progress.say("ended what an earlier try had left running")

    def _decide(self) -> Work:
        update = self._update
        waits = False
        if self._container and update.known.runtime == self._setup.hashes.runtime:
            self._at = "look at the container"
            with step(self._on_step, self._at, update.node) as progress:
                why = self._container.why_start()
                progress.say(why or "it runs")
                waits = bool(why)
        return decide(
            update.known,
            self._setup.hashes,
            is_head=self._setup.is_head,
            same_type=update.same_type,
            fresh=update.fresh,
            container_waits=waits,
            restarts=update.restarts,
        )

    def _work(self, work: Work) -> None:
        steps = self._setup.steps(work)
        for one in steps:
            self._on_step(Step(self._update.node, one.name, StepStatus.WAITING))
        keys = self._setup.keys(steps)
        done = set(read_done(self._done_file)) & set(keys)
        write_done(self._done_file, done)
        for number, (one, key) in enumerate(zip(steps, keys, strict=True), 1):
            output = self._directory / f"{number:02d}-{_file_name(one.name)}.log"
            self._at = one.name
            if one.lasts and key in done:
                self._on_step(_done_before(self._update.node, one.name, output))
                continue
            with step(self._on_step, one.name, self._update.node, str(output)) as progress:
                self._go_on_or_stop()
                self._do(one, output, progress)
            done.add(key)
            write_done(self._done_file, done)
        forget_done(self._done_file)

    def _do(self, one: SetupStep, output: Path, progress: Progress) -> None:
        """Do one step; raises LaunchError with its output when it fails."""
        env = one.action.env if isinstance(one.action, RunCommand) else {}
        with OutputFile(output) as file:
            heard = _Heard(file, progress, env)
            if isinstance(one.action, RunCommand):
                file.write(f"$ {masked(one.action.text, env)}")
                progress.say(" ".join(masked(one.action.text, env).split()))
            try:
                result = self._through_cuts(one.action, heard)
            except ProviderError as error:
                self._go_on_or_stop()
                heard.instead(error.detail or str(error))
                words = masked(str(error), env)
                raise LaunchError(f"{one.name}: {words}", masked(error.detail, env)) from error
            heard.end()
            self._go_on_or_stop()
            if result is None:
                progress.skip("does not exist here")
            elif result.exit_code:
                heard.instead(result.output)
                words = f"{one.name}: exit code {result.exit_code}"
                words = f"{words}: {heard.last}" if heard.last else words
                raise LaunchError(words, masked(result.output, env))

    def _go_on_or_stop(self) -> None:
        if self._stopping.is_set():
            raise LaunchError("stopped")

    def _through_cuts(self, action: Action, heard: _Heard) -> CommandResult | None:
        """Do it; a lost connection is no failure of it: when the machine is back, it is repeated.

        What was cut off may still run there, and is ended first.
        """
        for _ in range(_CUTS):
            try:
                return self._marked(action, heard)
            except CUT_OFF as error:
                self._go_on_or_stop()
                heard(f"--- {error}")
                heard.end()
            wait_for_login(
                self._update.host, heard.progress, self._stopping, within_s=_BACK_WITHIN_S
            )
            heard("--- the machine is back; once more")
        return self._marked(action, heard)

    def _marked(self, action: Action, heard: _Heard) -> CommandResult | None:
        """Do it under a mark, if it may outlive us there."""
        if not isinstance(action, RunCommand):
            return self._result(action, heard)
        if self._word:
            self._mark.end(self._word, self._container)
        self._word = self._mark.note()
        env = {**action.env, VARIABLE: self._word}
        result = self._result(msgspec.structs.replace(action, env=env), heard)
        self._word = ""
        if not self._stopping.is_set():
            self._mark.clear()
        return result

    def _result(self, action: Action, on_line: LineSink) -> CommandResult | None:
        """What became of it; None when there was nothing to do."""
        host = self._update.host
        inside: CommandRunner = self._container or host
        match action:
            case RunCommand(text, env, on_host):
                return (host if on_host else inside).run_shell(text, env=env, on_line=on_line)
            case CopyFiles(source, target, optional):
                path = Path(source).expanduser()
                if not path.exists():
                    words = f"{path}: no such file or directory here"
                    return None if optional else CommandResult(_NO_FILE, words)
                slash = "/" if path.is_dir() else ""
                to = target.rstrip("/") + slash
                filters = self._setup.filters
                inside.put(f"{path}{slash}", to, filters=filters, on_line=on_line)
                return CommandResult(0, "")
            case StartContainer():
                assert self._container is not None, "only docker mode has this step"
                return self._container.start(on_line=on_line)


class _Heard:
    """Takes a step's lines: all into its file, the newest to who watches, a few times a second."""

    def __init__(self, file: OutputFile, progress: Progress, env: Mapping[str, str]) -> None:
        self._file = file
        self.progress = progress
        self._env = env
        self._said_at = 0.0
        self.last = ""

    def __call__(self, line: str) -> None:
        shown = masked(line, self._env)
        self._file.write(shown)
        self.last = _plain(shown) or self.last
        now = time.monotonic()
        if self.last and now - self._said_at >= _SAY_EVERY_S:
            self._said_at = now
            self.progress.say(self.last)

    def instead(self, output: str) -> None:
        """Take the whole output of what told no lines."""
        if not self.last:
            for line in output.splitlines():
                self(line)

    def end(self) -> None:
        """No more lines come."""
        if self.last:
            self.progress.say(self.last)


def _done_before(node: str, name: str, output: Path) -> Step:
    now = time.time()
    return Step(node, name, StepStatus.SKIPPED, now, now, DONE_BEFORE, str(output))


def _is_final(error: Exception) -> bool:
    if isinstance(error, NoLoginError):
        return True
    cause = error.__cause__ if isinstance(error, LaunchError) else error
    return isinstance(cause, ProviderError) and cause.kind in _FINAL


def _plain(line: str) -> str:
    """A line without colours and other orders to a terminal."""
    return " ".join(_TERMINAL.sub("", line).split())


def _file_name(words: str) -> str:
    return re.sub(r"[^\w.-]+", "-", words).strip("-.") or "-"
