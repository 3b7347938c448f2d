"""What a good file means: Ray's defaults and merge rules."""

from __future__ import annotations

import pytest

from raytui.config.cluster import parse_cluster
from raytui.model.resources import Resources
from raytui.model.spec import Market, Offering
from tests.config.files import SMALL, TYPES, spec_of

CLOUD = "cluster_name: c\nprovider: {type: aws, region: us-west-2}\n"


class TestLimits:
    def test_a_workers_limit_is_the_clusters_and_the_heads_type_has_none(self):
        spec = spec_of(SMALL + "max_workers: 7")
        assert (spec.node_types["cpu"].max_workers, spec.node_types["head"].max_workers) == (7, 0)
        assert spec.node_types["cpu"].min_workers == 0

    @pytest.mark.parametrize(
        ("provider", "max_workers", "idle_s"),
        [
            ("aws", 2, 300),
            ("gcp", 2, 300),
            ("azure", 2, 300),
            ("vsphere", 5, 300),
            ("spark", 8, 60),
            ("fake_multinode", 8, 6),
        ],
    )
    def test_defaults_are_the_providers(self, provider, max_workers, idle_s):
        spec = spec_of(f"cluster_name: c\nprovider: {{type: {provider}}}\n{TYPES}")
        assert (spec.max_workers, spec.idle_timeout_s, spec.upscaling_speed) == (
            max_workers,
            idle_s,
            1.0,
        )

    def test_minutes_may_be_fractions_and_a_types_own_seconds_win(self):
        spec = spec_of("""
            cluster_name: c
            provider: {type: fake_multinode}
            idle_timeout_minutes: 0.5
            head_node_type: head
            available_node_types:
              head: {node_config: {}, resources: {}}
              slow: {node_config: {}, resources: {CPU: 1}, idle_timeout_s: 90}
              plain: {node_config: {}, resources: {CPU: 1}}
            """)
        assert (spec.idle_timeout("slow"), spec.idle_timeout("plain")) == (90, 30)

    def test_node_types_keep_the_order_of_the_file(self):
        names = ["zebra", "ant", "mole"]
        types = "".join(f"  {n}: {{node_config: {{}}, resources: {{}}}}\n" for n in names)
        spec = spec_of(
            "cluster_name: c\nprovider: {type: fake_multinode}\nhead_node_type: ant\n"
            "available_node_types:\n" + types
        )
        assert list(spec.node_types) == names

    def test_the_head_is_rays_default_type_when_the_file_does_not_say(self):
        spec = spec_of(
            CLOUD + "available_node_types: {ray.head.default: {node_config: {}}, "
            "w: {node_config: {}}}"
        )
        assert spec.head_node_type == "ray.head.default"


class TestNodeType:
    def test_resources_are_held_in_rays_fixed_point(self):
        spec = spec_of(SMALL.replace("CPU: 4", "CPU: 4, memory: 8589934592, GPU: 0"))
        assert spec.node_types["cpu"].resources == Resources.of(CPU=4, memory=8 * 2**30)

    def test_the_largest_amount_that_ray_takes_is_exact(self):
        spec = spec_of(SMALL.replace("CPU: 4", "memory: 100000000000000"))
        assert spec.node_types["cpu"].resources.units("memory") == 10**18

    def test_labels_priority_and_node_config_are_taken_as_written(self):
        spec = spec_of(
            SMALL.replace(
                "resources: {CPU: 4}",
                "resources: {}, labels: {ray.io/zone: a, tier: ''}, priority: -3",
            ).replace("cpu: {node_config: {}", "cpu: {node_config: {A: [1, {b: null}]}")
        )
        cpu = spec.node_types["cpu"]
        assert cpu.labels == {"ray.io/zone": "a", "tier": ""}
        assert cpu.priority == -3
        assert cpu.node_config == {"A": [1, {"b": None}]}

    def test_what_json_has_no_word_for_is_kept_as_written(self):
        spec = spec_of(
            SMALL.replace(
                "cpu: {node_config: {}",
                "cpu: {node_config: {until: 2030-01-01, n: .inf, i: 99999999999999999999, 7: x}",
            )
        )
        assert spec.node_types["cpu"].node_config == {
            "until": "2030-01-01",
            "n": ".inf",
            "i": "99999999999999999999",
            "7": "x",
        }


class TestCommands:
    FILE = """
cluster_name: c
provider: {type: aws}
initialization_commands: [init]
setup_commands: [common]
head_setup_commands: [for head]
worker_setup_commands: [for workers]
head_node_type: head
available_node_types:
  head: {node_config: {}, initialization_commands: [own init]}
  plain: {node_config: {}}
  own: {node_config: {}, worker_setup_commands: [own], initialization_commands: [own init]}
  none: {node_config: {}, worker_setup_commands: []}
"""

    def test_workers_of_the_heads_type_have_workers_commands(self):
        on_premise = """
            cluster_name: c
            provider: {type: local, head_ip: h, worker_ips: [w]}
            head_setup_commands: [for head]
            worker_setup_commands: [for workers]
            docker: {image: i, head_image: for head, container_name: ray}
            """
        spec = spec_of(on_premise)
        assert spec.head.setup_commands == ("for head",)
        assert spec.head.docker.image == "for head"
        (kind,) = spec.worker_types
        assert kind.setup_commands == ("for workers",)
        assert kind.docker.image == "i"

    def test_head_and_workers_add_to_the_common_ones(self):
        types = spec_of(self.FILE).node_types
        assert types["head"].setup_commands == ("common", "for head")
        assert types["plain"].setup_commands == ("common", "for workers")

    def test_a_types_own_replace_all_of_the_clusters_even_when_empty(self):
        types = spec_of(self.FILE).node_types
        assert types["own"].setup_commands == ("own",)
        assert types["none"].setup_commands == ()

    def test_a_types_initialization_replaces_the_clusters_but_not_on_the_head(self):
        types = spec_of(self.FILE).node_types
        assert types["own"].initialization_commands == ("own init",)
        assert types["plain"].initialization_commands == ("init",)
        assert types["head"].initialization_commands == ("init",)

    def test_start_commands_are_rays_unless_given(self):
        spec = spec_of(self.FILE + "worker_start_ray_commands: [mine]")
        assert "ray start --head --port=6379" in spec.head_start_ray_commands[-1]
        assert spec.worker_start_ray_commands == ("mine",)


class TestDocker:
    FILE = (
        CLOUD
        + """
docker:
  image: all
  container_name: ray
  run_options: [-a]
  head_image: for-head
  head_run_options: [-h]
  worker_run_options: [-w]
  use_podman: true
head_node_type: head
available_node_types:
  head: {node_config: {}}
  plain: {node_config: {}}
  gpu:
    node_config: {}
    docker: {worker_image: gpu-image, worker_run_options: [-g], pull_before_run: false}
"""
    )

    def test_each_type_gets_its_image_and_options(self):
        types = spec_of(self.FILE).node_types
        images = {name: (t.docker.image, t.docker.run_options) for name, t in types.items()}
        assert images == {
            "head": ("for-head", ("-a", "-h")),
            "plain": ("all", ("-a", "-w")),
            "gpu": ("gpu-image", ("-a", "-g")),
        }

    def test_other_settings_are_inherited_or_overridden(self):
        types = spec_of(self.FILE).node_types
        assert [types[n].docker.pull_before_run for n in ("plain", "gpu")] == [True, False]
        assert all(t.docker.use_podman for t in types.values())

    def test_no_image_and_no_name_mean_no_container(self):
        spec = spec_of(SMALL + "docker: {image: '', pull_before_run: false}")
        assert spec.docker is None
        assert spec.node_types["cpu"].docker is None


class TestProviderAndAuth:
    def test_provider_keeps_every_key_as_written(self):
        spec = spec_of(
            SMALL.replace("type: fake_multinode", "type: aws, region: eu-west-1, mine: [1]")
        )
        assert spec.provider.type == "aws"
        assert spec.provider.options == {"type": "aws", "region": "eu-west-1", "mine": [1]}

    def test_auth_gets_the_providers_user_only_when_left_out_altogether(self):
        assert spec_of(CLOUD + TYPES).auth.ssh_user == "ubuntu"
        assert spec_of(CLOUD + TYPES + "auth: {ssh_private_key: k}").auth.ssh_user == ""


class TestOnPremise:
    FILE = """
cluster_name: c
provider: {type: local, head_ip: 10.0.0.1, worker_ips: [10.0.0.2, 10.0.0.3]}
"""

    def test_all_machines_are_of_one_type_and_kept(self):
        spec = spec_of(self.FILE)
        (only,) = spec.node_types.values()
        assert (spec.head_node_type, only.name) == ("local.cluster.node", "local.cluster.node")
        assert (only.min_workers, only.max_workers, spec.max_workers) == (2, 2, 2)
        assert only in spec.worker_types

    def test_min_workers_at_the_top_lets_the_rest_go(self):
        only = spec_of(self.FILE + "min_workers: 0").head
        assert (only.min_workers, only.max_workers) == (0, 2)

    def test_limits_above_the_number_of_machines_are_lowered_to_it(self):
        spec = spec_of(self.FILE + "min_workers: 5\nmax_workers: 9")
        assert (spec.head.min_workers, spec.head.max_workers, spec.max_workers) == (2, 2, 2)

    def test_a_coordinator_needs_a_limit_and_no_addresses(self):
        spec = spec_of("""
            cluster_name: c
            provider: {type: local, coordinator_address: "10.0.0.9:80"}
            max_workers: 4
            """)
        assert (spec.head.min_workers, spec.head.max_workers) == (0, 4)


class TestMetadata:
    def test_price_and_offerings_become_the_types_offerings(self):
        spec = spec_of(
            SMALL
            + """
metadata:
  owner: me
  raytui:
    node_types:
      head: {price_per_hour: 0}
      cpu:
        price_per_hour: 2
        offerings:
          - {instance_type: m, zone: a, market: spot, price_per_hour: 0.5}
          - {zone: b}
"""
        )
        assert spec.node_types["head"].price_per_hour == 0
        assert spec.node_types["cpu"].offerings == (
            Offering("m", "a", Market.SPOT, 0.5),
            Offering("", "b", Market.ON_DEMAND, 2.0),
        )
        assert spec.metadata["owner"] == "me"

    def test_without_them_the_offering_is_what_node_config_says(self):
        spec = spec_of(
            CLOUD
            + """
head_node_type: head
available_node_types:
  head: {node_config: {InstanceType: m5.large}}
  cpu: {node_config: {InstanceType: m5.xlarge, InstanceMarketOptions: {MarketType: spot}}}
"""
        )
        assert [t.offerings for t in spec.node_types.values()] == [
            (Offering("m5.large"),),
            (Offering("m5.xlarge", market=Market.SPOT),),
        ]

    def test_the_rest_of_metadata_is_the_users_own(self):
        spec = spec_of(SMALL + "metadata: {raytuy: 1, when: 2030-01-01, 3: [.nan]}")
        assert spec.metadata == {"raytuy": 1, "when": "2030-01-01", "3": [".nan"]}


class TestYaml:
    def test_merge_keys_and_aliases_work_and_own_keys_win(self):
        spec = spec_of("""
            cluster_name: c
            provider: {type: fake_multinode}
            metadata:
              base: &base {node_config: {}, resources: {CPU: 4}, max_workers: 3}
            head_node_type: head
            available_node_types:
              head: {node_config: {}, resources: {}}
              a: {<<: *base, max_workers: 1}
              b: {<<: [*base, {priority: 9, max_workers: 2}]}
            """)
        a, b = spec.node_types["a"], spec.node_types["b"]
        assert (a.max_workers, b.max_workers, b.priority) == (1, 3, 9)
        assert a.resources == b.resources == Resources.of(CPU=4)

    def test_yaml_is_read_as_ray_reads_it(self):
        spec = spec_of(SMALL + "max_workers: 010\nno_restart: yes\nupscaling_speed: 1_0.5")
        assert (spec.max_workers, spec.no_restart, spec.upscaling_speed) == (8, True, 10.5)

    def test_keys_of_old_may_be_there_when_empty(self):
        spec = spec_of(SMALL + "head_node: {}\nworker_nodes:\nmin_workers: 1")
        assert spec.node_types["cpu"].min_workers == 0

    def test_a_byte_order_mark_of_utf8_is_skipped(self):
        spec = parse_cluster(b"\xef\xbb\xbf" + SMALL.encode(), "bom.yaml")
        assert (spec.cluster_name, spec.source) == ("small", "bom.yaml")


def test_the_expander_is_a_chain_of_policies():
    chain = "metadata: {raytui: {expander: [priority, least-waste]}}\n"
    assert spec_of(SMALL + chain).expander == ("priority", "least-waste")
    assert spec_of(SMALL).expander == ("price",)


def test_a_budget_for_the_fleet():
    budget = "metadata: {raytui: {budget: {max_per_hour: 12.5}}}\n"
    assert spec_of(SMALL + budget).budget_per_hour == 12.5
    assert spec_of(SMALL).budget_per_hour is None
