"""AWS as the launcher sees it: what EC2 instances need, and the way to one that is there."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from raytui.backends.aws.bootstrap import Bootstrap, look_up
from raytui.backends.aws.bootstrap.callers_address import callers_range as callers_range_by_http
from raytui.backends.aws.bootstrap.key_pair import file_of
from raytui.backends.aws.described import ec2_id
from raytui.backends.aws.quotas import quota_lines
from raytui.backends.aws.session import AwsSession
from raytui.backends.aws.teardown import made_parts
from raytui.backends.cloud import MadePart, Part
from raytui.model.spec import ClusterSpec, Offering


class Aws:
    """The `Cloud` of provider `aws`."""

    def __init__(
        self,
        spec: ClusterSpec,
        session: AwsSession,
        callers_range: Callable[[], str] = callers_range_by_http,
    ) -> None:
        """`callers_range` tells from where SSH is to be let in, as a range of addresses."""
        self._spec = spec
        self._session = session
        self._callers_range = callers_range

    @property
    def whose(self) -> str:
        """See Cloud."""
        return self._session.tried

    def account(self) -> str:
        """See Cloud: the number of the AWS account, which everybody may ask for."""
        return str(self._session.call("sts", "get_caller_identity")["Account"])

    def look_up(self) -> Ec2Needs:
        """See Cloud."""
        found = look_up(self._spec, self._session, self._callers_range)
        return Ec2Needs(found, self._session.region)

    def machine_of(self, instance_id: str) -> str:
        """See Cloud: EC2's own id, which an instance keeps when it is stopped and used again."""
        return ec2_id(instance_id)

    def key_file(self, instance_id: str) -> str:
        """See Cloud: the private half of the instance's key pair, where Ray and we keep those."""
        name = ec2_id(instance_id)
        answer = self._session.call("ec2", "describe_instances", InstanceIds=[name])
        keys = [str(i.get("KeyName") or "") for r in answer["Reservations"] for i in r["Instances"]]
        return str(file_of(keys[0])) if keys and keys[0] and file_of(keys[0]).exists() else ""

    def shortages(self, ways: Mapping[str, Sequence[Offering]]) -> list[str]:
        """See Cloud: by Service Quotas."""
        return quota_lines(self._spec, ways, self._session, time.time())

    def made_parts(self) -> list[MadePart]:
        """See Cloud."""
        return made_parts(self._spec.cluster_name, self._session)


class Ec2Needs:
    """The `Needs` of a cluster on EC2."""

    def __init__(self, found: Bootstrap, region: str) -> None:
        self._found = found
        self._region = region

    @property
    def parts(self) -> tuple[Part, ...]:
        """See Needs."""
        return self._found.parts

    def filled(self) -> ClusterSpec:
        """See Needs. The region is said in it: settings of this machine are not the head's."""
        spec = self._found.filled()
        options = {**spec.provider.options, "region": self._region}
        written = copy.copy(spec.written)
        if written:
            written["provider"] = {**written.get("provider", {}), "region": self._region}
        return replace(spec, provider=replace(spec.provider, options=options), written=written)
