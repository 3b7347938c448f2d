"""`raytui plan`: from a state file to launches, removals and reasons, without Ray or a cluster."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raytui.cli import plan_report as report
from raytui.cli.exit_codes import ExitCode
from raytui.cli.program import run
from tests.cli.documented import check_types, documented

PAGE = "plan.md"

CLUSTER = """
cluster_name: shop
provider: {type: fake_multinode}
head_node_type: head
max_workers: 20
upscaling_speed: 100
idle_timeout_minutes: 5
available_node_types:
  head: {node_config: {}, resources: {CPU: 0}}
  cpu: {node_config: {}, resources: {CPU: 4}, max_workers: 10}
  big: {node_config: {}, resources: {CPU: 16}, max_workers: 3}
  gpu: {node_config: {}, resources: {CPU: 8, GPU: 1}, min_workers: 1, max_workers: 2}
metadata:
  raytui:
    node_types:
      cpu: {price_per_hour: 0.2}
      big: {price_per_hour: 0.7}
      gpu: {offerings: [{zone: a, market: spot, price_per_hour: 1.2}]}
"""
NOW = "1700000000"


def node(number: int, kind: str = "cpu", **fields: object) -> dict[str, object]:
    return {
        "node_id": f"{number:056x}",
        "instance_id": f"i-{number}",
        "ray_node_type_name": kind,
        "status": "RUNNING",
        "total_resources": {"CPU": 4},
        **fields,
    }


def idle(number: int, seconds: float, kind: str = "cpu") -> dict[str, object]:
    return node(
        number,
        kind,
        status="IDLE",
        idle_duration_ms=int(seconds * 1000),
        available_resources={"CPU": 4},
    )


HEAD = node(0, "head", total_resources={"node:__internal_head__": 1})


def demand(count: int, *selectors: object, **amounts: float) -> dict[str, object]:
    request = {"resources_bundle": amounts, "label_selectors": list(selectors)}
    return {"request": request, "count": count}


ZONE = {"label_constraints": [{"label_key": "zone", "operator": 1, "label_values": ["a", "b"]}]}
NOT_SPOT = {"label_constraints": [{"label_key": "spot", "operator": 2, "label_values": ["true"]}]}

EVERYTHING = {
    "node_states": [HEAD, idle(1, 900), node(2), idle(3, 10), node(4, instance_id="")],
    "pending_resource_requests": [
        demand(30, CPU=8),
        demand(2, ZONE, NOT_SPOT, GPU=2),
        demand(9, GPU=1),
    ],
}
"""A state that leads to something of everything."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER)
    return path


@pytest.fixture
def state(tmp_path: Path) -> Callable[[object], str]:
    """Writes a state file and returns its name."""

    def write(tree: object) -> str:
        path = tmp_path / "state.json"
        path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
        return str(path)

    return write


@pytest.fixture
def planned(
    config: Path, state: Callable[[object], str], capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Any]]:
    """Plans for a state and returns the JSON object."""

    def plan(tree: object, *more: str) -> Any:
        args = ["--config", str(config), "--state", state(tree), "--now", NOW, "--json", *more]
        assert run(["plan", *args]) == ExitCode.OK
        out, err = capsys.readouterr()
        assert (out.count("\n"), err) == (1, "")
        return json.loads(out)

    return plan


# -- what is planned ------------------------------------------------------------------------------


def test_demand_without_room_is_launched_for(planned: Callable[..., Any]):
    tree = {"node_states": [HEAD, node(1, "gpu")], "pending_resource_requests": [demand(8, CPU=4)]}
    found = planned(tree)
    (launch,) = found["launches"]
    assert (launch["node_type"], launch["count"]) == ("big", 2)
    assert launch["reason"] == {"code": "needed_by_demand", "text": "8 × {CPU: 4} found no room"}
    assert {entry["node_type"] for entry in launch["considered"]} == {"cpu", "big", "gpu"}
    assert found["cost_per_hour"] == 1.4
    assert 0 < found["lower_bound_per_hour"] <= 1.4
    assert found["unplaced"] == []


def test_a_floor_is_launched_for_as_its_offering_says(planned: Callable[..., Any]):
    (launch,) = planned({"node_states": [HEAD]})["launches"]
    assert (launch["node_type"], launch["count"]) == ("gpu", 1)
    assert launch["reason"]["code"] == "min_workers"
    assert launch["considered"] == []
    assert launch["offering"] == {
        "instance_type": "",
        "zone": "a",
        "market": "spot",
        "price_per_hour": 1.2,
    }


def test_idle_nodes_leave_and_all_others_say_why_they_stay(planned: Callable[..., Any]):
    nodes = [HEAD, idle(1, 900), node(2), idle(3, 10), node(4, instance_id=""), idle(5, 900, "gpu")]
    found = planned({"node_states": nodes})
    (left,) = found["terminations"]
    assert (left["instance_id"], left["node_id"]) == ("i-1", f"{1:056x}")
    assert left["reason"]["code"] == "idle"
    kept = {entry["instance_id"]: entry for entry in found["kept"]}
    assert {name: entry["reason"]["code"] for name, entry in kept.items()} == {
        "i-0": "head",
        "i-2": "busy",
        "i-3": "idle",
        "": "unmanaged",
        "i-5": "min_workers",
    }
    assert kept[""]["node_id"] == f"{4:056x}"


def test_what_gets_no_room_says_why(planned: Callable[..., Any]):
    tree = {
        "node_states": [HEAD],
        "pending_resource_requests": [demand(3, TPU=1), demand(9, GPU=1), demand(1, ZONE, CPU=1)],
    }
    codes = {
        entry["label"]: (entry["count"], entry["reason"]["code"])
        for entry in planned(tree)["unplaced"]
    }
    assert codes == {
        "{TPU: 1}": (3, "infeasible"),
        "{GPU: 1}": (7, "max_workers"),
        "{CPU: 1}": (1, "infeasible"),
    }


def test_label_selectors_come_out_as_people_write_them(planned: Callable[..., Any]):
    tree = {"pending_resource_requests": [demand(1, ZONE, NOT_SPOT, CPU=99)]}
    (entry,) = planned(tree)["unplaced"]
    assert entry["resources"] == {"CPU": 99}
    assert entry["label_selector"] == {"zone": "in(a,b)"}
    assert entry["fallback_label_selectors"] == [{"spot": "!true"}]


def test_a_placement_group_goes_by_its_fallback_where_its_first_way_is_too_large(
    planned: Callable[..., Any],
):
    ways = [{"resource_requests": [{"resources_bundle": {"CPU": n}}] * 2} for n in (99, 8)]
    group = {"details": "4f2a:STRICT_PACK|PENDING", "bundleSelectors": ways}
    made = planned({"pendingGangResourceRequests": [group]})
    launched = [one for one in made["launches"] if one["reason"]["code"] == "needed_by_gang"]
    assert [(one["node_type"], one["count"]) for one in launched] == [("big", 1)]
    assert launched[0]["reason"]["text"] == (
        "placement group PG 4f2a STRICT_PACK 2 × {CPU: 8} (fallback 1) found no room"
    )


def test_request_resources_keeps_the_nodes_it_needs(planned: Callable[..., Any]):
    wanted = {"resource_requests": [demand(1, CPU=4)]}
    tree = {"node_states": [HEAD, idle(1, 900)], "cluster_resource_constraints": [wanted]}
    found = planned(tree)
    assert found["terminations"] == []
    assert "needed_by_constraint" in [entry["reason"]["code"] for entry in found["kept"]]


def test_nodes_that_start_are_told_by_the_instances(planned: Callable[..., Any]):
    starting = {"instance_id": "i-9", "node_type": "gpu", "status": "setting-up"}
    tree = {"cluster_resource_state": {"node_states": [HEAD]}, "instances": [starting]}
    found = planned(tree)
    assert found["launches"] == []
    codes = {entry["instance_id"]: entry["reason"]["code"] for entry in found["kept"]}
    assert codes == {"i-0": "head", "i-9": "starting"}


def test_a_type_that_is_not_in_the_file_is_planned_to_leave(planned: Callable[..., Any]):
    found = planned({"node_states": [HEAD, node(1, "old")]})
    assert [t["reason"]["code"] for t in found["terminations"]] == ["type_gone"]
    assert found["terminations"][0]["deadline"] > int(NOW)


def test_added_demand_counts_with_what_waits(planned: Callable[..., Any]):
    tree = {"pending_resource_requests": [demand(5, TPU=1)]}
    more = ["--demand", '{"TPU": 1}*100', "--demand", '{"TPU": 1.0} x 7', "--demand", '{"XPU": 1}']
    counts = {e["label"]: e["count"] for e in planned(tree, *more)["unplaced"]}
    assert counts == {"{TPU: 1}": 112, "{XPU: 1}": 1}


def test_the_same_input_gives_the_same_plan(planned: Callable[..., Any]):
    first, second = planned(EVERYTHING), planned(EVERYTHING)
    first.pop("solve_ms"), second.pop("solve_ms")
    assert first == second


def test_sums_beyond_64_bits_are_told(planned: Callable[..., Any]):
    huge = {"resource_requests": [demand(10**12, memory=9e14)]}
    (entry,) = planned({"cluster_resource_constraints": [huge]})["unplaced"]
    assert entry["resources"]["memory"] == pytest.approx(9e26)


def test_no_limit_in_the_file_is_no_plan_without_end(
    config: Path, state: Callable[[object], str], capsys: pytest.CaptureFixture[str]
):
    config.write_text(CLUSTER.replace("max_workers: 20", "max_workers: 2147483647"))
    config.write_text(config.read_text().replace("max_workers: 10}", "max_workers: 2147483647}"))
    tree = {"cluster_resource_constraints": [{"resource_requests": [demand(10**12, CPU=4)]}]}
    assert run(["plan", str(config), "--state", state(tree), "--json"]) == ExitCode.OK
    (entry,) = json.loads(capsys.readouterr().out)["unplaced"]
    assert entry["reason"]["code"] == "max_workers_total"


# -- how it is told -------------------------------------------------------------------------------

OBJECTS: dict[str, type[msgspec.Struct]] = {
    "plan": report.PlanReport,
    "launches": report.LaunchReport,
    "offering": report.OfferingReport,
    "considered": report.ConsideredReport,
    "terminations": report.TerminationReport,
    "unplaced": report.UnplacedReport,
    "kept": report.KeptReport,
    "reason": report.ReasonReport,
}


@pytest.mark.parametrize("name", OBJECTS)
def test_the_page_has_every_key_and_no_other(name: str):
    assert list(documented(PAGE, name)) == list(OBJECTS[name].__struct_fields__)


def test_every_value_is_of_the_type_that_the_page_says(planned: Callable[..., Any]):
    found = planned(EVERYTHING)
    samples = {
        "plan": found,
        **{name: found[name][0] for name in ("launches", "terminations", "unplaced", "kept")},
    }
    bought = next(launch for launch in found["launches"] if launch["considered"])
    samples |= {"offering": bought["offering"], "considered": bought["considered"][0]}
    samples["reason"] = bought["reason"]
    assert samples.keys() == OBJECTS.keys()
    for name, sample in samples.items():
        check_types(sample, documented(PAGE, name))


def test_for_people(
    config: Path, state: Callable[[object], str], capsys: pytest.CaptureFixture[str]
):
    args = ["plan", str(config), "--state", state(EVERYTHING), "--now", NOW]
    assert run(args) == ExitCode.OK
    out, err = capsys.readouterr()
    assert err == ""
    for title in ("LAUNCH", "TYPES CONSIDERED", "REMOVE", "DEMAND", "STAYS"):
        assert f"\n{title}\n" in out
    assert re.search(r"i-1 +cpu +idle 15m00s, limit 5m00s", out)
    assert re.search(r"2 ×  \{GPU: 2\} +✕ infeasible +GPU 2 wanted", out)
    assert re.search(r"i-2 +cpu +busy", out)
    assert re.search(r"solved in \d+\.\d ms\n$", out)


def test_nothing_to_do(
    config: Path, state: Callable[[object], str], capsys: pytest.CaptureFixture[str]
):
    tree = {"node_states": [HEAD, node(1, "gpu")]}
    assert run(["plan", str(config), "--state", state(tree), "--now", NOW]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("2 nodes now → nothing to do\n")


def test_text_from_the_state_cannot_draw_on_the_terminal(
    config: Path, state: Callable[[object], str], capsys: pytest.CaptureFixture[str]
):
    tree = {"pending_resource_requests": [demand(1, **{"\x1b[2J": 1})]}
    assert run(["plan", str(config), "--state", state(tree)]) == ExitCode.OK
    assert "\x1b" not in capsys.readouterr().out


def test_keys_of_a_newer_ray_are_named_on_stderr(
    config: Path, state: Callable[[object], str], capsys: pytest.CaptureFixture[str]
):
    name = state({"node_states": [], "weather": 1})
    assert run(["plan", str(config), "--state", name, "--json"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert json.loads(out)
    assert err == f"{name}: left out keys that mean nothing here: weather\n"


def test_a_state_from_stdin(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    text = json.dumps({"pending_resource_requests": [demand(3, TPU=1)]})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert run(["plan", "--config", str(config), "--state", "-", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["unplaced"][0]["count"] == 3


def test_it_needs_no_ray(config: Path, state: Callable[[object], str]):
    code = (
        "import sys\n"
        "for name in ('ray', 'google', 'textual'): sys.modules[name] = None\n"
        "from raytui.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "plan", str(config), "--state", state(EVERYTHING), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["launches"]


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ("", "is no JSON"),
        ('{"node_states": [', "is no JSON"),
        ('{"a": NaN}', "is no JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ([], "expected an object"),
        ({"pending_resource_requests": [demand(-1, CPU=1)]}, "requests[0].count: expected at le"),
        (
            {"pending_resource_requests": [demand(1, CPU="Infinity")]},
            "resources_bundle.CPU: expected a finite number",
        ),
        (
            {"pending_resource_requests": [demand(1, **{f"r{i}": 1}) for i in range(1_001)]},
            "1,001 different shapes of pending demand; at most 1,000",
        ),
        ({"pending_resource_requests": [{}] * 1_000_000}, "has 1,000,000 entries"),
    ],
)
def test_a_bad_state_is_a_usage_error_without_a_traceback(
    config: Path,
    state: Callable[[object], str],
    capsys: pytest.CaptureFixture[str],
    tree: object,
    words: str,
):
    assert run(["plan", "--config", str(config), "--state", state(tree)]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "Traceback" not in err


def test_all_that_is_wrong_with_a_state_is_told_up_to_ten(
    config: Path, state: Callable[[object], str], capsys: pytest.CaptureFixture[str]
):
    def told(tree: object) -> list[str]:
        assert run(["plan", "--config", str(config), "--state", state(tree)]) == ExitCode.USAGE
        return [line for line in capsys.readouterr().err.splitlines() if "expected" in line]

    tree = {
        "node_states": [{"status": "GONE"}],
        "pending_resource_requests": [demand(-1, CPU=-1, GPU="Infinity"), demand(1, CPU=1)],
    }
    places = [line.split(": ")[-2] for line in told(tree)]
    bundle = "pending_resource_requests[0].request.resources_bundle"
    count = "pending_resource_requests[0].count"
    assert places == ["node_states[0].status", f"{bundle}.CPU", f"{bundle}.GPU", count]
    assert len(told({"pending_resource_requests": [demand(-1, CPU=1)] * 99})) == 10


@pytest.mark.parametrize(
    "args",
    [
        ["--demand", "CPU=4"],
        ["--demand", '{"CPU": -1}'],
        ["--demand", '{"CPU": NaN}'],
        ["--demand", '{"CPU": 1}*-3'],
        ["--demand", '{"CPU": 1}*9999999999999'],
        ["--demand", '{"CPU": [1]}'],
        ["--demand", '{"CPU": 1'],
        ["--demand", '{"a":' * 100_000 + "}" * 100_000],
        ["--demand", '{"\udcff": 1e999}'],
        ["--now", "nan"],
        ["--now", "-5"],
        ["--now", "inf"],
        ["--now", "soon"],
        ["--state", "/nowhere/state.json"],
        ["--state", "/"],
        ["--state", "a\0b"],
        ["laptop"],
    ],
    ids=lambda args: str(args)[:40],
)
def test_a_bad_option_is_a_usage_error_without_a_traceback(
    config: Path,
    state: Callable[[object], str],
    capsys: pytest.CaptureFixture[str],
    args: list[str],
):
    whole = ["plan", "--config", str(config), "--state", state({}), *args]
    assert run(whole) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err


def test_a_bad_cluster_file_is_a_usage_error(
    tmp_path: Path, state: Callable[[object], str], capsys: pytest.CaptureFixture[str]
):
    bad = tmp_path / "bad.yaml"
    bad.write_text("cluster_name: 7\n")
    assert run(["plan", "--config", str(bad), "--state", state({})]) == ExitCode.USAGE
    assert "bad.yaml:1" in capsys.readouterr().err


def test_without_a_state_the_cluster_must_run(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["plan", str(config)]) == ExitCode.UNREACHABLE
    assert f"shop is not running; start it: raytui up {config}" in capsys.readouterr().err


AMOUNT = st.one_of(
    st.integers(-1, 2**40), st.floats(0, 1e15), st.sampled_from(["1", "NaN", 1e300, 0.0001])
)
SHAPE = st.dictionaries(st.sampled_from(["CPU", "GPU", "memory", "TPU", ""]), AMOUNT, max_size=3)
COUNT = st.one_of(st.integers(0, 50), st.sampled_from(["3", 10**12, 2**63, -1]))
SELECTOR = st.sampled_from([ZONE, NOT_SPOT, {"label_constraints": []}, {}])
REQUEST = st.fixed_dictionaries(
    {"resources_bundle": SHAPE}, optional={"label_selectors": st.lists(SELECTOR, max_size=2)}
)
COUNTED = st.fixed_dictionaries({"request": REQUEST}, optional={"count": COUNT})
NODE = st.fixed_dictionaries(
    {"node_id": st.binary(min_size=1, max_size=4).map(bytes.hex)},
    optional={
        "instance_id": st.text("ab", max_size=3),
        "ray_node_type_name": st.sampled_from(["cpu", "gpu", "head", "old", ""]),
        "status": st.sampled_from(["IDLE", "RUNNING", "DRAINING", "DEAD", 0, 99]),
        "idle_duration_ms": st.integers(0, 2**63 - 1),
        "total_resources": SHAPE,
        "available_resources": SHAPE,
        "labels": st.dictionaries(st.sampled_from(["zone", "spot"]), st.just("a"), max_size=2),
    },
)
WAYS = st.lists(
    st.fixed_dictionaries({"resource_requests": st.lists(REQUEST, max_size=3)}), max_size=3
)
GANG = st.fixed_dictionaries(
    {
        "requests": st.lists(REQUEST, max_size=4),
        "details": st.sampled_from(
            ["", "a:PACK|P", "b:SPREAD|P", "c:STRICT_SPREAD|", "STRICT_PACK"]
        ),
    },
    optional={"bundle_selectors": WAYS},
)
INSTANCE = st.fixed_dictionaries(
    {
        "instance_id": st.text("ab", min_size=1, max_size=3),
        "node_type": st.sampled_from(["cpu", "old"]),
    },
    optional={"status": st.sampled_from(["running", "queued", "lost", "terminated", "draining"])},
)
STATE = st.fixed_dictionaries(
    {},
    optional={
        "node_states": st.lists(NODE, max_size=4),
        "pending_resource_requests": st.lists(COUNTED, max_size=4),
        "pending_gang_resource_requests": st.lists(GANG, max_size=3),
        "cluster_resource_constraints": st.lists(
            st.fixed_dictionaries({"resource_requests": st.lists(COUNTED, max_size=3)}), max_size=2
        ),
    },
)
FILE = STATE | st.fixed_dictionaries(
    {"cluster_resource_state": STATE, "instances": st.lists(INSTANCE, max_size=4)}
)


@given(tree=FILE, as_json=st.booleans())
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_state_is_planned_for_or_refused_in_words(
    config: Path,
    state: Callable[[object], str],
    capsys: pytest.CaptureFixture[str],
    tree: object,
    as_json: bool,
):
    args = ["plan", str(config), "--state", state(tree), "--now", NOW]
    code = run([*args, "--json"] if as_json else args)
    out, err = capsys.readouterr()
    assert code in (ExitCode.OK, ExitCode.USAGE)
    assert (code == ExitCode.USAGE) == (out == "") == err.startswith("raytui: ")
    if code == ExitCode.OK and as_json:
        found = json.loads(out)
        ours = {i for entry in found["terminations"] for i in [entry["instance_id"]]}
        assert not ours & {entry["instance_id"] for entry in found["kept"]}
