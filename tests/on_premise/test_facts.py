"""What hosts have is found out, and types of unlike hosts are told of."""

from __future__ import annotations

import os

import pytest

from raytui.backends.on_premise.facts import Facts, accelerator_type, difference, least
from raytui.model.resources import Resources
from tests.on_premise.conftest import TYPE, Cluster
from tests.support.hosts import Host

GIB = 2**30

NVIDIA_SMI = """#!/bin/sh
case "$*" in
*memory.total,name*noheader,nounits*) echo "40960, NVIDIA A100-SXM4-40GB" ;;
*) exit 1 ;;
esac
"""
"""As nvidia-smi answers that question; there is no GPU here."""


@pytest.mark.ssh
@pytest.mark.slow
def test_types_have_the_least_of_their_hosts(cluster: Cluster, alpha: Host, beta: Host) -> None:
    beta.run("sh", "-c", "printf '%s' \"$1\" >/usr/bin/nvidia-smi", "sh", NVIDIA_SMI)
    beta.run("chmod", "755", "/usr/bin/nvidia-smi")
    pools = {"gpu": {"hosts": [beta.address], "resources": {"fast_disk": 1}}}
    machines = cluster(alpha, beta, metadata={"raytui": {"pools": pools}})
    spec = machines.fill(machines.spec)
    cpus, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = spec.node_types[TYPE].resources
    assert found.amount("CPU") == cpus
    assert found.amount("memory") == pytest.approx(0.65 * memory, rel=0.01)
    gpu = spec.node_types["gpu"].resources
    assert (gpu.amount("GPU"), gpu.amount("accelerator_type:A100")) == (1, 1)
    assert (gpu.amount("fast_disk"), gpu.amount("CPU")) == (1, cpus)
    assert machines.notices() == []


@pytest.mark.ssh
@pytest.mark.slow
def test_what_was_found_once_counts_when_nobody_answers(cluster: Cluster, alpha: Host) -> None:
    machines = cluster(alpha)
    before = machines.fill(machines.spec)
    with alpha.cut_off():
        again = cluster(alpha)
        assert again.fill(again.spec) == before


@pytest.mark.ssh
@pytest.mark.slow
def test_nothing_is_guessed_of_hosts_that_never_answered(cluster: Cluster) -> None:
    machines = cluster("127.0.0.1")
    assert machines.fill(machines.spec) == machines.spec


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("Tesla V100-SXM2-16GB", "V100"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000"),
        ("NVIDIA GeForce RTX 5090", "GeForce-RTX-5090"),
    ],
)
def test_gpus_have_rays_names(name: str, word: str) -> None:
    assert accelerator_type(name) == word


@pytest.mark.ray
@pytest.mark.parametrize("name", ["NVIDIA A10G", "Tesla T4", "NVIDIA H100 80GB HBM3", "NVIDIA L4"])
def test_rays_own_word_for_a_gpu_is_ours(name: str) -> None:
    nvidia = pytest.importorskip("ray._private.accelerators.nvidia_gpu")
    theirs = nvidia.NvidiaGPUAcceleratorManager._gpu_name_to_accelerator_type(name)
    assert accelerator_type(name) == theirs


def test_the_least_is_what_every_host_has() -> None:
    big = Facts(16, 64 * GIB, (("NVIDIA A100-SXM4-40GB", 40 * GIB),) * 2)
    small = Facts(8, 128 * GIB, (("Tesla T4", 16 * GIB),))
    assert least([big, small]) == Resources.of(CPU=8, GPU=1, memory=int(0.65 * 64 * GIB))
    assert least([]) == Resources.of()


def test_a_difference_is_told_by_host_and_small_ones_are_none() -> None:
    one, alike = Facts(8, 64 * GIB), Facts(8, 63 * GIB)
    assert difference({"a": one, "b": alike}) == ""
    assert difference({"a": one}) == ""
    unlike = difference({"a": one, "b": Facts(4, 64 * GIB), "c": one})
    assert unlike == "a, c: 8 CPU, 64 GiB; b: 4 CPU, 64 GiB"
