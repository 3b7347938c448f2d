"""Pools: node types over on-premise hosts, under metadata.raytui."""

from __future__ import annotations

import textwrap

import pytest

from raytui.model.codec import encode
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, HostPool, PowerHooks
from raytui.provisioning.bootstrap import bootstrap_config
from raytui.provisioning.ray_start import overrides
from tests.config.files import problem_of, problems_of, spec_of

TYPE = "local.cluster.node"


def pooled(pools: str = "", provider: str = "", more: str = "") -> str:
    return (
        "cluster_name: c\n"
        f"provider: {{type: local, head_ip: h, {provider or 'worker_ips: [a, b, c]'}}}\n"
        f"{more}\n"
        "metadata:\n  raytui:\n    pools:\n" + textwrap.indent(textwrap.dedent(pools), " " * 6)
    )


def test_without_pools_all_hosts_are_of_rays_one_type() -> None:
    spec = spec_of("cluster_name: c\nprovider: {type: local, head_ip: h, worker_ips: [a, b]}")
    assert spec.pools == {TYPE: HostPool(("a", "b"))}
    assert (spec.head.min_workers, spec.head.max_workers, spec.max_workers) == (2, 2, 2)


def test_a_pool_is_a_node_type_and_the_other_hosts_stay_of_rays() -> None:
    spec = spec_of(
        pooled("""\
            gpu:
              hosts: [c, d, e]
              min_workers: 1
              idle_timeout_s: 60
              resources: {GPU: 2}
              labels: {rack: r7}
              priority: 5
            """)
    )
    assert spec.pools == {
        TYPE: HostPool(("a", "b")),
        "gpu": HostPool(("c", "d", "e"), Resources.of(GPU=2)),
    }
    gpu = spec.node_types["gpu"]
    assert (gpu.min_workers, gpu.max_workers, gpu.idle_timeout_s, gpu.priority) == (1, 3, 60, 5)
    ours = spec.node_types[TYPE]
    assert (ours.min_workers, ours.max_workers, spec.max_workers) == (2, 2, 5)
    assert spec.head_node_type == TYPE


def test_ray_is_told_what_a_pool_states_and_nothing_that_was_found() -> None:
    spec = spec_of(pooled("gpu: {hosts: [c], resources: {GPU: 2}, labels: {rack: r7}}"))
    assert overrides(spec, spec.node_types["gpu"]) == {
        "RAY_OVERRIDE_RESOURCES": '{"GPU":2}',
        "RAY_OVERRIDE_LABELS": '{"rack":"r7"}',
    }
    bare = spec_of(pooled("gpu: {hosts: [c]}"))
    assert overrides(bare, bare.node_types["gpu"]) == {}


def test_no_more_workers_of_a_pool_than_hosts_or_than_it_says() -> None:
    limits = {
        said: spec_of(pooled(f"gpu: {{hosts: [d, e], max_workers: {said}}}")).node_types["gpu"]
        for said in (1, 9)
    }
    assert {said: kind.max_workers for said, kind in limits.items()} == {1: 1, 9: 2}


def test_a_pools_power_goes_over_the_clusters() -> None:
    spec = spec_of(
        pooled("gpu: {hosts: [c], power: {off: 'off $RAYTUI_HOST'}}")
        + "\n    power: {on: wake, off: sleep}\n"
    )
    assert spec.pools["gpu"].power == PowerHooks(on="wake", off="off $RAYTUI_HOST")
    assert spec.pools[TYPE].power == PowerHooks(on="wake", off="sleep")


def test_the_heads_copy_of_the_file_says_the_same() -> None:
    spec = spec_of(pooled("gpu: {hosts: [c, d], min_workers: 1, labels: {rack: r7}}"))
    there = spec_of(encode(bootstrap_config(spec)).decode())
    assert there.on_head
    assert (there.pools, there.node_types) == (spec.pools, spec.node_types)
    assert there.max_workers == spec.max_workers


@pytest.mark.parametrize(
    ("pools", "line", "key", "words"),
    [
        ("gpu: {hosts: [d, h]}", 7, "gpu.hosts[1]", '"h" is the head'),
        ("gpu:\n  hosts:\n    - d\n    - d", 10, "gpu.hosts[1]", "already in pool gpu"),
        ("one: {hosts: [d]}\ntwo: {hosts: [e, d]}", 8, "two.hosts[1]", "already in pool one"),
        ("gpu:\n  hosts: [d]\n  min_workers: 2", 9, "gpu.min_workers", "more than the pool has"),
        ("gpu: {hosts: [d, e], min_workers: 2, max_workers: 1}", 7, "gpu.min_workers", "is 2"),
        ("gpu: {hosts: [d], mac: x}", 7, "gpu.mac", "unknown key"),
        ("gpu: {hosts: [d], power: {reset: x}}", 7, "gpu.power.reset", "unknown key"),
        ("gpu: {hosts: [-oProxyCommand=x]}", 7, "gpu.hosts[0]", "the address or name of a host"),
        ("gpu: {min_workers: 0}", 7, "gpu.hosts", "is required"),
        (f"{TYPE}: {{hosts: [d]}}", 7, TYPE, "hosts in no pool"),
    ],
)
def test_what_is_wrong_with_a_pool_is_told_with_its_line(
    pools: str, line: int, key: str, words: str
) -> None:
    problem = problem_of(pooled(pools))
    assert (problem.line, problem.key_path) == (line, f"metadata.raytui.pools.{key}")
    assert words in problem.message


def test_a_host_is_no_worker_twice_nor_beside_the_head() -> None:
    problems = problems_of(
        "cluster_name: c\nprovider: {type: local, head_ip: h, worker_ips: [a, a, h]}"
    )
    assert [p.key_path for p in problems] == ["provider.worker_ips[1]", "provider.worker_ips[2]"]


def test_pools_are_for_hosts_that_are_there_already() -> None:
    elsewhere = "cluster_name: c\nprovider: {type: aws}\nmetadata: {raytui: {power: {on: x}}}"
    assert any("for provider local, not for aws" in p.message for p in problems_of(elsewhere))
    coordinated = pooled("gpu: {hosts: [d]}", 'coordinator_address: "x:1"', "max_workers: 2")
    assert any("coordinator_address" in p.message for p in problems_of(coordinated))


def sizes(spec: ClusterSpec) -> dict[str, int]:
    return {name: kind.max_workers for name, kind in spec.node_types.items()}


def test_the_clusters_limit_holds_beside_those_of_pools() -> None:
    spec = spec_of(pooled("gpu: {hosts: [d, e]}", more="min_workers: 0\nmax_workers: 1"))
    assert (sizes(spec), spec.max_workers) == ({TYPE: 1, "gpu": 2}, 1)
