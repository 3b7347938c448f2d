"""Bring a cluster up and take it down, every step visible: `up(load_cluster("cluster.yaml"))`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, Step, StepSink

if TYPE_CHECKING:
    from raytui.launcher.options import DownOptions, UpOptions

__all__ = ["down", "up"]


def _unseen(_: Step) -> None:
    pass


def up(spec: ClusterSpec, on_step: StepSink = _unseen, options: UpOptions | None = None) -> None:
    """Bring a cluster up, or complete what is half up, telling each step to `on_step`.

    Steps may come from several threads. Returns when the first workers run, or when all that can
    be said is that the autoscaler goes on. Without options, Ray on a head elsewhere that is up is
    left as it is. Raises LaunchError.
    """
    from raytui.config.locations import ClusterPaths
    from raytui.launcher.options import UpOptions
    from raytui.launcher.place import Place, place_of

    paths, options = ClusterPaths(spec.state_name), options or UpOptions()
    match place_of(spec):
        case Place.HERE:
            from raytui.launcher.up_here import up_here

            up_here(spec, paths, on_step, options)
        case Place.HEAD:
            from raytui.launcher.up_there import up_there

            up_there(spec, paths, on_step, options)
        case Place.KUBERNETES:
            from raytui.launcher.on_kubernetes import up_on_kubernetes

            up_on_kubernetes(spec, on_step, options)


def down(
    spec: ClusterSpec, on_step: StepSink = _unseen, options: DownOptions | None = None
) -> None:
    """Take a cluster down, also when its daemon or its head is dead; twice does no harm.

    Raises LaunchError, which says what may still be there.
    """
    from raytui.config.locations import ClusterPaths
    from raytui.launcher.down_bought import down_bought
    from raytui.launcher.down_here import down_here
    from raytui.launcher.down_there import down_there
    from raytui.launcher.options import DownOptions
    from raytui.launcher.place import Place, place_of
    from raytui.provisioning.registry import cloud_for

    paths, options = ClusterPaths(spec.state_name), options or DownOptions()
    place = place_of(spec)
    cloud = cloud_for(spec) if place is Place.HEAD else None
    if options.shared_parts and cloud is None:
        raise LaunchError(
            f"{spec.cluster_name} is not down: with provider {spec.provider.type} there is nothing "
            "that up has made beside machines (--shared-parts)"
        )
    if place is Place.KUBERNETES:
        from raytui.launcher.on_kubernetes import down_on_kubernetes

        down_on_kubernetes(spec, on_step, options)
    elif place is Place.HERE:
        down_here(spec, paths, on_step, options)
    elif cloud:
        down_bought(spec, paths, cloud, on_step, options)
    else:
        down_there(spec, paths, on_step, options)
