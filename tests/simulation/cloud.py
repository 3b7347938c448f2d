"""The provider's truth, its machines, and the door to it through which faults come."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import msgspec

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
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import Instance
from tests.simulation import faults
from tests.simulation.clock import EPOCH, Clock
from tests.simulation.faults import Fault, Weather

_NEVER = math.inf
NOTICE_S = 120.0

_REFUSALS: tuple[tuple[Fault, type[ProviderError], str], ...] = (
    (faults.CAPACITY, CapacityError, "InsufficientInstanceCapacity"),
    (faults.QUOTA, QuotaError, "VcpuLimitExceeded"),
    (faults.CONFIG, ConfigError, "InvalidParameterValue"),
)
"""What only a launch that was not done before can meet."""

_REBUFFS: tuple[tuple[Fault, type[ProviderError], str], ...] = (
    (faults.CALL_LOST, TransientError, "connection reset"),
    (faults.AUTH, AuthError, "UnauthorizedOperation"),
    (faults.THROTTLED, ThrottledError, "RequestLimitExceeded"),
    (faults.TRANSIENT, TransientError, "InternalError"),
)
"""What any launch or termination can meet; nothing is done then."""


@dataclass(eq=False)
class Machine:
    """One machine, from its birth to its end. Times are true seconds."""

    instance: Instance
    born: float
    boots_at: float = _NEVER
    """When it becomes a Ray node."""
    dies_at: float = _NEVER
    noticed_at: float = _NEVER
    """From when on it can know that it will be taken back."""
    drained_at: float = _NEVER
    """When somebody, not the loop, tells Ray to drain it."""
    at_risk_from: float = _NEVER
    """From when on it can know that it may be."""
    dies_how: str = ""
    """`dies`: it is listed as LOST. `taken`: it is listed no more. `raylet`: it lives on."""
    listed_from: float = 0.0
    listed_until: float = _NEVER
    ended_at: float = _NEVER
    missed: int = 0
    """Rounds for which nothing in the daemon knew of it."""
    known_at: float = 0.0
    """When something last did."""
    is_stranger: bool = False
    terminated: bool = False
    """Whether a terminate call ended it."""

    @property
    def id(self) -> str:
        """Its instance id."""
        return self.instance.instance_id

    @property
    def alive(self) -> bool:
        """Whether it runs, and is paid for."""
        return self.ended_at == _NEVER


@dataclass
class Ended:
    """What a terminate call ended, and what it was at that moment."""

    machine: Machine
    at: float
    wall: float
    alive: bool
    node_since: float | None
    """When its Ray node had registered; None when it had none that was alive."""
    busy: tuple[str, ...]
    """The work that ran on it."""


@dataclass
class Habits:
    """How this provider is."""

    names_are_ours: bool
    """Instance ids are made of the request id; else the provider makes them up."""
    tells_deaths: bool
    """A machine whose Ray dies is listed as LOST; else it goes on as if nothing were."""


@dataclass
class Cloud:
    """All machines there ever were. `watcher` is told of each birth and each termination."""

    clock: Clock
    weather: Weather
    habits: Habits
    dice: Random
    machines: dict[str, Machine] = field(default_factory=dict)
    alive: dict[str, Machine] = field(default_factory=dict)
    answers: dict[str, tuple[int, list[Machine]]] = field(default_factory=dict)
    """Per request that was done: how many it made, and which."""
    strangers: int = 0
    node_dies: Callable[[str], None] = lambda _: None
    on_launched: Callable[[LaunchRequest, Sequence[Machine]], None] = lambda *_: None
    on_terminate: Callable[[Machine], None] = lambda _: None

    def make(self, request: LaunchRequest, count: int) -> list[Machine]:
        """Start machines for a request; a request that was done before makes none."""
        done = self.answers.get(request.request_id)
        if done is not None:
            return done[1]
        made = [self._born(request, index) for index in range(count)]
        self.answers[request.request_id] = (count, made)
        for machine in made:
            self.machines[machine.id] = self.alive[machine.id] = machine
        self.on_launched(request, made)
        return made

    def add_stranger(self, node_type: str) -> Machine:
        """A machine with our tags that nobody here asked for; it never joins our Ray."""
        self.strangers += 1
        machine = self._born(LaunchRequest(f"stranger-{self.strangers}", node_type, 1), 0)
        machine.is_stranger = True
        machine.boots_at = _NEVER
        self.machines[machine.id] = self.alive[machine.id] = machine
        return machine

    def _born(self, request: LaunchRequest, index: int) -> Machine:
        number = len(self.machines) + index
        own = f"i-{number:04x}{self.dice.getrandbits(16):04x}"
        name = f"{request.request_id}-{index}" if self.habits.names_are_ours else own
        now = self.clock.now
        instance = Instance(
            instance_id=name,
            node_type=request.node_type,
            status=InstanceStatus.ALLOCATED,
            request_id=request.request_id,
            is_head=request.is_head,
            zone=request.offering.zone,
            instance_type=request.offering.instance_type,
            market=request.offering.market,
            price_per_hour=request.offering.price_per_hour,
            ip=f"10.0.{number >> 8 & 255}.{number & 255}",
            launched_at=EPOCH + now,
        )
        machine = Machine(
            instance, born=now, known_at=now, boots_at=now + self.dice.uniform(2.0, 30.0)
        )
        if request.is_head:
            machine.boots_at = now
        else:
            self._draw_fate(machine)
        return machine

    def _draw_fate(self, machine: Machine) -> None:
        weather, now = self.weather, machine.born
        if weather.strikes(faults.SLOW_BOOT):
            machine.boots_at = now + weather.between(faults.SLOW_BOOT, 60.0, 200.0)
        boot_s = machine.boots_at - now
        if weather.strikes(faults.LISTING_LAG):
            machine.listed_from = now + weather.between(faults.LISTING_LAG, 0.0, 8.0)
        if weather.strikes(faults.BOOT_HANGS):
            machine.boots_at = _NEVER
        if weather.strikes(faults.DIES_BOOTING):
            self._doom(machine, boot_s * self.dice.random(), "dies")
        for fault, how in (
            (faults.DIES_RUNNING, "dies"),
            (faults.TAKEN_BACK, "taken"),
            (faults.RAYLET_DIES, "raylet"),
        ):
            if weather.strikes(fault):
                self._doom(machine, boot_s + weather.between(fault, 0.0, 120.0), how)

        if weather.strikes(faults.AT_RISK):
            machine.at_risk_from = now + weather.between(faults.AT_RISK, 0.0, 120.0)
        if weather.strikes(faults.DRAINED_BY_HAND):
            machine.drained_at = now + boot_s + weather.between(faults.DRAINED_BY_HAND, 0.0, 90.0)
        if weather.strikes(faults.NOTICED):
            in_s = weather.between(faults.NOTICED, 0.0, 150.0)
            machine.noticed_at = now + in_s
            self._doom(machine, in_s + NOTICE_S, "taken")

    def _doom(self, machine: Machine, in_s: float, how: str) -> None:
        if machine.born + in_s < machine.dies_at:
            machine.dies_at, machine.dies_how = machine.born + in_s, how

    def advance(self) -> None:
        """Let those die whose time has come."""
        for machine in list(self.alive.values()):
            if machine.dies_at <= self.clock.now:
                self.die(machine, machine.dies_how)

    def die(self, machine: Machine, how: str) -> None:
        """Let a machine, or only its Ray, die without anybody's order."""
        machine.dies_at = _NEVER
        self.node_dies(machine.id)
        if how == "raylet" and not self.habits.tells_deaths:
            machine.boots_at = _NEVER
            return
        self._end(machine)
        if how == "taken":
            machine.listed_until = self.clock.now + self._lag()
        else:
            machine.instance = msgspec.structs.replace(
                machine.instance, status=InstanceStatus.LOST, detail=f"exit code 1\n{machine.id}"
            )

    def _end(self, machine: Machine) -> None:
        machine.ended_at = self.clock.now
        del self.alive[machine.id]

    def terminate(self, instance_id: str) -> None:
        """End a machine and clear it away."""
        machine = self.machines.get(instance_id)
        if machine is None or machine.terminated:
            return
        self.on_terminate(machine)
        machine.terminated = True
        machine.listed_until = self.clock.now + self._lag()
        if machine.alive:
            self._end(machine)
            self.node_dies(machine.id)

    def _lag(self) -> float:
        struck = self.weather.strikes(faults.LISTING_LAG)
        return self.weather.between(faults.LISTING_LAG, 0.0, 60.0) if struck else 0.0

    def listed(self) -> list[Machine]:
        """What a truthful listing has now."""
        now = self.clock.now
        return [m for m in self.machines.values() if m.listed_from <= now < m.listed_until]


class CloudDoor:
    """The NodeProvider of the story."""

    def __init__(self, cloud: Cloud, say: Callable[[str], None]) -> None:
        self._cloud = cloud
        self._weather = cloud.weather
        self._clock = cloud.clock
        self._say = say
        self._errors = 0
        self._droughts: dict[tuple[str, str, str], float] = {}
        self._blind_until = 0.0
        self._seen_share = 1.0

    # -- NodeProvider ---------------------------------------------------------------------------

    def list_instances(self) -> list[Instance]:
        """See NodeProvider."""
        weather, now = self._weather, self._clock.now
        if weather.strikes(faults.LISTING_FAILS):
            raise TransientError("the listing timed out")
        for fault, share in ((faults.LISTING_EMPTY, 0.0), (faults.LISTING_HALF, 0.4)):
            if weather.strikes(fault):
                self._blind_until = now + weather.between(fault, 0.5, 6.0)
                self._seen_share = share
                self._say(f"listings show {share:.0%} for a while")
        listed = [machine.instance for machine in self._cloud.listed()]
        if now < self._blind_until:
            return listed[: int(len(listed) * self._seen_share)]
        return listed

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """See NodeProvider."""
        self._rebuff(request.offering)
        done = self._cloud.answers.get(request.request_id)
        if done is None:
            self._refuse(request)
        count = request.count if done is None else done[0]
        if done is None and count > 1 and self._weather.strikes(faults.PARTIAL):
            if request.all_or_nothing:
                raise self._error(CapacityError, f"not all {count} are there", request.offering)
            count = self._weather.dice(faults.PARTIAL).randint(1, count - 1)
        machines = self._cloud.make(request, count)
        self._say(f"made {[m.id for m in machines]} for {request.request_id}")
        self._lose_reply()
        came = [machine.instance for machine in machines if machine.alive]
        if count < request.count:
            words = f"only {count} of {request.count} could be had"
            raise PartialLaunchError(came, self._error(CapacityError, words, request.offering))
        return came

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """See NodeProvider."""
        self._rebuff(Offering())
        done = len(instance_ids)
        if done > 1 and self._weather.strikes(faults.HALF_TERMINATED):
            done = self._weather.dice(faults.HALF_TERMINATED).randint(1, done - 1)
        for instance_id in instance_ids[:done]:
            self._cloud.terminate(instance_id)
        self._say(f"terminated {list(instance_ids[:done])}")
        if done < len(instance_ids):
            raise self._error(TransientError, f"{instance_ids[done]}: IncorrectInstanceState")
        self._lose_reply()

    def reload(self, spec: ClusterSpec) -> None:
        """A cloud does not care."""

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        """See NodeProvider."""
        return node_type.offerings

    # -- what goes wrong ------------------------------------------------------------------------

    def _rebuff(self, offering: Offering) -> None:
        for fault, error, words in _REBUFFS:
            if self._weather.strikes(fault):
                raise self._error(error, words, offering)

    def _refuse(self, request: LaunchRequest) -> None:
        offering, now = request.offering, self._clock.now
        key = (offering.instance_type, offering.zone, offering.market.value)
        if self._weather.strikes(faults.DROUGHT):
            self._droughts[key] = now + self._weather.between(faults.DROUGHT, 30.0, 600.0)
        if now < self._droughts.get(key, 0.0):
            raise self._error(CapacityError, f"no {'/'.join(key)} for a while", offering)
        for fault, error, words in _REFUSALS:
            if self._weather.strikes(fault):
                raise self._error(error, words, offering)

    def _lose_reply(self) -> None:
        if self._weather.strikes(faults.LOST_REPLY):
            raise self._error(TransientError, "read timed out")

    def _error(
        self, kind: type[ProviderError], words: str, offering: Offering | None = None
    ) -> ProviderError:
        """An error whose words are its own, so that they can be looked for."""
        self._errors += 1
        offering = offering or Offering()
        text = f"{words} (error {self._errors}.)"
        self._say(f"error: {text}")
        return kind(text, zone=offering.zone, market=offering.market)

    def calm(self) -> None:
        """Every drought and blindness is over."""
        self._droughts.clear()
        self._blind_until = 0.0
