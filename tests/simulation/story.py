"""The story of one seed: a cluster, its people, its faults, and the loop in the midst of it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.planning.planner import DEFAULT_BUDGET
from raytui.backends.base import LaunchRequest
from raytui.model.command import Command, SetCeiling
from raytui.model.snapshot import ClusterInfo, Snapshot
from raytui.model.spec import ClusterSpec
from tests.simulation import faults
from tests.simulation.calls import Network
from tests.simulation.clock import Clock
from tests.simulation.cloud import Cloud, CloudDoor, Habits
from tests.simulation.disk import Killed, MortalLedger
from tests.simulation.faults import Weather
from tests.simulation.invariants import BrokenInvariant, check
from tests.simulation.people import Jobs, Operators, Order, made_up_spec
from tests.simulation.raycluster import GcsDoor, RayTruth
from tests.simulation.witness import Witness

DEFAULT_STEPS = 40
_STEPS_S = (0.2, 0.5, 1.0, 1.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True)
class Seed:
    """What makes a story: the same makes the same."""

    number: int
    steps: int = DEFAULT_STEPS
    without: frozenset[str] = frozenset()
    """Faults that are left out, by name; `people` and `jobs` can be left out too."""

    def command(self) -> str:
        """The command that tells this story again."""
        parts = [f"python -m tests.simulation --seeds {self.number}"]
        if self.steps != DEFAULT_STEPS:
            parts.append(f"--steps {self.steps}")
        if self.without:
            parts.append(f"--without {','.join(sorted(self.without))}")
        return " ".join([*parts, "--trace"])


@dataclass
class Told:
    """How a story went."""

    seed: Seed
    broken: str = ""
    """The invariant that broke and how; empty when all held."""
    invariant: str = ""
    steps: int = 0
    seconds: float = 0.0
    """Virtual seconds."""
    trace_hash: str = ""
    struck: Counter[str] = field(default_factory=Counter)


class Story:
    """One cluster. `trace` gets every line of what happens."""

    def __init__(
        self, seed: Seed, folder: Path, trace: Callable[[str], None] | None = None
    ) -> None:
        number = seed.number
        self.seed = seed
        self._trace = trace
        self._digest = hashlib.sha256()
        self._dice = Random(f"{number}/story")
        self.clock = Clock()
        self.weather = Weather(number, seed.without)
        self.spec = made_up_spec(Random(f"{number}/spec"))
        self._budget = DEFAULT_BUDGET if number % 16 == 0 else 0
        habits = Habits(self._dice.random() < 0.5, self._dice.random() < 0.5)
        self.cloud = Cloud(self.clock, self.weather, habits, Random(f"{number}/cloud"))
        self.truth = RayTruth(self.clock, self.weather, self.cloud, Random(f"{number}/ray"))
        self.truth.spec = self.spec
        self.provider = CloudDoor(self.cloud, self.say)
        self.gcs = GcsDoor(self.truth, self.clock, self.weather, self.say)
        self.network = Network(self.clock, self.weather, self.say)
        self.network.on_failure = self._call_failed
        self.jobs = Jobs(self.truth, Random(f"{number}/jobs"))
        self.operators = Operators(Random(f"{number}/operators"))
        self._path = folder / "ledger.db"
        self._lives = 0
        self._ids = 0
        self._newest_event = 0
        self._starts_at = 0.0
        self._disk_full_until = 0.0
        self.steps = 0
        self.daemon: Reconciler | None = None
        self.ledger: MortalLedger
        self.snapshot: Snapshot | None = None
        head = LaunchRequest("head", "head", 1, self.spec.head.offerings[0], is_head=True)
        disk = Ledger(self._path)
        self.seen = Witness(self.clock, self.cloud, self.truth, self.gcs, disk, self.spec)
        self.cloud.make(head, 1)
        self.truth.advance()

    def say(self, line: str) -> None:
        """One line of the trace."""
        line = f"{self.clock.now:9.2f} {line}"
        self._digest.update(line.encode() + b"\n")
        if self._trace is not None:
            self._trace(line)

    @property
    def trace_hash(self) -> str:
        """A digest of all that happened so far."""
        return self._digest.hexdigest()

    # -- one step -------------------------------------------------------------------------------

    def step(self, seconds: float, *, people: bool) -> None:
        """Let time pass and everything happen that is due, have the daemon tick, and look."""
        self.steps += 1
        self._pass_time(seconds)
        if people:
            self._trouble_comes()
            if "jobs" not in self.seed.without:
                self.jobs.act()
        self.truth.advance()
        self.network.deliver()
        self.cloud.advance()
        self.snapshot = None
        with self._mortal():
            if self.daemon is None and self.clock.now >= self._starts_at:
                self._start()
            if self.daemon is not None:
                if people and "people" not in self.seed.without:
                    self._people()
                self._tick(self.daemon)
        self.seen.look(self.snapshot)
        check(self.seen)
        self.seen.forget_step()

    def _pass_time(self, seconds: float) -> None:
        if self.weather.strikes(faults.SUSPENDED):
            asleep = self.weather.between(faults.SUSPENDED, 30.0, 1000.0)
            self.clock.sleep(asleep)
            self.seen.clock_set = True
            self.say(f"suspended for {asleep} s")
        self.clock.advance(seconds)

    def _trouble_comes(self) -> None:
        weather, now = self.weather, self.clock.now
        if weather.strikes(faults.CLOCK_JUMPS):
            size = weather.between(faults.CLOCK_JUMPS, 30.0, 4000.0)
            jump = size * weather.dice(faults.CLOCK_JUMPS).choice((-1, 1))
            self.clock.jump(jump)
            self.seen.clock_set = True
            self.say(f"the clock is set by {jump} s")
        if weather.strikes(faults.GCS_SILENT):
            self.gcs.silent_until = now + weather.between(faults.GCS_SILENT, 2.0, 120.0)
            self.say(f"GCS is silent until {self.gcs.silent_until}")
        if weather.strikes(faults.GCS_RESTARTS):
            self.truth.restart()
            self.say("GCS starts anew")
        if weather.strikes(faults.NEW_SESSION):
            self.truth.new_session()
            self.say("the head is started anew")
        if weather.strikes(faults.STRANGER):
            dice = weather.dice(faults.STRANGER)
            kind = dice.choice([kind.name for kind in self.spec.worker_types])
            stranger = self.cloud.add_stranger(kind)
            self.say(f"somebody starts {stranger.id}")
        if weather.strikes(faults.DISK_FULL):
            self._disk_full_until = now + weather.between(faults.DISK_FULL, 1.0, 120.0)
            self.say(f"the disk is full until {self._disk_full_until}")
        if self.daemon is not None:
            self._fill_disk()
            if weather.strikes(faults.KILLED):
                self._die()

    def _fill_disk(self) -> None:
        if self.clock.now < self._disk_full_until:
            self.ledger.fill_disk()
        elif self._disk_full_until:
            self.ledger.free_disk()
            self._disk_full_until = 0.0

    # -- the daemon -----------------------------------------------------------------------------

    def _start(self) -> None:
        self._lives += 1
        self.say(f"daemon {self._lives} starts")
        self.ledger = MortalLedger(self._path, self.weather)
        self._fill_disk()
        self.daemon = Reconciler(
            self.spec,
            self.provider,
            self.gcs,
            self.ledger,
            info=ClusterInfo("story", "story"),
            pool=self.network.executor(),
            clock=self.clock.wall,
            steady=self.clock.monotonic,
            new_id=self._new_id,
            budget=self._budget,
        )

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:04x}"

    @contextmanager
    def _mortal(self) -> Iterator[None]:
        """The daemon may be killed in here; nothing else may come out of it."""
        try:
            yield
        except Killed:
            self._die()
        except BrokenInvariant:
            raise
        except Exception as error:
            raise BrokenInvariant("the_loop_goes_on", f"{type(error).__name__}: {error}") from error

    def _die(self) -> None:
        self.say("the daemon is killed")
        self.ledger.close()
        self.network.daemon_dies()
        self.daemon = None
        self.seen.unheard.clear()
        self._starts_at = self.clock.now + self._dice.choice((0.0, 1.0, 5.0, 40.0))

    def _call_failed(self, name: str, error: Exception) -> None:
        if name != "list_instances":
            self.seen.unheard[str(error)] = 0

    def _tick(self, daemon: Reconciler) -> None:
        daemon.due()
        before = self.ledger.refused
        self.snapshot = snapshot = daemon.tick()
        self.seen.refused_writes += self.ledger.refused - before
        self.operators.look(snapshot)
        for event in reversed(snapshot.events):
            if event.event_id > self._newest_event:
                self.say(f"  {event.level}: {event.text}")
        if snapshot.events:
            self._newest_event = snapshot.events[0].event_id
        members = " ".join(f"{row.id}={row.member.status}" for row in snapshot.rows)
        self.say(f"tick {members} {snapshot.trouble}")

    def order(self, command: Command | ClusterSpec, by: str) -> None:
        """Have an order carried out; a ClusterSpec is an edited file."""
        assert self.daemon is not None
        self.say(f"{by} orders {_named(command)}")
        if isinstance(command, ClusterSpec):
            self.seen.limits_change(command)
            self.spec = self.truth.spec = command
            self.daemon.reload(command)
            return
        if isinstance(command, SetCeiling):
            self.seen.limits_change(self.spec)
        self.seen.orders.append(Order(command, by, self.clock.now))
        self._carry_out(self.seen.orders[-1])

    def _carry_out(self, order: Order) -> None:
        """The order's id is its giver's name: no giver orders twice."""
        assert self.daemon is not None
        order.at = self.clock.now
        order.ack = self.daemon.command(order.command, order.by, order.by)
        self.say(f"  {order.ack.text}")

    def _people(self) -> None:
        """Somebody gives an order, or gives one again whose answer did not come, or twice."""
        last = self.seen.orders[-1] if self.seen.orders else None
        if last is not None and last.ack is None:
            self._carry_out(last)
        elif last is not None and last.done and self.weather.strikes(faults.ORDERED_TWICE):
            before = last.ack
            self._carry_out(last)
            if last.ack != before:
                words = f"the same order of {last.by} was answered {before} and {last.ack}"
                raise BrokenInvariant("orders_act_on_their_ids_alone", words)
        else:
            given = self.operators.order(self.spec)
            if given is not None:
                self.order(*given)

    # -- the whole ------------------------------------------------------------------------------

    def run(self) -> None:
        """Live through all steps; raises BrokenInvariant."""
        for _ in range(self.seed.steps):
            self.step(self._dice.choice(_STEPS_S), people=True)

    def calm(self) -> None:
        """The disk has room again."""
        self._disk_full_until = min(self._disk_full_until, self.clock.now)
        if self.daemon is not None:
            self._fill_disk()

    def close(self) -> None:
        """Let go of the files."""
        if self.daemon is not None:
            self.ledger.close()
        self.seen.disk.close()


def _named(command: Command | ClusterSpec) -> str:
    if not isinstance(command, ClusterSpec):
        return repr(command)
    limits = {t.name: (t.min_workers, t.max_workers) for t in command.worker_types}
    return f"limits {limits}, {command.max_workers} in all"


def tell(seed: Seed, trace: Callable[[str], None] | None = None) -> Told:
    """Tell a story to its end, and say what became of it."""
    from tests.simulation.calm import end_well

    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="raytui-", dir=memory if memory.is_dir() else None)
    told = Told(seed)
    story = None
    try:
        story = Story(seed, Path(folder), trace)
        story.run()
        end_well(story)
    except BrokenInvariant as broken:
        told.broken, told.invariant = str(broken), broken.name
        if trace is not None:
            trace(f"BROKEN {broken}")
    finally:
        if story is not None:
            told.steps, told.seconds = story.steps, story.clock.now
            told.trace_hash, told.struck = story.trace_hash, story.weather.struck
            story.close()
        shutil.rmtree(folder, ignore_errors=True)
    return told
