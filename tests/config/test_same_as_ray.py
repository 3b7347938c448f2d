"""Ray's own code is the judge: what we accept, it accepts, and both mean the same by it."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path

import pytest
import yaml

from raytui.config import schema
from raytui.config.cluster import load_cluster, parse_cluster
from raytui.config.kinds import Table
from raytui.model.resources import Resources

EXAMPLES = sorted(Path(__file__).parents[2].joinpath("examples").glob("*.yaml"))
RAY = importlib.util.find_spec("ray")

EVERYTHING = """
cluster_name: all
provider: {type: aws, region: us-west-2}
max_workers: 9
upscaling_speed: 2.5
idle_timeout_minutes: 0.25
auth: {ssh_user: me}
docker:
  image: all
  container_name: ray
  run_options: [-a]
  head_image: h
  worker_image: w
  worker_run_options: [-w]
initialization_commands: [init]
setup_commands: [one]
head_setup_commands: [two]
worker_setup_commands: [three]
file_mounts: {/a: /nowhere}
cluster_synced_files: [/b]
rsync_exclude: ['*.o']
rsync_filter: [.gitignore]
head_node_type: head
head_node: {}
metadata: {mine: 2030-01-01, raytui: {node_types: {plain: {price_per_hour: 1}}}}
available_node_types:
  head: {node_config: {}, resources: {CPU: 0}}
  plain: {node_config: {InstanceType: m5.large}, resources: {CPU: 4}, min_workers: 2}
  own:
    node_config: {}
    resources: {CPU: 8, GPU: 1, memory: 1000000000000}
    max_workers: 3
    idle_timeout_s: 7.5
    priority: 4
    labels: {a: b}
    initialization_commands: []
    worker_setup_commands: [mine]
    docker: {worker_image: special, worker_run_options: [-x], pull_before_run: false}
"""


MINIMAL = "cluster_name: minimal\nprovider: {type: aws, region: us-west-2}\n"


@pytest.fixture(scope="module")
def ray_schema():
    pytest.importorskip("jsonschema")
    assert RAY is not None, "this test needs the Ray that raytui is installed with"
    (package,) = RAY.submodule_search_locations
    return json.loads(Path(package, "autoscaler/ray-schema.json").read_text())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_every_example_is_good_for_us_and_for_rays_schema(path, ray_schema):
    import jsonschema

    assert load_cluster(path).cluster_name
    written = yaml.safe_load(path.read_text())
    if written["provider"]["type"] == "local":
        del written["min_workers"]  # Ray moves it to the type before it looks at its schema
    jsonschema.validate(written, ray_schema)


def test_we_know_exactly_the_keys_of_rays_schema(ray_schema):
    def names(table: Table) -> set[str]:
        return set(table.by_name)

    top = ray_schema["properties"]
    node_type = top["available_node_types"]["patternProperties"][".*"]["properties"]
    moved_before_validation = {"min_workers", "head_node", "worker_nodes"}
    assert names(schema.CLUSTER) == set(top) | moved_before_validation
    assert names(schema.AUTH) == set(top["auth"]["properties"])
    assert names(schema.DOCKER) == set(top["docker"]["properties"])
    assert names(schema.NODE_TYPE) == set(node_type)
    assert names(schema.TYPE_DOCKER) == set(node_type["docker"]["properties"])
    assert names(schema.PROVIDER) >= set(top["provider"]["properties"])


def clusters_for_ray() -> dict[str, str]:
    """Our samples, and the default files that Ray ships, which are whole cluster files."""
    found = {"everything": EVERYTHING, "minimal": MINIMAL}
    examples = {p.name: p.read_text() for p in EXAMPLES}
    only_ours = ("fake_multinode", "pools:")  # Ray has no pools: to it all hosts are of one type
    found |= {n: text for n, text in examples.items() if not any(w in text for w in only_ours)}
    for package in RAY.submodule_search_locations if RAY else ():
        for name in ("aws", "gcp", "azure", "spark"):
            path = Path(package, "autoscaler", name, "defaults.yaml")
            if path.exists():
                found[f"ray's {name}"] = path.read_text()
    return found


CLUSTERS = clusters_for_ray()


@pytest.mark.ray
@pytest.mark.parametrize("name", CLUSTERS)
def test_ray_accepts_it_and_means_the_same(name):
    config = pytest.importorskip("ray.autoscaler.v2.instance_manager.config")
    ours = parse_cluster(CLUSTERS[name], name)
    written = yaml.safe_load(CLUSTERS[name])
    written.get("auth", {}).pop("ssh_private_key", None)  # Ray would read the key
    rays = config.AutoscalingConfig(copy.deepcopy(written), skip_content_hash=True)

    assert rays.get_head_node_type() == ours.head_node_type
    assert rays.get_max_num_worker_nodes() == ours.max_workers
    assert rays.get_upscaling_speed() == ours.upscaling_speed
    assert rays.get_idle_timeout_s() == ours.idle_timeout_s
    assert tuple(rays.get_head_start_ray_commands()) == ours.head_start_ray_commands
    assert tuple(rays.get_worker_start_ray_commands()) == ours.worker_start_ray_commands
    if "head_setup_commands" in written:
        assert tuple(rays.get_head_setup_commands()) == ours.head.setup_commands

    types = rays.get_node_type_configs()
    assert list(types) == list(ours.node_types)
    for type_name, rays_type in types.items():
        our_type = ours.node_types[type_name]
        is_head = type_name == ours.head_node_type
        assert rays_type.min_worker_nodes == our_type.min_workers
        # v2 counts the head itself as a worker of its type.
        assert rays_type.max_worker_nodes == our_type.max_workers + is_head
        assert rays_type.idle_timeout_s == our_type.idle_timeout_s
        assert rays_type.priority == our_type.priority
        assert rays_type.labels == our_type.labels
        assert Resources.of(rays_type.resources) == our_type.resources
        assert rays.get_cloud_node_config(type_name) == our_type.node_config
        if not is_head and "setup_commands" in written:
            assert tuple(rays.get_worker_setup_commands(type_name)) == our_type.setup_commands
            assert (
                tuple(rays.get_initialization_commands(type_name))
                == our_type.initialization_commands
            )
        docker = rays.get_docker_config(type_name)
        assert bool(docker.get("container_name")) == (our_type.docker is not None)
        if our_type.docker:
            assert docker["image"] == our_type.docker.image
            assert docker.get("pull_before_run", True) == our_type.docker.pull_before_run


@pytest.mark.ray
@pytest.mark.parametrize(
    "change",
    [
        {"max_workers": -1},
        {"max_workers": "4"},
        {"head_node_type": "nobody"},
        {"max_workers": 1},
        {"unknown": 1},
        {"docker": {"image": "x"}},
        {"setup_commands": [{"a": "b"}]},
        {"auth": {"ssh_proxy_use_node_id": True}},
    ],
    ids=str,
)
def test_what_ray_refuses_we_refuse(change):
    config = pytest.importorskip("ray.autoscaler.v2.instance_manager.config")
    from raytui.config.problems import ConfigErrors

    written = yaml.safe_load(EVERYTHING) | change
    with pytest.raises(ConfigErrors):
        parse_cluster(yaml.safe_dump(written), "changed.yaml")
    with pytest.raises(Exception):  # noqa: B017 - Ray has no one type for a bad file
        config.AutoscalingConfig(written, skip_content_hash=True)
