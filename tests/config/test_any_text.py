"""Whatever the bytes: a ClusterSpec or ConfigErrors, nothing else; and a spec keeps its meaning."""

from __future__ import annotations

import string
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from raytui.config.cluster import parse_cluster
from raytui.config.problems import ConfigErrors
from raytui.config.reference import TABLES
from raytui.model.codec import decode, encode
from raytui.model.spec import ClusterSpec

LAPTOP = Path(__file__).parents[2].joinpath("examples/laptop.yaml").read_text()
unhurried = settings(deadline=None)  # the machine may be busy with other things
EVERY_KEY = sorted({key.name for table in TABLES.values() for key in table.keys})
SCRAPS = [
    *("\n", "  ", "\t", ": ", "- ", "&a ", "*a", "<<: ", "{", "}", "[", "]", "? ", "| \n", "> \n"),
    *("!!int ", "!!python/name:x ", "'", '"', "#", "---\n", "...\n", "%TAG ! x\n", "~", "yes"),
    *(".nan", "-1", "0x1f", "1e400", "9" * 30, "2030-01-01", "\\ud800", "\u2028", "\ufeff"),
    *EVERY_KEY,
]


def answer(text: str | bytes) -> ClusterSpec | ConfigErrors:
    try:
        spec = parse_cluster(text, "any.yaml")
        # What we take, Ray's loader takes, up to what libyaml and PyYAML's own parser disagree on.
        assert yaml.CSafeLoader(text).get_single_data()["cluster_name"] == spec.cluster_name
        return spec
    except ConfigErrors as errors:
        assert errors.problems
        assert len(str(errors).splitlines()) == len(errors.problems) + bool(errors.left_out)
        return errors


@unhurried
@given(st.binary(max_size=300))
def test_any_bytes(data):
    answer(data)


@unhurried
@given(st.lists(st.sampled_from(SCRAPS) | st.text(max_size=4), max_size=40).map("".join))
def test_any_scraps_of_yaml(text):
    answer(text)


@unhurried
@given(
    st.integers(0, len(LAPTOP)),
    st.integers(0, 30),
    st.sampled_from(SCRAPS) | st.text(max_size=5),
)
def test_a_good_file_with_a_scar(at, cut, scrap):
    answer(LAPTOP[:at] + scrap + LAPTOP[at + cut :])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(EVERY_KEY) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=20,
)


@unhurried
@given(st.dictionaries(st.sampled_from(EVERY_KEY), values, max_size=8))
def test_known_keys_with_any_values(tree):
    answer(yaml.safe_dump(tree))


names = st.text(string.ascii_lowercase, min_size=1, max_size=5)
commands = st.lists(st.sampled_from(["true", "pip install x", "a: b", "5"]), max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | names,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=5,
)


@st.composite
def node_types(draw):
    floor = draw(st.integers(0, 3))
    required = {
        "node_config": draw(st.dictionaries(names, json_values, max_size=2)),
        "resources": draw(st.dictionaries(names, st.integers(0, 10**14), max_size=3)),
        "min_workers": floor,
        "max_workers": draw(st.integers(floor, 10)),
    }
    optional = {
        "labels": st.dictionaries(names, names, max_size=2),
        "idle_timeout_s": st.floats(0, 1e6),
        "priority": st.integers(-9, 9),
        "worker_setup_commands": commands,
        "initialization_commands": commands,
    }
    return required | draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def clusters(draw):
    types = draw(st.dictionaries(names, node_types(), min_size=1, max_size=4))
    return {
        "cluster_name": draw(names),
        "provider": {"type": "fake_multinode"},
        "max_workers": draw(st.integers(12, 50)),
        "available_node_types": types,
        "head_node_type": draw(st.sampled_from(sorted(types))),
        "setup_commands": draw(commands),
        "metadata": {
            "mine": draw(json_values),
            "raytui": {
                "node_types": {
                    name: {"price_per_hour": draw(st.floats(0, 100))} for name in sorted(types)
                }
            },
        },
    }


@unhurried
@given(clusters())
def test_a_valid_file_is_taken_and_its_spec_survives_the_wire(tree):
    spec = answer(yaml.safe_dump(tree, sort_keys=False))
    assert isinstance(spec, ClusterSpec), str(spec)
    assert decode(encode(spec), ClusterSpec) == spec
    assert list(spec.node_types) == list(tree["available_node_types"])
    for name, written in tree["available_node_types"].items():
        assert spec.node_types[name].resources.amounts() == {
            k: v for k, v in written["resources"].items() if v
        }
        assert spec.node_types[name].node_config == written["node_config"]
