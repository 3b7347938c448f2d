"""Ending instances: stopped where they are kept for another life, terminated else."""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Sequence

from raytui.backends.aws.described import batched, ec2_id
from raytui.backends.aws.errors import code_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError, ProviderError
from raytui.model.spec import Market
from raytui.model.state import Instance

_log = logging.getLogger(__name__)

_UNKNOWN_IDS = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed")
_NOT_YET = ("IncorrectInstanceState", "IncorrectState")
_EC2_IDS = re.compile(r"i-[0-9a-z]+")


def end(
    session: AwsSession,
    instances: Sequence[Instance],
    *,
    keeps_stopped: bool,
    starting: Container[str] = (),
) -> set[str]:
    """Stop on-demand instances if so wanted, and terminate the others, each in one call.

    What cannot be stopped is terminated: what has no disk of EC2's, and workers that are `starting`
    (EC2's ids). A head may have been started again, with people's files on its disk.

    Returns EC2's ids of those that cannot be ended yet: EC2 does not know them, or they are heads
    that start. Raises ProviderError.
    """
    kept = [i for i in instances if keeps_stopped and i.market is not Market.SPOT]
    stopping = [i for i in kept if i.is_head or ec2_id(i.instance_id) not in starting]
    later: set[str] = set()
    refused = _stop(session, stopping, later)
    alive = {i.instance_id for i in stopping} - {i.instance_id for i in refused}
    ending = [i for i in instances if i.instance_id not in alive]
    return later | _call_for(session, "terminate_instances", ending)


def _stop(session: AwsSession, instances: Sequence[Instance], later: set[str]) -> list[Instance]:
    """Stop these; the ones that cannot be stopped. `later` takes those that cannot be yet.

    For one that it cannot stop EC2 refuses a whole call, so the halves are tried each for itself.
    """
    try:
        later |= _call_for(session, "stop_instances", instances)
    except ConfigError as error:
        if len(instances) > 1:
            half = len(instances) // 2
            parts = (instances[:half], instances[half:])
            return [one for part in parts for one in _stop(session, part, later)]
        (one,) = instances
        if one.is_head and code_of(error) in _NOT_YET:
            later.add(ec2_id(one.instance_id))
            return []
        _log.info("terminated since it could not be stopped: %s", error)
        return [one]
    return []


def _call_for(session: AwsSession, operation: str, instances: Sequence[Instance]) -> set[str]:
    unheard: set[str] = set()
    for batch in batched([ec2_id(i.instance_id) for i in instances]):
        names = batch
        while names:
            try:
                session.call("ec2", operation, InstanceIds=names)
                break
            except ConfigError as error:
                unknown = _unknown_in(error) & set(names)
                if not unknown:
                    raise
                unheard |= unknown
                names = [name for name in names if name not in unknown]
    return unheard


def _unknown_in(error: ProviderError) -> set[str]:
    """The ids that EC2 complains of."""
    return set(_EC2_IDS.findall(str(error))) if code_of(error) in _UNKNOWN_IDS else set()
