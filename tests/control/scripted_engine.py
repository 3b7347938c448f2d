"""An Engine without Ray: its world is a few numbers that commands change.

Run as a program it is a whole daemon around such an engine: `scripted_engine.py CLUSTER [FILE]`,
where FILE is a cluster file that it follows.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence

from raytui.autoscaler.daemon.cluster_file import ClusterFile
from raytui.autoscaler.daemon.process import run_daemon
from raytui.autoscaler.engine import Engine
from raytui.autoscaler.simulation.showcase import showcase_spec
from raytui.config.locations import ClusterPaths
from raytui.model.command import (
    Ack,
    Command,
    Impact,
    Pause,
    RequestResources,
    Resume,
    SetCeiling,
    SetFloor,
    SweepOrphans,
    Terminate,
)
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Decision, Plan
from raytui.model.reason import Why, because
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Event, Level, Row, Snapshot, TypeRow
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance, Member, Node, NodeStatus
from raytui.model.step import Step, StepStatus


class ScriptedEngine:
    """Has as many nodes of a type as its floor says; decisions and events tell who asked."""

    def __init__(self, cluster: str = "toy") -> None:
        self.info = ClusterInfo(cluster, "scripted", daemon_pid=os.getpid(), max_workers=10_000)
        self.nodes: list[str] = []
        self.events: list[Event] = []
        self.decisions: list[Decision] = []
        self.paused_by = ""
        self.ticks = 0
        self.crashes = 0
        self.threads: set[int] = set()
        self.closed = False
        self.made = 0
        self.asked: list[str] = []
        """Ids of commands as they came."""
        self.dirty = True

    def due(self, watched: bool = True) -> bool:
        self.threads.add(threading.get_ident())
        return self.dirty

    def tick(self) -> Snapshot:
        self.threads.add(threading.get_ident())
        if self.crashes:
            self.crashes -= 1
            raise RuntimeError("the script says crash")
        self.dirty = False
        self.ticks += 1
        return Snapshot(
            self.info,
            seq=self.ticks,
            taken_at=time.time(),
            rows=tuple(_row(name) for name in self.nodes),
            types=(TypeRow("cpu", min=0, max=10_000, running=len(self.nodes)),),
            events=tuple(reversed(self.events[-20:])),
            decisions=tuple(reversed(self.decisions[-20:])),
            paused_by=self.paused_by,
        )

    def command(self, command: Command, by: str, command_id: str = "") -> Ack:
        self.threads.add(threading.get_ident())
        self.asked.append(command_id)
        self.dirty = True
        match command:
            case SetFloor("crash", times):
                self.crashes = times or 0
                return Ack(True, "will crash")
            case SetFloor("raise", _):
                raise RuntimeError("the script says raise")
            case SetFloor(_, floor):
                while len(self.nodes) < (floor or 0):
                    self.made += 1
                    self.nodes.append(f"n{self.made}")
                self._journal(f"floor {floor}", by)
                return Ack(True, f"floor {floor}")
            case Terminate(instance_ids):
                unknown = set(instance_ids) - set(self.nodes)
                if unknown:
                    return Ack(False, f"no such node: {', '.join(sorted(unknown))}")
                self.nodes = [name for name in self.nodes if name not in instance_ids]
                self._journal(f"terminated {len(instance_ids)}", by)
                return Ack(True, f"terminated {len(instance_ids)}")
            case Pause():
                self.paused_by = by
                return Ack(True, "paused")
            case Resume():
                self.paused_by = ""
                return Ack(True, "goes on")
            case RequestResources(bundles):
                return Ack(True, ", ".join(f"{count} × {shape.text()}" for shape, count in bundles))
            case SetCeiling(_, ceiling):
                return Ack(True, f"ceiling {ceiling}")
            case SweepOrphans(instance_ids):
                return Ack(True, f"swept {', '.join(instance_ids)}")
            case _:
                return Ack(False, "not in the script")

    def _journal(self, text: str, by: str) -> None:
        number = len(self.events) + 1
        self.events.append(Event(number, time.time(), Level.INFO, text, by=by))
        self.decisions.append(Decision(number, time.time(), Plan(), text))

    def note(self, level: Level, text: str, detail: str = "") -> None:
        self.dirty = True
        number = len(self.events) + 1
        self.events.append(Event(number, time.time(), level, text, detail))

    def history(self, before: int | None, limit: int) -> Sequence[Decision]:
        older = [d for d in self.decisions if before is None or d.decision_id < before]
        return list(reversed(older))[:limit]

    def impact(self, instance_ids: Sequence[str]) -> list[Impact]:
        return [Impact(name, "cpu", tasks=("work ×1",)) for name in instance_ids]

    def log_tail(self, instance_id: str, lines: int) -> list[str]:
        if instance_id not in self.nodes:
            raise LookupError(f"{instance_id} has no log")
        return [f"{instance_id} line {number}" for number in range(lines)]

    def setup_steps(self) -> Sequence[Step]:
        return [Step(name, "set up 1/1", StepStatus.RUNNING, 1.0) for name in self.nodes]

    def step_output(self, node: str, name: str, lines: int) -> list[str]:
        return [f"{node} {name} line {number}" for number in range(lines)]

    def reload(self, spec: ClusterSpec) -> str:
        text = f"read {spec.cluster_name} again"
        self.note(Level.INFO, f"{text}, max_workers {spec.max_workers}")
        return text

    def close(self) -> None:
        self.closed = True


def _row(name: str) -> Row:
    total = Resources.of(CPU=2, memory=2**30)
    node = Node(f"id-{name}", name, "cpu", NodeStatus.IDLE, total, total, idle_since=1.0)
    instance = Instance(name, "cpu", InstanceStatus.RUNNING)
    return Row(Member(instance, node), because(Why.IDLE, since=1.0, leaves_at=2.0))


def reload_engine(engine: Engine) -> Ack:
    return Ack(True, engine.reload(showcase_spec(3)))


if __name__ == "__main__":
    name = sys.argv[1]
    paths = ClusterPaths(name)
    if len(sys.argv) > 2:
        file = ClusterFile(sys.argv[2], paths, sys.argv[2])
        reload, changed = file.reload, file.changed
    else:
        reload, changed = reload_engine, lambda: False
    run_daemon(name, paths, lambda: ScriptedEngine(name), reload, changed=changed)
