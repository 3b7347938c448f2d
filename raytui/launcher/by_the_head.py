"""What `down` has the head do itself: end its workers in order, and keep nothing of ours."""

from __future__ import annotations

from msgspec import Struct

from raytui.backends.shell_script import script_argv
from raytui.config.bootstrap_files import BOOTSTRAP_FILES, CONFIG
from raytui.launcher.options import DownOptions
from raytui.launcher.reach import HeadReach
from raytui.launcher.service import unit_name
from raytui.launcher.told_steps import run_on_head
from raytui.model.spec import ClusterSpec
from raytui.model.step import StepSink
from raytui.provisioning.docker_commands import staging
from raytui.provisioning.docker_runner import DockerRunner
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


class Trouble(Struct, frozen=True):
    """Why the head has not done all of it."""

    words: str
    told_by_raytui: bool
    """raytui works there, and tells what it could not do."""


def down_by_the_head(reach: HeadReach, on_step: StepSink, options: DownOptions) -> Trouble | None:
    """Have raytui on the head take down what `options` says and tell its steps.

    Raises ProviderError when it cannot be asked.
    """
    if reach.inside.run(script_argv(_IS_THERE, _below_home(CONFIG)), timeout_s=_ASK_S).exit_code:
        return None  # Nothing was ever started there, or all is done.
    command = ["down", CONFIG, "--yes"]
    command += ["--workers-only"] if options.workers_only else []
    command += ["--keep-min-workers"] if options.keep_min_workers else []
    command += ["--keep-head"] if options.keep_head else []
    answer = run_on_head(reach.inside, command, on_step, timeout_s=_ON_HEAD_S)
    if not answer.exit_code:
        return None
    lines = answer.output.strip().splitlines() or [f"exit code {answer.exit_code}"]
    told = next((line for line in lines if line.startswith("raytui: ")), "")
    words = told.removeprefix("raytui: ") or lines[-1]
    return Trouble(words, bool(told))


def tidy_up(spec: ClusterSpec, reach: HeadReach, on_step: StepSink) -> None:
    """Take away key and cluster file, and the service that would start with the machine."""
    with step(on_step, "tidy up the head", "head"):
        files = [_below_home(file) for file in BOOTSTRAP_FILES]
        reach.host.run(script_argv(_TIDY, unit_name(spec), *files), timeout_s=_ASK_S)
        if isinstance(reach.inside, DockerRunner):
            staged = [staging(spec.cluster_name, file) for file in BOOTSTRAP_FILES]
            reach.host.run(["rm", "-f", "--", *staged], timeout_s=_ASK_S)


def _below_home(path: str) -> str:
    return path.removeprefix("~/")
