"""docs/json.md and the output of `status --json` say the same."""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
import pytest

from raytui.autoscaler.simulation.showcase import showcase
from raytui.cli.report import (
    AutoscalerReport,
    DemandReport,
    EventReport,
    FailureReport,
    NodeReport,
    NodeTypeReport,
    SourceReport,
    StatusReport,
    report_of,
)
from raytui.cli.steps import StepJson, StepReport
from raytui.model.codec import encode
from raytui.model.plan import FailureKind, LaunchFailure, Outcome, Request, Wait
from raytui.model.reason import Why, because
from raytui.model.resources import Resources
from raytui.model.snapshot import Event, Level, Snapshot
from raytui.model.step import Step, StepStatus
from tests.cli.conftest import raytui
from tests.cli.documented import check_types, documented
from tests.control.conftest import DaemonProcess

PAGE = "json.md"
OBJECTS: dict[str, type[msgspec.Struct]] = {
    "status": StatusReport,
    "autoscaler": AutoscalerReport,
    "sources": SourceReport,
    "nodes": NodeReport,
    "node_types": NodeTypeReport,
    "demands": DemandReport,
    "failures": FailureReport,
    "events": EventReport,
}


def test_the_page_has_every_key_of_a_step():
    assert list(documented(PAGE, "step")) == list(StepReport.__struct_fields__)


def test_a_step_is_of_the_types_that_the_page_says():
    running = Step("head", "start Ray 1/2", StepStatus.RUNNING, 10.0, detail="line")
    done = msgspec.structs.replace(running, status=StepStatus.DONE, ended_at=12.5)
    for step, took_s in ((running, None), (done, 2.5)):
        out = io.StringIO()
        with StepJson(out) as on_step:
            on_step(step)
        (line,) = out.getvalue().splitlines()
        entry = json.loads(line)
        assert entry["took_s"] == took_s
        check_types(entry, documented(PAGE, "step"))


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """A simulated cluster with something of everything."""
    shown = showcase(20, 1).tick()
    failure = LaunchFailure("cpu", FailureKind.CAPACITY, "no machine", 1.0, 2.0)
    reason = because(Why.NO_TYPE_HAS, resource="TPU")
    event = Event(1, 1.0, Level.INFO, "paused", by="alice@laptop")
    demand = Outcome(Request.DEMAND, Wait.INFEASIBLE, 2, reason, Resources.of(TPU=1))
    return msgspec.structs.replace(shown, failures=(failure,), outcomes=(demand,), events=(event,))


@pytest.mark.parametrize("name", OBJECTS)
def test_the_page_has_every_key_and_no_other(name: str):
    assert list(documented(PAGE, name)) == list(OBJECTS[name].__struct_fields__)


@pytest.mark.parametrize("name", OBJECTS)
def test_every_value_is_of_the_type_that_the_page_says(name: str, snapshot: Snapshot):
    report = json.loads(encode(report_of(snapshot)))
    found: Any = report if name == "status" else report[name]
    objects = found if isinstance(found, list) else [found]
    assert objects, "the example must have some"
    for entry in objects:
        check_types(entry, documented(PAGE, name))


def test_the_program_prints_that_object_on_one_line(toy: DaemonProcess):
    raytui("scale", "cpu", "1", "-c", "toy")
    done = raytui("status", "--json", "toy")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    report = json.loads(done.stdout)
    assert list(report) == list(documented(PAGE, "status"))
    assert report["autoscaler"]["running"] is True
    assert report["autoscaler"]["pid"] == toy.process.pid
    (node,) = report["nodes"]
    assert list(node) == list(documented(PAGE, "nodes"))
    assert node["total"] == {"CPU": 2, "memory": 2**30}
    assert node["idle_s"] > 0
