"""Remembered views: each list as it was left, whoever else writes, whatever the file says."""

from __future__ import annotations

import pytest

from raytui.config.views import RememberedViews, View

BY_CPU = View(sorted_by="CPU", descending=True, filter="gpu")


def test_a_view_is_remembered_by_cluster_and_page(tmp_path):
    path = tmp_path / "state" / "views.json"
    RememberedViews(path).keep("prod", "nodes", BY_CPU)
    views = RememberedViews(path)
    assert views.of("prod", "nodes") == BY_CPU
    assert views.of("prod", "jobs") is None
    assert views.of("dev", "nodes") is None


def test_two_programs_keep_each_others_views(tmp_path):
    one, other = (RememberedViews(tmp_path / "views.json") for _ in range(2))
    one.keep("prod", "nodes", BY_CPU)
    other.keep("prod", "jobs", View(filter="x"))
    one.keep("dev", "nodes", View())
    assert other.of("prod", "nodes") == BY_CPU
    assert one.of("prod", "jobs") == View(filter="x")


def test_what_is_forgotten_is_gone_for_that_cluster_alone(tmp_path):
    views = RememberedViews(tmp_path / "views.json")
    views.keep("prod", "nodes", BY_CPU)
    views.keep("dev", "nodes", BY_CPU)
    assert views.forget("prod") == 1
    assert views.of("prod", "nodes") is None
    assert views.of("dev", "nodes") == BY_CPU
    assert views.forget("prod") == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"prod": 3}', b"\xff", b"null"])
def test_a_file_that_cannot_be_read_counts_as_none_and_is_replaced(tmp_path, content):
    path = tmp_path / "views.json"
    path.write_bytes(content)
    views = RememberedViews(path)
    assert views.of("prod", "nodes") is None
    views.keep("prod", "nodes", BY_CPU)
    assert views.of("prod", "nodes") == BY_CPU


def test_the_clusters_left_longest_ago_are_forgotten(tmp_path):
    views = RememberedViews(tmp_path / "views.json")
    for number in range(203):
        views.keep(f"c{number}", "nodes", BY_CPU)
    assert views.of("c2", "nodes") is None
    assert views.of("c3", "nodes") == BY_CPU
