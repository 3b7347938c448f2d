"""What a person reads before a cluster is launched from the screens."""

from __future__ import annotations

from raytui.cli.open import description
from raytui.config.cluster import parse_cluster
from tests.aws.bootstrapping import MINIMAL


def test_what_costs_money_says_where_its_price_is_told():
    said = description(parse_cluster(MINIMAL, "c.yaml"))
    assert said.splitlines()[-1].endswith("--dry-run")
    assert "price" in said


def test_hosts_that_are_there_have_no_price():
    hosts = "{cluster_name: c, provider: {type: local, head_ip: h, worker_ips: [w]}, auth: {}}"
    assert "price" not in description(parse_cluster(hosts, "c.yaml"))
