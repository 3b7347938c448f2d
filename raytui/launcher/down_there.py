"""Take a cluster down on hosts that stay, by its head; what is broken there is told."""

from __future__ import annotations

from raytui.backends.base import ProviderError
from raytui.backends.marked_processes import end_argv, instance_mark
from raytui.config.launched import forget
from raytui.config.locations import ClusterPaths
from raytui.launcher.at_the_head import alone, at_the_head
from raytui.launcher.by_the_head import down_by_the_head, tidy_up
from raytui.launcher.head_notes import forget_record
from raytui.launcher.head_place import head_place
from raytui.launcher.options import DownOptions
from raytui.launcher.reach import HeadReach
from raytui.launcher.service import DAEMON_MARK
from raytui.launcher.worker_keys import worker_hosts
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, StepSink
from raytui.model.text import first_line
from raytui.provisioning.docker_runner import DockerRunner
from raytui.provisioning.login import NoLoginError
from raytui.provisioning.progress import step

_ASK_S = 60.0


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
        with (
            alone(paths, "down"),
            at_the_head(spec, paths, "down", on_step, options.login_within_s) as reach,
        ):
            trouble = down_by_the_head(reach, on_step, options)
            if options.workers_only:
                if trouble:
                    raise LaunchError(f"on the head: {trouble.words}")
                return
            _end_the_head(spec, paths, reach, on_step)
            if not trouble:
                tidy_up(spec, reach, on_step)
                forget_record(reach.host, spec.cluster_name)
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


def _end_the_head(
    spec: ClusterSpec, paths: ClusterPaths, reach: HeadReach, on_step: StepSink
) -> None:
    """Whatever of the cluster still runs on its head, whoever started it."""
    with step(on_step, "end what is left on the head", "head") as progress:
        if isinstance(reach.inside, DockerRunner):
            stopped = reach.inside.stop()
            progress.say("stopped the container" if not stopped.exit_code else "no container runs")
            return
        said = []
        ray = instance_mark(head_place(spec, paths).instance_id)
        for mark in (f"{DAEMON_MARK}={spec.cluster_name}", ray):
            ended = reach.host.run(end_argv(mark), timeout_s=_ASK_S)
            if ended.exit_code:
                raise LaunchError(f"on the head: {first_line(ended.output)}", ended.output)
            said += [line for line in ended.output.splitlines() if line.startswith("ending")]
        if said:
            progress.say("; ".join(said))
        else:
            progress.skip("nothing runs")
