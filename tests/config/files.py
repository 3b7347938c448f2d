"""Small cluster files for the tests, and a way to read what is wrong with one."""

from __future__ import annotations

import textwrap

import pytest

from raytui.config.cluster import parse_cluster
from raytui.config.problems import ConfigErrors, Problem
from raytui.model.spec import ClusterSpec

TYPES = """
head_node_type: head
available_node_types:
  head: {node_config: {}, resources: {CPU: 0}}
  cpu: {node_config: {}, resources: {CPU: 4}}
"""

SMALL = "cluster_name: small\nprovider: {type: fake_multinode}\n" + TYPES


def spec_of(text: str) -> ClusterSpec:
    return parse_cluster(textwrap.dedent(text), "test.yaml")


def problems_of(text: str | bytes) -> tuple[Problem, ...]:
    written = textwrap.dedent(text) if isinstance(text, str) else text
    with pytest.raises(ConfigErrors) as caught:
        parse_cluster(written, "test.yaml")
    return caught.value.problems


def problem_of(text: str | bytes) -> Problem:
    """The only problem of a file."""
    problems = problems_of(text)
    assert len(problems) == 1, "\n".join(map(str, problems))
    return problems[0]
