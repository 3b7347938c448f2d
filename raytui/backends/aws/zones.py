"""In which zone each subnet of the cluster file is; asked once."""

from __future__ import annotations

from collections.abc import Iterable

from raytui.backends.aws import tags
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError, ProviderError


class Zones:
    """What is known of subnets. Thread-safe."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self.known: dict[str, str] = {}
        """By subnet. Replaced as a whole when there is more."""
        self._missing: set[str] = set()
        self._trouble = ""

    def look_up(self, subnets: Iterable[str]) -> None:
        """Ask EC2, in one call, of subnets that nothing is known of.

        Raises ProviderError, ConfigError when it has none of all that were named.
        """
        named = list(subnets)
        unknown = [subnet for subnet in named if subnet not in self.known]
        if unknown:
            wanted = tags.filters(subnet_id=unknown)  # so that one that is gone is no error
            found = self._session.pages("ec2", "describe_subnets", "Subnets", Filters=wanted)
            zones = {str(one["SubnetId"]): str(one["AvailabilityZone"]) for one in found}
            self.known = {**self.known, **zones}
            self._missing = (self._missing | set(unknown)) - self.known.keys()
            self._trouble = ""
        if named and not self.of(named):
            where = self._session.region
            raise ConfigError(f"there is no subnet {', '.join(named)} in {where}")

    def try_to_look_up(self, subnets: Iterable[str]) -> None:
        """The same, where the answer is of use and not needed: a failure is told by `notices`."""
        try:
            self.look_up(subnets)
        except ProviderError as error:
            self._trouble = str(error)

    def are_told(self, subnets: Iterable[str]) -> bool:
        """Whether EC2 has said of each where it is, or that it is nowhere."""
        return all(subnet in self.known or subnet in self._missing for subnet in subnets)

    def of(self, subnets: Iterable[str]) -> dict[str, str]:
        """The zones of those that are known, in their order."""
        return {subnet: self.known[subnet] for subnet in subnets if subnet in self.known}

    def notices(self) -> list[str]:
        """What a person should know."""
        missing = [
            f"there is no subnet {subnet} in {self._session.region}: nothing is launched in it"
            for subnet in sorted(self._missing)
        ]
        unread = f"subnets cannot be looked up: {self._trouble}"
        return missing or ([unread] if self._trouble else [])
