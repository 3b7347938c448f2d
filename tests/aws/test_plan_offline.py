"""`raytui plan` for a cluster on EC2 that is not there: nobody is asked, the catalog tells."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from raytui.cli.plan import plan

CLUSTER = """
cluster_name: shop
max_workers: 10
provider: {type: aws, region: REGION}
head_node_type: head
available_node_types:
  head: {node_config: {InstanceType: m5.large}, resources: {CPU: 0}}
  cpu: {node_config: {InstanceType: [m5.xlarge, c5.xlarge]}}
  gpu: {node_config: {InstanceType: g5.xlarge}}
  own: {node_config: {InstanceType: z99.large}, resources: {CPU: 2, odd: 1}}
"""


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plan for a demand, on a machine without credentials or network."""

    def unreachable(*_: object) -> None:
        raise AssertionError("somebody was asked")

    def run(demand: str, region: str = "us-east-1") -> dict[str, Any]:
        (tmp_path / "c.yaml").write_text(CLUSTER.replace("REGION", region))
        (tmp_path / "state.json").write_text("{}")
        words = [str(tmp_path / "c.yaml"), "--state", str(tmp_path / "state.json")]
        done = CliRunner().invoke(plan, [*words, "--demand", demand, "--json"])
        assert done.exit_code == 0, done.output
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    return run


def test_what_machines_have_and_cost_is_the_catalogs(planned: Any) -> None:
    (launch,) = planned('{"CPU": 1}*8')["launches"]
    assert (launch["node_type"], launch["count"]) == ("cpu", 2)
    assert launch["offering"]["instance_type"] == "c5.xlarge"
    assert launch["offering"]["price_per_hour"] == pytest.approx(0.17)
    (launch,) = planned('{"GPU": 1}')["launches"]
    assert launch["node_type"] == "gpu"


def test_in_another_region_prices_are_unknown_and_not_nothing(planned: Any) -> None:
    (launch,) = planned('{"CPU": 1}*8', "eu-west-1")["launches"]
    assert launch["node_type"] == "cpu"
    assert launch["offering"]["price_per_hour"] is None


def test_a_type_that_the_catalog_does_not_have_is_what_the_file_says(planned: Any) -> None:
    (launch,) = planned('{"odd": 1}')["launches"]
    assert (launch["node_type"], launch["offering"]["instance_type"]) == ("own", "z99.large")
