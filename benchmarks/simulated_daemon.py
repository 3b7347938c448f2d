"""A daemon whose cluster is simulated: `simulated_daemon.py CLUSTER NODES`, until it is stopped."""

from __future__ import annotations

import sys

from raytui.autoscaler.daemon.process import run_daemon
from raytui.autoscaler.engine import Engine
from raytui.autoscaler.simulation.showcase import showcase
from raytui.config.locations import ClusterPaths
from raytui.model.command import Ack


def _reload(_: Engine) -> Ack:
    return Ack(False, "a simulated cluster has no file")


if __name__ == "__main__":
    _, name, nodes = sys.argv
    run_daemon(name, ClusterPaths(name).make(), lambda: showcase(int(nodes)), _reload)
