"""A minimal cluster file, an account for it, and short words for what was looked up."""

from __future__ import annotations

import json
from typing import Any

from raytui.backends.aws.bootstrap import Bootstrap, Part, State, look_up
from raytui.backends.aws.session import AwsSession
from raytui.config.cluster import parse_cluster
from raytui.model.spec import ClusterSpec
from tests.aws.world import IMAGE

MINIMAL = """
cluster_name: mine
provider:
  type: aws
  region: us-west-2
auth:
  ssh_user: ubuntu
available_node_types:
  ray.head.default:
    resources: {CPU: 2}
    node_config: {InstanceType: m5.large}
  ray.worker.default:
    resources: {CPU: 2}
    min_workers: 0
    max_workers: 2
    node_config:
      InstanceType: m5.large
      InstanceMarketOptions: {MarketType: spot}
head_node_type: ray.head.default
"""
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
DRIVERS = (
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
)
WITH_DRIVERS = "ami-9b32e8e2"
HERE = "192.0.2.7/32"


PARAMETERS = {UBUNTU.format("amd64"): IMAGE, DRIVERS: WITH_DRIVERS}


def spec(text: str = MINIMAL, **provider: Any) -> ClusterSpec:
    more = "".join(f"\n  {key}: {json.dumps(value)}" for key, value in provider.items())
    return parse_cluster(text.replace("region: us-west-2", f"region: us-west-2{more}"), "c.yaml")


def seen(aws: AwsSession, cluster: ClusterSpec) -> Bootstrap:
    return look_up(cluster, aws, lambda: HERE)


def states(found: Bootstrap) -> dict[str, State]:
    return {part.kind: part.state for part in found.parts}


def part(found: Bootstrap, kind: str) -> Part:
    return next(part for part in found.parts if part.kind == kind)


def configs(filled: ClusterSpec) -> list[dict[str, Any]]:
    return [node_type.node_config for node_type in filled.node_types.values()]
