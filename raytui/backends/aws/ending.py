"""Ending instances: stopped where they are kept for another life, terminated else."""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from raytui.backends.aws.described import batched, ec2_id
from raytui.backends.aws.errors import code_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError
from raytui.model.spec import Market
from raytui.model.state import Instance

_log = logging.getLogger(__name__)

_UNKNOWN_IDS = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed")
_NOT_YET = ("IncorrectInstanceState", "IncorrectState")
_PROTECTED = "OperationNotPermitted"
_LIFTED_BY = {
    "terminate_instances": "--no-disable-api-termination",
    "stop_instances": "--no-disable-api-stop",
}
_EC2_IDS = re.compile(r"i-[0-9a-z]+")


@dataclass
class Left:
    """What was not ended, by EC2's ids."""

    later: set[str] = field(default_factory=set)
    """It cannot be yet: EC2 does not know them, or they are heads that start."""
    protected: dict[str, str] = field(default_factory=dict)
    """Somebody protects it: EC2's words, and how that is lifted."""


def end(
    session: AwsSession,
    instances: Sequence[Instance],
    *,
    keeps_stopped: bool,
    starting: Container[str] = (),
) -> Left:
    """Stop on-demand instances if so wanted, and terminate the others, each in one call.

    What cannot be stopped is terminated: what has no disk of EC2's, and workers that are `starting`
    (EC2's ids). A head may have been started again, with people's files on its disk. What is
    protected from being stopped or terminated stays as it is. Raises ProviderError.
    """
    kept = [i for i in instances if keeps_stopped and i.market is not Market.SPOT]
    stopping = [i for i in kept if i.is_head or ec2_id(i.instance_id) not in starting]
    left = Left()
    refused = _stop(session, stopping, left)
    alive = {i.instance_id for i in stopping} - {i.instance_id for i in refused}
    ending = [i for i in instances if i.instance_id not in alive]
    _call_for(session, "terminate_instances", ending, left)
    return left


def _stop(session: AwsSession, instances: Sequence[Instance], left: Left) -> list[Instance]:
    """Stop these; the ones that cannot be stopped. `left` takes those that stay as they are.

    For one that it cannot stop EC2 refuses a whole call, so the halves are tried each for itself.
    """
    try:
        _call_for(session, "stop_instances", instances, left)
    except ConfigError as error:
        if len(instances) > 1:
            half = len(instances) // 2
            parts = (instances[:half], instances[half:])
            return [one for part in parts for one in _stop(session, part, left)]
        (one,) = instances
        if one.is_head and code_of(error) in _NOT_YET:
            left.later.add(ec2_id(one.instance_id))
            return []
        _log.info("terminated since it could not be stopped: %s", error)
        return [one]
    return []


def _call_for(
    session: AwsSession, operation: str, instances: Sequence[Instance], left: Left
) -> None:
    """Without those of which EC2 complains, for which it refuses a call for many."""
    for batch in batched([ec2_id(i.instance_id) for i in instances]):
        names = batch
        while names:
            try:
                session.call("ec2", operation, InstanceIds=names)
                break
            except ConfigError as error:
                named = set(_EC2_IDS.findall(str(error))) & set(names)
                if named and code_of(error) in _UNKNOWN_IDS:
                    left.later |= named
                elif named and code_of(error) == _PROTECTED:
                    left.protected |= {
                        name: f"{error} To lift that: aws ec2 modify-instance-attribute --region "
                        f"{session.region} --instance-id {name} {_LIFTED_BY[operation]}"
                        for name in named
                    }
                else:
                    raise
                names = [name for name in names if name not in named]
