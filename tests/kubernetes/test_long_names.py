"""Names that labels of pods cannot carry: nothing is made of them, since it would not be found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raytui.backends.kubernetes.manifest import spec_of
from raytui.config.problems import ConfigErrors
from tests.kubernetes.clusters import World, group, manifest
from tests.kubernetes.operating import operator
from tests.kubernetes.waiting import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

Json = dict[str, Any]


def _called(name: str, group_name: str = "cpu") -> Json:
    body = manifest(group(group_name, replicas=1))
    body["metadata"]["name"] = name
    return body


def _problem(body: Json) -> str:
    with pytest.raises(ConfigErrors) as raised:
        spec_of(body)
    return str(raised.value)


def test_longest_names_are_taken() -> None:
    assert spec_of(_called("a" * 53, "b" * 63)).cluster_name == "a" * 53


def test_longer_names_are_refused() -> None:
    assert "metadata.name: has 54 characters" in _problem(_called("a" * 54))
    assert "workerGroupSpecs[0].groupName: has 64 characters" in _problem(_called("a", "b" * 64))


def test_operator_says_so_and_makes_nothing(world: World, kubeconfig: Path, tmp_path: Path) -> None:
    before = [
        world.admin.create(world.path, _called("a" * 64)),
        world.admin.create(world.path, _called("b", "b" * 64)),
    ]

    def told() -> list[str]:
        found = world.admin.items(f"/api/v1/namespaces/{world.namespace}/events")
        return sorted(one["message"] for one in found if one["reason"] == "InvalidSpec")

    with operator(kubeconfig, tmp_path):
        until(lambda: len(told()) == 2, "it says so of both")

        assert "metadata.name" in told()[0]
        assert "groupName" in told()[1]
        for kind in ("pods", "services"):
            assert not world.admin.items(f"/api/v1/namespaces/{world.namespace}/{kind}")
        after = world.admin.items(world.path)
        assert [one["metadata"].get("finalizers") for one in after] == [None] * len(before)
