"""What instances need before they can be launched: looked up first, then made, as `ray up` does."""

from __future__ import annotations

from collections.abc import Callable

from raytui.backends.aws.bootstrap.callers_address import callers_range as callers_range_by_http
from raytui.backends.aws.bootstrap.images import images
from raytui.backends.aws.bootstrap.instance_profile import instance_profile
from raytui.backends.aws.bootstrap.instance_requirements import instance_requirements
from raytui.backends.aws.bootstrap.key_pair import key_pair
from raytui.backends.aws.bootstrap.launch_templates import launch_templates
from raytui.backends.aws.bootstrap.network_interfaces import network_interfaces
from raytui.backends.aws.bootstrap.parts import Draft, Part, State
from raytui.backends.aws.bootstrap.security_group import SecurityGroup
from raytui.backends.aws.bootstrap.subnets import subnets
from raytui.backends.aws.bootstrap.words import read_words
from raytui.backends.aws.session import AwsSession
from raytui.model.spec import ClusterSpec

__all__ = ["Bootstrap", "Part", "State", "look_up"]


class Bootstrap:
    """What a cluster needs, in Ray's order, and what of it is there."""

    def __init__(self, draft: Draft, parts: tuple[Part, ...]) -> None:
        self._draft = draft
        self.parts = parts

    def make(self, on_part: Callable[[Part], None] = lambda part: None) -> ClusterSpec:
        """Make what is missing, in order, telling of each part first; the cluster file filled in.

        Raises ProviderError at the first part that cannot be made. What was made before is tagged
        and is found the next time.
        """
        for part in self.parts:
            if part.state is State.TO_MAKE:
                on_part(part)
                part.make()
        return self.filled()

    def filled(self) -> ClusterSpec:
        """The cluster file with all that is given, was found, or has been made by now."""
        return self._draft.filled()


def look_up(
    spec: ClusterSpec,
    aws: AwsSession,
    callers_range: Callable[[], str] = callers_range_by_http,
) -> Bootstrap:
    """See what there is of what the cluster needs; nothing is made. Raises ProviderError.

    `callers_range` tells where SSH is let in from, and is asked only if the file does not say it.
    """
    draft = Draft(spec)
    read_words(draft)
    steps = (
        launch_templates,
        instance_requirements,
        network_interfaces,
        instance_profile,
        key_pair,
        subnets,
        SecurityGroup(callers_range),
        images,
    )
    return Bootstrap(draft, tuple(part for step in steps for part in step(draft, aws)))
