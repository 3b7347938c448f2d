"""The commands that start Ray: the head's without Ray's autoscaler, and what all are told."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytui.config.cluster import parse_cluster
from raytui.provisioning.ray_start import (
    head_environment,
    head_start,
    overrides,
    worker_environment,
)

CONFIG = "--autoscaling-config=~/ray_bootstrap_config.yaml"


@pytest.mark.parametrize(
    ("written", "started"),
    [
        (f"ray start --head {CONFIG}", "ray start --head --no-monitor"),
        (
            f"ulimit -n 65536; ray start --head --port=6379 {CONFIG} --dashboard-host=0.0.0.0",
            "ulimit -n 65536; ray start --head --port=6379 --no-monitor --dashboard-host=0.0.0.0",
        ),
        ("ray start --head", "ray start --head --no-monitor"),
        ("ray start --head --no-monitor", "ray start --head --no-monitor"),
        (f"ray start --head --no-monitor {CONFIG}", "ray start --head --no-monitor"),
        (
            "ray start --autoscaling-config ~/x.yaml --head && echo ok",
            "ray start --no-monitor --head && echo ok",
        ),
        (
            f'RAY_X="a; b" /opt/bin/ray start {CONFIG} --head --labels="a=b c"',
            'RAY_X="a; b" /opt/bin/ray start --no-monitor --head --labels="a=b c"',
        ),
        (
            "ray start \\\n  --head \\\n  --autoscaling-config='~/my file.yaml'\n",
            "ray start \\\n  --head \\\n  --no-monitor\n",
        ),
        (f"(ray start --head {CONFIG})|tee log", "(ray start --head --no-monitor)|tee log"),
        ("ray stop", "ray stop"),
        (f"echo 'ray start --head {CONFIG}'", f"echo 'ray start --head {CONFIG}'"),
        (f"ray start --address=$RAY_HEAD_IP:6379 {CONFIG}",) * 2,
        (f"mytool --head start {CONFIG}",) * 2,
    ],
)
def test_the_head_starts_without_rays_autoscaler(written: str, started: str):
    assert head_start([written]).commands == (started,)


def test_taking_the_users_option_away_is_told():
    first, *others = head_start(["ray stop", f"ray start --head {CONFIG}"]).notices
    assert "--ray-autoscaler" in first
    assert not others
    assert head_start(["ray start --head"]).notices == ()


def test_a_head_that_a_script_starts_is_told():
    (notice,) = head_start(["./start-ray.sh"]).notices
    assert "ray start --head" in notice


@given(st.text())
def test_a_command_of_any_form_stays_when_it_starts_no_head(text: str):
    if "ray" not in text:
        assert head_start([text]).commands == (text,)


@given(st.lists(st.text(min_size=1), max_size=4), st.lists(st.text(min_size=1), max_size=4))
def test_other_words_stay_as_they_are(before: list[str], after: list[str]):
    if any("ray" in word or "--" in word for word in before + after):
        return
    command = shlex.join([*before, "ray", "start", "--head", CONFIG, *after])
    (changed,) = head_start([command]).commands
    assert shlex.split(changed) == [*before, "ray", "start", "--head", "--no-monitor", *after]


FILE = """
cluster_name: c
provider: {{type: {provider}}}
auth: {{ssh_user: u}}
head_node_type: head
available_node_types:
  head: {{node_config: {{}}, resources: {{CPU: 2}}}}
  gpu:
    node_config: {{}}
    resources: {{CPU: 8, GPU: 1, memory: 1000}}
    labels: {{zone: a}}
    max_workers: 2
"""


def test_workers_know_their_head_and_who_they_are():
    assert worker_environment("10.0.0.1", "i-1", "gpu", "g5.xlarge") == {
        "RAY_HEAD_IP": "10.0.0.1",
        "RAY_CLOUD_INSTANCE_ID": "i-1",
        "RAY_NODE_TYPE_NAME": "gpu",
        "RAY_CLOUD_INSTANCE_TYPE_NAME": "g5.xlarge",
    }
    assert head_environment("i-0", "head")["RAY_NODE_TYPE_NAME"] == "head"


def test_what_a_node_type_says_it_has_overrides_the_machine():
    spec = parse_cluster(FILE.format(provider="gcp"), "c.yaml")
    assert overrides(spec, spec.node_types["gpu"]) == {
        "RAY_OVERRIDE_RESOURCES": '{"CPU":8,"GPU":1,"memory":1000}',
        "RAY_OVERRIDE_LABELS": '{"zone":"a"}',
    }
    assert set(overrides(spec, spec.head)) == {"RAY_OVERRIDE_RESOURCES"}


def test_a_head_that_is_to_run_no_tasks_is_told_so():
    text = FILE.format(provider="gcp").replace("{CPU: 2}", "{CPU: 0, head: 1}")
    spec = parse_cluster(text, "c.yaml")
    assert overrides(spec, spec.head) == {"RAY_OVERRIDE_RESOURCES": '{"CPU":0,"head":1}'}


def test_machines_on_premise_have_what_they_have():
    text = "{cluster_name: c, provider: {type: local, head_ip: h, worker_ips: [w]}}"
    spec = parse_cluster(text, "c.yaml")
    assert overrides(spec, spec.head) == {}
