"""Getting the instances of a request: no more than were asked for, whatever is lost on the way."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from msgspec.structs import replace

from raytui.backends import tags as made
from raytui.backends.aws import tags
from raytui.backends.aws.choices import Choice, matching, run_arguments
from raytui.backends.aws.described import ALIVE, STOPPED, Described, describe, described
from raytui.backends.aws.errors import code_of
from raytui.backends.aws.journal import Attempt, Journal
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import (
    AuthError,
    CapacityError,
    ConfigError,
    LaunchRequest,
    PartialLaunchError,
    ProviderError,
    QuotaError,
    ThrottledError,
    TransientError,
)
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec, Market, NodeType, Offering
from raytui.model.state import Instance

_TOKEN_LONGEST = 64
_NO_ADDRESS_LEFT = "InsufficientFreeAddressesInSubnet"
_SAME_TOKEN_OTHER_WORDS = "IdempotentParameterMismatch"  # noqa: S105
_NEXT = (CapacityError, QuotaError)
"""What speaks against one way to buy and not against the others."""
_OPEN = (ThrottledError, TransientError)
"""What leaves open whether instances were made: asked again, with the same token."""


class Launching:
    """The launch calls of one cluster. Thread-safe; calls for one request wait for each other."""

    def __init__(
        self,
        session: AwsSession,
        journal: Journal,
        launch_hash: Callable[[NodeType], str],
        clock: Callable[[], float],
        in_use: Callable[[], Container[str]],
        *,
        private: bool,
    ) -> None:
        """`in_use`: EC2's ids of instances that EC2 may still call stopped, though they are ours.

        `private`: instances are known by their addresses inside their network.
        """
        self.session = session
        self.journal = journal
        self.launch_hash = launch_hash
        self.clock = clock
        self.in_use = in_use
        self.private = private
        self.choosing = threading.Lock()
        """Held while stopped instances are chosen and started."""
        self._turns: dict[str, threading.Lock] = {}

    def launch(
        self,
        spec: ClusterSpec,
        request: LaunchRequest,
        offered: Sequence[Choice],
    ) -> list[Instance]:
        """The instances of a request, those of an earlier call with the same id among them.

        Raises PartialLaunchError and ProviderErrors as NodeProvider.launch; a TransientError or
        ThrottledError leaves open what was made: then the call is to be repeated.
        """
        with self._turns.setdefault(request.request_id, threading.Lock()):
            return _Launch(self, spec, request, offered).go()


class _Launch:
    """One launch call."""

    def __init__(
        self,
        by: Launching,
        spec: ClusterSpec,
        request: LaunchRequest,
        offered: Sequence[Choice],
    ) -> None:
        self._by = by
        self._session = by.session
        self._journal = by.journal
        self._spec = spec
        self._request = request
        self._offered = offered
        self._choices = matching(offered, request.offering)
        self._whole = request.all_or_nothing
        self._type = spec.node_types[request.node_type]
        self._tags = instance_tags(spec, request, by.launch_hash(self._type))
        self._attempts = 0
        self._made: dict[str, Instance] = {}
        """All that this request ever got, by id."""

    def go(self) -> list[Instance]:
        refused = self._remember()
        if self._missing and self._may_reuse:
            refused += self._reuse()
        if self._missing:
            refused += self._buy()
        got = list(self._made.values())
        if not self._missing:
            return got
        if not refused:
            raise ConfigError(self._no_way())
        cause = next((error for error in refused if not isinstance(error, _NEXT)), refused[0])
        cause.detail = cause.detail or "\n".join(str(error) for error in refused)
        if got:
            raise PartialLaunchError(got, cause)
        raise cause

    @property
    def _missing(self) -> int:
        return self._request.count - len(self._made)

    # What an earlier call with this id has got.

    def _remember(self) -> list[ProviderError]:
        """Find what was made before; an attempt without an answer is asked again, just the same."""
        attempts = self._journal.attempts(self._request.request_id)
        if not attempts:
            return []
        self._attempts = sum(1 for attempt in attempts if attempt.token)
        for attempt in attempts:
            self._got(attempt.given)
        marked = self._describe(tags.with_tags({tags.REQUEST: self._request.request_id}))
        self._got(d.instance for d in marked if d.state in ALIVE)
        refused = self._start([d for d in marked if d.state == STOPPED])
        for attempt in attempts:
            if attempt.token and attempt.is_open:
                refused += self._run(attempt)
        return refused

    def _got(self, instances: Iterable[Instance]) -> None:
        for instance in instances:
            self._made[instance.instance_id] = replace(
                instance,
                node_type=self._request.node_type,
                request_id=self._request.request_id,
                is_head=self._request.is_head,
                status=InstanceStatus.ALLOCATED,
            )

    # Stopped instances first, as Ray does.

    @property
    def _may_reuse(self) -> bool:
        """Stopped instances are of use when on-demand ones are, and one by one."""
        wanted = any(c.offering.market is Market.ON_DEMAND for c in self._choices)
        return keeps_stopped(self._spec) and wanted and not self._whole

    def _reuse(self) -> list[ProviderError]:
        """Take stopped instances that were made from the same words as these would be."""
        alike = {key: self._tags[key] for key in (tags.CLUSTER, tags.KIND, tags.TYPE, made.LAUNCH)}
        stopped = [*tags.with_tags(alike), *tags.filters(instance_state_name=[STOPPED])]
        with self._by.choosing:  # two requests do not choose the same
            in_use = self._by.in_use()
            found = [d for d in self._describe(stopped) if self._fits(d.instance)]
            chosen = [d for d in found if d.ec2_id not in in_use][: self._missing]
            if not chosen:
                return []
            self._journal.note(self._request.request_id, self._attempt("", Choice(Offering())))
            self._tag(chosen, {**self._tags, tags.LIFE: self._life, made.RAY_STARTED: ""})
            return self._start(chosen)

    def _fits(self, stopped: Instance) -> bool:
        return any(
            choice.offering.market is stopped.market
            and choice.offering.instance_type in ("", stopped.instance_type)
            and choice.offering.zone in ("", stopped.zone)
            for choice in self._choices
        )

    def _start(self, stopped: Sequence[Described]) -> list[ProviderError]:
        """Start instances that are marked as this request's; what cannot start is let go."""
        refused: list[ProviderError] = []
        alike: dict[tuple[str, str], list[Described]] = {}
        for one in stopped:
            alike.setdefault((one.instance.instance_type, one.instance.zone), []).append(one)
        for (_, zone), group in alike.items():
            try:
                names = [one.ec2_id for one in group]
                self._session.call("ec2", "start_instances", zone=zone, InstanceIds=names)
            except (AuthError, *_OPEN):
                raise
            except ProviderError as error:
                self._tag(group, {tags.REQUEST: ""})
                refused.append(error)
            else:
                started = [self._in_new_life(one) for one in group]
                self._give(self._attempt("", Choice(Offering(zone=zone))), started)
        return refused

    @property
    def _life(self) -> str:
        return _digest(self._request.request_id)[:6]

    def _in_new_life(self, one: Described) -> Instance:
        """What was started, known without asking: EC2 may tell the old tags for a while."""
        now = self._by.clock()
        name = f"{one.ec2_id}-{self._life}"
        return replace(one.instance, instance_id=name, launched_at=now, status_since=now)

    def _tag(self, instances: Sequence[Described], written: Mapping[str, str]) -> None:
        names = [one.ec2_id for one in instances]
        self._session.call("ec2", "create_tags", Resources=names, Tags=tags.written(written))

    # New ones.

    def _buy(self) -> list[ProviderError]:
        """Try one way to buy after the other, while what is refused leaves room for the next."""
        refused: list[ProviderError] = []
        exhausted: set[Offering] = set()
        above_quota: list[Offering] = []
        for choice in self._choices:
            if choice.offering in exhausted or _takes_no_less(choice.offering, above_quota):
                continue
            errors = self._take(choice)
            if not self._missing:
                return []
            if any(not isinstance(error, _NEXT) for error in errors):
                return errors
            if not any(code_of(error) == _NO_ADDRESS_LEFT for error in errors):
                exhausted.add(choice.offering)
            if any(isinstance(error, QuotaError) for error in errors):
                above_quota.append(choice.offering)
            refused += errors
        return refused

    def _take(self, choice: Choice) -> list[ProviderError]:
        """Ask for all that is missing; where that is above a quota, for half as many, and so on."""
        count = self._missing
        while True:
            attempt = self._attempt(self._next_token(), choice, count)
            self._journal.note(self._request.request_id, attempt)
            errors = self._run(attempt)
            above_quota = any(isinstance(error, QuotaError) for error in errors)
            if not self._missing or (errors and not above_quota):
                return errors
            if above_quota and (count == 1 or self._whole):
                return errors
            count = min(count // 2 if above_quota else count, self._missing)

    def _run(self, attempt: Attempt) -> list[ProviderError]:
        """Ask EC2, and why it did not give all; raises what leaves open whether it gave any."""
        asked, zone, market = attempt.count, attempt.offering.zone, attempt.offering.market
        choice = Choice(attempt.offering, attempt.subnet)
        arguments = run_arguments(
            self._type.node_config,
            choice,
            least=asked if self._whole else 1,
            most=asked,
            written=self._tags,
            token=attempt.token,
        )
        try:
            answer = self._session.call(
                "ec2", "run_instances", zone=zone, market=market, **arguments
            )
            found = [described(one, private=self._by.private) for one in answer["Instances"]]
        except _OPEN:
            raise
        except ProviderError as error:
            if code_of(error) == _SAME_TOKEN_OTHER_WORDS:
                found = self._made_with(attempt.token)
            else:
                refusal = replace(attempt, refused=str(error))
                self._journal.note(self._request.request_id, refusal)
                return [error]
        self._give(attempt, [one.instance for one in found])
        if len(found) >= asked:
            return []
        return [
            CapacityError(
                f"EC2 had {len(found)} of {asked} {choice.text()}", zone=zone, market=market
            )
        ]

    def _made_with(self, token: str) -> list[Described]:
        """What an earlier call made whose words were others: the cluster file has changed since."""
        found = self._describe(tags.filters(client_token=[token]))
        if not found:
            raise TransientError(f"EC2 does not list yet what it made for the token {token}")
        return found

    def _give(self, attempt: Attempt, instances: Sequence[Instance]) -> None:
        """Note what EC2 gave, with the price at which it was chosen."""
        prices = {
            (c.offering.instance_type, c.offering.zone, c.offering.market): c.offering
            for c in self._choices
        }
        for one in instances:
            offering = prices.get((one.instance_type, one.zone, one.market), attempt.offering)
            self._got([replace(one, price_per_hour=offering.price_per_hour)])
        given = tuple(self._made[one.instance_id] for one in instances)
        self._journal.note(self._request.request_id, replace(attempt, given=given))

    def _attempt(self, token: str, choice: Choice, count: int = 0) -> Attempt:
        wanted = count or self._missing
        return Attempt(token, self._by.clock(), wanted, choice.offering, choice.subnet)

    def _next_token(self) -> str:
        """The request's id, and another word for each further call."""
        self._attempts += 1
        name = self._request.request_id
        token = name if self._attempts == 1 else f"{name}.{self._attempts}"
        return token if len(token) <= _TOKEN_LONGEST else _digest(token)

    def _describe(self, filters: list[dict[str, object]]) -> list[Described]:
        return describe(self._session, filters, private=self._by.private)

    def _no_way(self) -> str:
        wanted = self._request.offering.text() or "anything"
        known = ", ".join(dict.fromkeys(c.offering.text() for c in self._offered)) or "nothing"
        return f"{self._request.node_type} cannot be bought as {wanted}; the file allows {known}"


def _takes_no_less(offering: Offering, refused: Sequence[Offering]) -> bool:
    """Whether one was refused that takes no more of the same limit; a limit holds in all zones."""
    return any(
        (one.quota, one.market) == (offering.quota, offering.market)
        and one.quota_share <= offering.quota_share
        for one in refused
    )


def keeps_stopped(spec: ClusterSpec) -> bool:
    """Whether on-demand instances are stopped, not terminated, and used again: Ray's default."""
    return bool(spec.provider.options.get("cache_stopped_nodes", True))


def instance_tags(spec: ClusterSpec, request: LaunchRequest, launch_hash: str) -> tags.Tags:
    """What is written on the instances of a request: Ray's tags, after the file's own."""
    kind = tags.HEAD if request.is_head else tags.WORKER
    own = spec.provider.options.get("tags") or {}
    return {
        **{str(key): str(value) for key, value in own.items()},
        tags.NAME: f"ray-{spec.cluster_name}-{kind}",
        tags.CLUSTER: spec.cluster_name,
        tags.KIND: kind,
        tags.TYPE: request.node_type,
        tags.STATUS: tags.NEW,
        tags.REQUEST: request.request_id,
        made.LAUNCH: launch_hash,
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
