"""Keys of a cluster file that are good for Ray and mean nothing to a cluster on EC2 here.

`node_config` is read by EC2's own words (run_words.py). What a person wrote and nobody heeds is
told, each with what to do instead, and what only ends badly later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from raytui.backends.aws.bootstrap.instance_profile import NAME as PROFILE
from raytui.backends.aws.choices import PERSISTENT
from raytui.model.spec import ClusterSpec, Market

_HEEDED = frozenset(
    {
        "availability_zone",
        "aws_credentials",
        "cache_stopped_nodes",
        "disable_node_updaters",
        "key_pair",
        "region",
        "security_group",
        "tags",
        "type",
        "use_internal_ips",
    }
)
_INSTEAD = {
    "cloudwatch": "is not done: start the agent with setup_commands; for metrics, Prometheus can "
    "ask the daemon (metadata.raytui.metrics)",
    "disable_launch_config_check": "is not heeded: nodes whose node_config has changed are kept, "
    "and a head is only made anew when you agree",
    "foreground_node_launch": "is not heeded: nodes are always launched beside the loop",
    "worker_liveness_check": "is not heeded: a worker that Ray does not see for 30 s is replaced",
}
_SAID_BY_US = ("MinCount", "MaxCount", "ClientToken")


def unheeded(spec: ClusterSpec) -> Iterator[str]:
    """What the file says and a cluster on EC2 does not heed, each in one sentence."""
    for key in spec.provider.options:
        if key not in _HEEDED:
            yield f"provider.{key} {_INSTEAD.get(key, 'means nothing on aws: it is not heeded')}"
    for key in spec.provider.options.get("key_pair") or ():
        if key != "key_name":
            yield f"provider.key_pair.{key} means nothing: only key_name is heeded"
    if spec.auth.ssh_public_key:
        yield (
            "auth.ssh_public_key is not heeded: EC2 has the public half itself, of the pair that "
            "KeyName names"
        )
    if "min_workers" in spec.written:
        yield "min_workers is not heeded, as by Ray: say it in available_node_types"
    for name, kind in spec.node_types.items():
        yield from _in_config(name, kind.node_config)
    head = spec.head
    if any(way.market is Market.SPOT for way in head.offerings):
        yield (
            f"{head.name}: nobody heeds the notice that a head on spot is taken back, and the "
            "cluster ends with it: take it on demand"
        )
    if not head.node_config.get("IamInstanceProfile"):
        for kind in spec.worker_types:
            profile = kind.node_config.get("IamInstanceProfile")
            if isinstance(profile, dict):
                named = profile.get("Name") or profile.get("Arn")
                yield (
                    f"{kind.name}: the head's role {PROFILE} may not hand on the role of the "
                    f"instance profile {named}: allow it iam:PassRole for that"
                )


def _in_config(name: str, config: dict[str, Any]) -> Iterator[str]:
    for key in _SAID_BY_US:
        if key in config:
            yield f"{name}: node_config.{key} is not heeded: it is said anew for each launch"
    market = config.get("InstanceMarketOptions")
    spot = market.get("SpotOptions") if isinstance(market, dict) else None
    if isinstance(spot, dict) and spot.get("SpotInstanceType") == PERSISTENT:
        yield (
            f"{name}: SpotInstanceType {PERSISTENT} is not heeded, nor what goes with it: EC2 "
            "would launch another instance for each that is ended. The autoscaler replaces what is "
            "taken back"
        )
