"""What snapshots say of a cluster that does not change from round to round."""

from __future__ import annotations

import msgspec

from raytui.model.snapshot import ClusterInfo
from raytui.model.spec import ClusterSpec


def info_of(
    spec: ClusterSpec,
    *,
    gcs_address: str = "",
    dashboard_url: str = "",
    metrics_url: str = "",
    daemon_pid: int = 0,
) -> ClusterInfo:
    """Of a cluster as its file and its provider tell it; `daemon_pid` 0: no daemon drives it."""
    info = ClusterInfo(
        cluster_name=spec.cluster_name,
        provider=spec.provider.type,
        gcs_address=gcs_address,
        dashboard_url=dashboard_url,
        daemon_pid=daemon_pid,
        source=spec.source,
        metrics_url=metrics_url,
    )
    return as_ruled(info, spec)


def as_ruled(info: ClusterInfo, spec: ClusterSpec) -> ClusterInfo:
    """The same with the rules of a cluster file, which may have been read again."""
    return msgspec.structs.replace(
        info,
        max_workers=spec.max_workers,
        upscaling_speed=spec.upscaling_speed,
        idle_timeout_s=spec.idle_timeout_s,
        drain_s=spec.removal.ordered_drain_s,
    )
