"""Ending instances: stopped where they are kept for another life, terminated else."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from raytui.backends.aws.described import batched, ec2_id
from raytui.backends.aws.errors import code_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError, ProviderError
from raytui.model.spec import Market
from raytui.model.state import Instance

_log = logging.getLogger(__name__)

_UNKNOWN_IDS = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed")
_EC2_IDS = re.compile(r"i-[0-9a-z]+")


def end(session: AwsSession, instances: Sequence[Instance], *, keeps_stopped: bool) -> set[str]:
    """Stop on-demand instances if so wanted, and terminate the others, each in one call.

    What cannot be stopped is terminated. Returns EC2's ids of those that it does not know (yet).
    Raises ProviderError.
    """
    stopping = [i for i in instances if keeps_stopped and i.market is not Market.SPOT]
    ending = [i for i in instances if not keeps_stopped or i.market is Market.SPOT]
    unheard: set[str] = set()
    try:
        unheard |= _call_for(session, "stop_instances", stopping)
    except ConfigError as error:  # some cannot be stopped: too new, or without a disk
        _log.info("terminated since they could not be stopped: %s", error)
        ending = list(instances)
    return unheard | _call_for(session, "terminate_instances", ending)


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
