"""Take a cluster down whose machines are elsewhere, by its head; what is broken there is told."""

from __future__ import annotations

from msgspec import Struct

from raytui.backends.base import ProviderError
from raytui.backends.marked_processes import end_argv, instance_mark
from raytui.backends.shell_script import script_argv
from raytui.config.bootstrap_files import BOOTSTRAP_FILES, CONFIG
from raytui.config.launched import forget
from raytui.config.locations import ClusterPaths
from raytui.launcher.at_the_head import at_the_head
from raytui.launcher.head_notes import forget_record
from raytui.launcher.options import DownOptions
from raytui.launcher.reach import HeadReach, head_id
from raytui.launcher.service import DAEMON_MARK, unit_name
from raytui.launcher.told_steps import run_on_head
from raytui.launcher.worker_keys import worker_hosts
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, StepSink
from raytui.model.text import first_line
from raytui.provisioning.docker_commands import staging
from raytui.provisioning.docker_runner import DockerRunner
from raytui.provisioning.login import NoLoginError
from raytui.provisioning.progress import step

_ON_HEAD_S = 900.0
_ASK_S = 60.0

_IS_THERE = 'test -e "$HOME/$1"'
_TIDY = """\
for scope in --user ''; do
  case $scope in
    --user) unit=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/$1;;
    *) unit=/etc/systemd/system/$1;;
  esac
  [ -e "$unit" ] || continue
  systemctl $scope disable --now "$1"; rm -f "$unit"; systemctl $scope daemon-reload
done
shift
for file; do rm -f "$HOME/$file"; done
"""


def down_there(
    spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink, options: DownOptions
) -> None:
    """Have the head end its workers, then end the head's Ray; raises LaunchError.

    Where raytui on the head does not work, or a host does not answer, the head's Ray is ended all
    the same, and the error names the hosts that were not seen to. The head then keeps what it takes
    to repeat this.
    """
    paths.make()
    try:
        with at_the_head(spec, paths, "down", on_step, options.login_within_s) as reach:
            trouble = _by_the_head(spec, reach, on_step, options)
            if options.workers_only:
                if trouble:
                    raise LaunchError(f"on the head: {trouble.words}")
                return
            _end_the_head(spec, reach, on_step)
            if not trouble:
                _tidy_up(spec, reach, on_step)
    except NoLoginError as error:
        raise LaunchError(
            f"{spec.cluster_name} is not down: its head lets nobody in: {error} If it is gone for "
            f"good: raytui down {spec.cluster_name} --forget"
        ) from error
    except ProviderError as error:
        raise LaunchError(f"{spec.cluster_name} is not down: {error}", error.detail) from error
    if trouble is None:
        forget(paths)
    elif trouble.told_by_raytui:
        raise LaunchError(f"on the head: {trouble.words}")
    else:
        hosts = ", ".join(worker_hosts(spec)) or "none"
        raise LaunchError(
            f"Ray on the head has ended, but raytui there could not end the workers "
            f"({trouble.words}). Nobody has seen to: {hosts}. Ray there ends by itself when it "
            "misses its head for a minute; what jobs have left running does not. "
            f"`raytui up` mends the head; `raytui down {spec.cluster_name} --forget` lets go."
        )


class _Trouble(Struct, frozen=True):
    """Why the head has not done all of it."""

    words: str
    told_by_raytui: bool
    """raytui works there, and tells what it could not do."""


def _by_the_head(
    spec: ClusterSpec, reach: HeadReach, on_step: StepSink, options: DownOptions
) -> _Trouble | None:
    """Have raytui on the head do it and tell its steps."""
    if reach.inside.run(script_argv(_IS_THERE, _below_home(CONFIG)), timeout_s=_ASK_S).exit_code:
        return None  # Nothing was ever started there, or all is done.
    command = ["down", CONFIG, "--yes"]
    command += ["--workers-only"] if options.workers_only else []
    command += ["--keep-min-workers"] if options.keep_min_workers else []
    answer = run_on_head(reach.inside, command, on_step, timeout_s=_ON_HEAD_S)
    if not answer.exit_code:
        return None
    lines = answer.output.strip().splitlines() or [f"exit code {answer.exit_code}"]
    told = next((line for line in lines if line.startswith("raytui: ")), "")
    words = told.removeprefix("raytui: ") or lines[-1]
    return _Trouble(words, bool(told))


def _end_the_head(spec: ClusterSpec, reach: HeadReach, on_step: StepSink) -> None:
    """Whatever of the cluster still runs on its head, whoever started it."""
    with step(on_step, "end what is left on the head", "head") as progress:
        if isinstance(reach.inside, DockerRunner):
            stopped = reach.inside.stop()
            progress.say("stopped the container" if not stopped.exit_code else "no container runs")
            return
        said = []
        for mark in (f"{DAEMON_MARK}={spec.cluster_name}", instance_mark(head_id(spec))):
            ended = reach.host.run(end_argv(mark), timeout_s=_ASK_S)
            if ended.exit_code:
                raise LaunchError(f"on the head: {first_line(ended.output)}", ended.output)
            said += [line for line in ended.output.splitlines() if line.startswith("ending")]
        if said:
            progress.say("; ".join(said))
        else:
            progress.skip("nothing runs")


def _tidy_up(spec: ClusterSpec, reach: HeadReach, on_step: StepSink) -> None:
    """Key and cluster file, the service, and our notes."""
    with step(on_step, "tidy up the head", "head"):
        files = [_below_home(file) for file in BOOTSTRAP_FILES]
        reach.host.run(script_argv(_TIDY, unit_name(spec), *files), timeout_s=_ASK_S)
        if isinstance(reach.inside, DockerRunner):
            staged = [staging(spec.cluster_name, file) for file in BOOTSTRAP_FILES]
            reach.host.run(["rm", "-f", "--", *staged], timeout_s=_ASK_S)
        forget_record(reach.host, spec.cluster_name)


def _below_home(path: str) -> str:
    return path.removeprefix("~/")
