"""How often EC2 is asked: by a loop at rest, while nodes come, and while they go.

The loop, the provisioner, EC2's client and the HTTP are real; the emulated EC2 counts each request
that it gets. Ray is simulated, set-ups succeed at once, and time is made up: each second there is
a round, as if somebody watched, so that a loop that nobody watches asks less.

Kinds of cases:

- `idle`: N nodes at rest. The emulated EC2 tells of a thousand nodes and the head in one page; the
  real one makes two of them, which is twice the requests.
- `come`: N nodes are asked for at once (`raytui scale --min`), until all are running and settled.
  Set-ups that end in the same moment are written down in one request; real ones end in different
  moments, which makes up to two `CreateTags` a second, and never more than one for each node.
- `go`: the same N nodes are no longer wanted, until the last has ended.

`per_hour` is the number of requests divided by the minutes, times 60. What each is for, and what
EC2 allows, is in docs/limits.md.

`cpu_share` (kind `at rest`) is the share of one core that a daemon with 1,000 idle nodes uses when
nobody watches, in real time, as in `reconcile`'s `wait`: with machines that cost nothing to list
(`free`), and with EC2's (`ec2`), whose listing is 3.6 MB of XML.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import common
import idle_daemon

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from raytui.backends.aws.session import AwsSession
from raytui.model.command import SetFloor
from raytui.model.lifecycle import InstanceStatus
from tests.aws.emulated import REGION, Server
from tests.aws.obedient import ObedientMachines, SetUp
from tests.aws.world import World, priced
from tests.support.hosts import wait_until

_FLEET = 200
_IDLE = (20, 200, 1000)
_OPERATIONS = ("DescribeInstances", "RunInstances", "CreateTags", "StopInstances")
_SETTLES_S = 90
_WATCH_S = 180.0


class _Cluster(SetUp):
    boot_s = (45.0, 90.0)
    most = 1000

    def run_set_up(self, seconds: int) -> None:
        """Go on; each set-up ends in the second in which it began."""
        for _ in range(seconds):
            self.run()
            wait_until(self.all_set_up, "set-ups")

    @property
    def running(self) -> int:
        """Workers that are nodes."""
        status = InstanceStatus.RUNNING
        return sum(r.member.status is status and not r.member.is_head for r in self.snapshot.rows)

    @property
    def rest(self) -> int:
        """Workers that the loop knows of, in whatever state."""
        return sum(not row.member.is_head for row in self.snapshot.rows)


def measure(quick: bool) -> common.Measured:
    """All kinds of cases."""
    logging.disable(logging.WARNING)
    sizes, minutes = ((20,), 5) if quick else (_IDLE, 20)
    fleet = 20 if quick else _FLEET
    server = Server()
    try:
        idle = [_idle(server, nodes, minutes) for nodes in sizes]
        come, go = _come_and_go(server, fleet)
    finally:
        server.close()
    rest = {kind: _at_rest(kind) for kind in (() if quick else ("free", "ec2"))}
    measured = common.Measured([*idle, come, go, *rest.values()])
    measured.summary = {
        "idle_calls_per_hour": {str(case["nodes"]): case["per_hour"] for case in idle},
        f"calls_to_launch_{fleet}": come["calls"],
        f"calls_to_end_{fleet}": go["calls"],
        **{f"cpu_share_{kind}": case["cpu_share"] for kind, case in rest.items()},
    }
    return measured


@contextmanager
def _cluster(server: Server) -> Iterator[_Cluster]:
    """A cluster of its own in an account in which nothing has happened."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(idle_daemon.account(server.url, home))
        emulated = server.emptied()
        emulated.remembers = True
        world = World(emulated, AwsSession({"region": REGION}))
        world.kind = ObedientMachines
        cluster = _Cluster(world, cpu=(priced(0.192, "m5.xlarge"),))
        try:
            yield cluster
        finally:
            cluster.provider.close()


def _idle(server: Server, nodes: int, minutes: int) -> common.Case:
    common.progress(f"{nodes} nodes at rest for {minutes} minutes")
    with _cluster(server) as cluster:
        _launch(cluster, nodes)
        before = Counter(cluster.ec2.calls)
        cluster.run(60 * minutes)
        return _case("idle", nodes, minutes, Counter(cluster.ec2.calls) - before)


def _come_and_go(server: Server, nodes: int) -> tuple[common.Case, common.Case]:
    common.progress(f"{nodes} nodes come and go")
    with _cluster(server) as cluster:
        cases = []
        for kind, floor in (("come", nodes), ("go", 0)):
            before, began = Counter(cluster.ec2.calls), cluster.now
            if floor:
                _launch(cluster, floor)
            else:
                cluster.order(SetFloor("cpu", 0))
                while cluster.rest:
                    cluster.run()
            minutes = (cluster.now - began) / 60
            cases.append(_case(kind, nodes, minutes, Counter(cluster.ec2.calls) - before))
        return cases[0], cases[1]


def _launch(cluster: _Cluster, nodes: int) -> None:
    """Have so many nodes, and wait until nothing moves any more."""
    cluster.order(SetFloor("cpu", nodes))
    while cluster.running < nodes:
        cluster.run_set_up(1)
    cluster.run(_SETTLES_S)


def _case(kind: str, nodes: int, minutes: float, calls: Counter[str]) -> common.Case:
    others = calls.total() - sum(calls[name] for name in _OPERATIONS)
    return {
        "kind": kind,
        "nodes": nodes,
        "minutes": common.digits(minutes),
        **{name: calls[name] for name in _OPERATIONS},
        "others": others,
        "calls": calls.total(),
        "per_hour": round(calls.total() * 60 / minutes),
    }


def _at_rest(machines: str) -> common.Case:
    common.progress(f"a daemon that waits for {_WATCH_S:.0f} s, machines: {machines}")
    program = str(Path(idle_daemon.__file__))
    command = [sys.executable, program, str(_WATCH_S), machines]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    found: common.Case = json.loads(done.stdout)
    return {
        "kind": f"at rest, {machines}",
        "nodes": found["nodes"],
        "cpu_share": found["cpu_share"],
    }


if __name__ == "__main__":
    common.main("aws_calls", __doc__, measure)
