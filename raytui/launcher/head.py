"""Find, start and take away the head of a cluster."""

from __future__ import annotations

import time
import uuid

from raytui.backends.abilities import HeadProvider
from raytui.backends.base import LaunchRequest, ProviderError
from raytui.model.lifecycle import LEAVING, InstanceStatus
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance
from raytui.model.step import LaunchError
from raytui.provisioning.progress import Progress
from raytui.ray.base import RayError

_GCS_WAIT_S = 120.0
_LOOK_EVERY_S = 0.2


class HeadDiedError(LaunchError):
    """The head is gone; another one may be started."""


def find_head(provider: HeadProvider) -> Instance | None:
    """The head as the provider knows it, dead or alive."""
    return next((i for i in provider.list_instances() if i.is_head), None)


def start_head(spec: ClusterSpec, provider: HeadProvider, progress: Progress) -> bool:
    """Make sure that there is a head; True when this call started it. Raises LaunchError."""
    try:
        head = find_head(provider)
        if head is not None and head.status in LEAVING:
            progress.say(f"clearing away {head.instance_id} ({head.status})")
            provider.terminate([head.instance_id])
            head = None
        if head is not None:
            progress.skip(f"{head.instance_id} is running")
            return False
        request = LaunchRequest(
            request_id=f"head-{uuid.uuid4().hex[:12]}",
            node_type=spec.head_node_type,
            count=1,
            is_head=True,
        )
        head = provider.launch(request)[0]
    except ProviderError as error:
        raise LaunchError(f"the head could not be started: {error}", error.detail) from error
    progress.say(f"{head.instance_id} {head.ip}".strip())
    return True


def head_answers(provider: HeadProvider) -> bool:
    """Whether there is a head and Ray on it answers now."""
    head = find_head(provider)
    address = provider.head_address()
    if head is None or head.status in LEAVING:
        return False
    return bool(address) and not _ask_gcs(address)


def wait_for_gcs(spec: ClusterSpec, provider: HeadProvider, progress: Progress) -> None:
    """Wait until Ray on the head answers; raises LaunchError when the head dies or time is up."""
    end = time.monotonic() + _GCS_WAIT_S
    words = "no address yet"
    while time.monotonic() < end:
        head = find_head(provider)
        if head is None or head.status is InstanceStatus.LOST:
            detail = head.detail if head is not None else ""
            raise HeadDiedError(f"the head of {spec.cluster_name} died", detail)
        address = provider.head_address()
        words = _ask_gcs(address) if address else words
        if not words:
            progress.say(address)
            return
        progress.say(head.detail.splitlines()[-1] if head.detail else words)
        time.sleep(_LOOK_EVERY_S)
    raise LaunchError(f"Ray on the head did not answer in {_GCS_WAIT_S:g} s: {words}")


def _ask_gcs(address: str) -> str:
    """Empty when GCS answers, else what is the matter."""
    from raytui.ray.gcs import GcsRay

    try:
        ray = GcsRay(address)
    except RayError as error:
        return str(error)
    try:
        ray.observe()
    except RayError as error:
        return str(error)
    finally:
        ray.close()
    return ""
