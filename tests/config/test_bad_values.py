"""Each mistake is told once, at its line, with what is allowed and what was probably meant."""

from __future__ import annotations

import pytest

from tests.config.files import SMALL, TYPES, problem_of, problems_of, spec_of

HEAD = "cluster_name: c\nprovider: {type: fake_multinode}\n"


def in_type(text: str) -> str:
    return SMALL.replace("cpu: {node_config: {}, resources: {CPU: 4}}", "cpu: " + text)


class TestForm:
    def test_a_problem_reads_file_line_key_message_hint(self):
        problem = problem_of(SMALL + "max_workrs: 3")
        line = SMALL.count("\n") + 1
        assert (problem.source, problem.line, problem.column) == ("test.yaml", line, 1)
        assert str(problem).startswith(
            f"test.yaml:{line}: max_workrs: unknown key (did you mean max_workers? allowed: "
        )

    def test_all_problems_are_told_at_once_in_the_order_of_the_file(self):
        problems = problems_of("""
            cluster_name: ../up
            max_workers: true
            provider: {type: awz}
            head_node_type: hed
            available_node_types:
              head: {node_config: {}, resources: {CPU: -1}, CPU: 1}
              cpu: {node_config: {}, resources: {}, min_workers: 3, max_workers: 2}
            metadata: {raytui: {budget: 1}}
            """)
        assert [(p.line, p.key_path) for p in problems] == [
            (2, "cluster_name"),
            (3, "max_workers"),
            (4, "provider.type"),
            (5, "head_node_type"),
            (7, "available_node_types.head.resources.CPU"),
            (7, "available_node_types.head.CPU"),
            (8, "available_node_types.cpu.min_workers"),
            (9, "metadata.raytui.budget"),
        ]

    def test_text_of_the_file_cannot_reach_the_terminal_raw(self):
        text = SMALL + '"\\e[31m\\nx": "\\e[2J"\nno_restart: "\\e[2J"'
        assert all("\x1b" not in str(p) and "\n" not in str(p) for p in problems_of(text))

    def test_a_long_list_is_cut(self):
        problems = problems_of(SMALL + "".join(f"k{i}: 1\n" for i in range(500)))
        assert len(problems) == 50

    def test_one_mistake_is_not_told_twice(self):
        problem = problem_of(SMALL.replace("{CPU: 4}", "{CPU: 4}, min_workers: 2, max_workers: x"))
        assert problem.key_path == "available_node_types.cpu.max_workers"


WRONG = [
    ("max_workers: true", "max_workers", 'a yes/no value, "true"'),
    ("max_workers: -1", "max_workers", "0 or more, got -1"),
    ("max_workers: 2.0", "max_workers", "expected a whole number"),
    ("max_workers: '4'", "max_workers", "write 4 without quotes"),
    ("max_workers:", "max_workers", "got nothing (null)"),
    ("max_workers: 9999999999", "max_workers", "at most 2,147,483,647"),
    ("max_workers: [1]", "max_workers", "got a list"),
    ("upscaling_speed: -0.1", "upscaling_speed", "from 0 to 1,000"),
    ("upscaling_speed: .nan", "upscaling_speed", "got .nan"),
    ("upscaling_speed: .inf", "upscaling_speed", "got .inf"),
    ("upscaling_speed: 1e3", "upscaling_speed", "write 1000 without quotes"),
    ("upscaling_speed: yes", "upscaling_speed", 'a yes/no value, "yes"'),
    ("idle_timeout_minutes: fast", "idle_timeout_minutes", 'got text, "fast"'),
    ("docker: {imag: x}", "docker.imag", "did you mean image?"),
    ("docker: {image: x}", "docker.container_name", "is required with an image"),
    ("docker: {container_name: x}", "docker.image", "is required with a container_name"),
    (
        "docker: {container_name: x, head_image: y}",
        "docker.image",
        "both head_image and worker_image",
    ),
    ("auth: {ssh_proxy_use_node_id: true}", "auth.ssh_proxy_use_node_id", "ssh_proxy_command"),
    ("auth: {ssh_user: 5}", "auth.ssh_user", 'quote it: "5"'),
    ("setup_commands: pip install", "setup_commands", "on its own line"),
    ("setup_commands: [echo, {a: b}]", "setup_commands[1]", "got a mapping"),
    ("setup_commands: [2030-01-01]", "setup_commands[0]", "a date"),
    ("no_restart: 'true'", "no_restart", "write true without quotes"),
    ("file_mounts: {/a: [b]}", "file_mounts./a", "expected a local path as text"),
    ("metadata: x", "metadata", "expected a mapping"),
    ("metadata: {raytui: }", "metadata.raytui", "expected a mapping"),
    ("metadata: {raytui: {node_typ: {}}}", "metadata.raytui.node_typ", "did you mean node_types?"),
    ("head_node: {InstanceType: x}", "head_node", "use head_node_type"),
    ("target_utilization_fraction: 0.8", "target_utilization_fraction", "unknown key"),
    ("max_workers: 1\nmax_workers: 2", "max_workers", "is there twice"),
    ("docker: {image: '', image: ''}", "docker.image", "is there twice"),
    ("docker: {[a]: b}", "docker.", "unknown key"),
    ("docker: !Ref x", "docker", 'has the tag "!Ref"'),
    ("no_restart: !!bool maybe", "no_restart", "is not a yes/no value"),
    ("metadata: {x: 2030-13-45}", "metadata.x", "is not a date"),
    ("metadata: {x: =}", "metadata.x", 'quote it: "="'),
    ("metadata: {x: <<}", "metadata.x", "<< is a key, not a value"),
    ("<<: 3", "<<", "takes a mapping"),
]


@pytest.mark.parametrize(("text", "path", "said"), WRONG, ids=[w[0] for w in WRONG])
def test_a_wrong_value_is_explained(text, path, said):
    problems = problems_of(SMALL + text)
    assert path in {p.key_path for p in problems}
    assert any(said in str(p) for p in problems), "\n".join(map(str, problems))


WRONG_TYPE = [
    ("{resources: {}}", "node_config", "is required"),
    ("{node_config: {}}", "resources", "is required"),
    ("{node_config: {}, resources: {CPU: 0.5}}", "resources.CPU", "a whole number"),
    ("{node_config: {}, resources: {CPU: true}}", "resources.CPU", "a yes/no value"),
    ("{node_config: {}, resources: {'node:1': 1}}", "resources.node:1", "Ray itself"),
    ("{node_config: {}, resources: {CPU_group_a: 1}}", "resources.CPU_group_a", "placement"),
    ("{node_config: {}, resources: {7: 1}}", "resources.7", "a name must be text"),
    ("{node_config: {}, resources: {'': 1}}", "resources.", "needs a name"),
    ("{node_config: {}, resources: {a: 100000000000001}}", "resources.a", "at most 100,000,0"),
    ("{node_config: {}, resources: {}, labels: {a: 1}}", "labels.a", 'quote it: "1"'),
    ("{node_config: {}, resources: {}, labels: {a: 'b c'}}", "labels.a", "a label"),
    ("{node_config: {}, resources: {}, labels: {-a: b}}", "labels.-a", "begin and end"),
    ("{node_config: {}, resources: {}, labels: {_.x/a: b}}", "labels._.x/a", "DNS name"),
    ("{node_config: {}, resources: {}, idle_timeout_s: null}", "idle_timeout_s", "nothing (null)"),
    ("{node_config: {}, resources: {}, min_workers: -1}", "min_workers", "0 or more"),
    ("{node_config: {}, resources: {}, min_worker: 1}", "min_worker", "did you mean min_workers?"),
    ("{node_config: {}, resources: {}, setup_commands: []}", "setup_commands", "worker_setup_"),
    ("{node_config: {}, resources: {}, docker: {worker_image: x}}", "docker", "cluster's docker"),
    ("{node_config: [], resources: {}}", "node_config", "expected a mapping"),
    ("4", "", "expected a mapping"),
]


@pytest.mark.parametrize(("text", "path", "said"), WRONG_TYPE, ids=[w[0] for w in WRONG_TYPE])
def test_a_wrong_node_type_is_explained(text, path, said):
    problem = problem_of(in_type(text))
    assert problem.key_path == "available_node_types.cpu" + ("." + path if path else "")
    assert said in str(problem)


@pytest.mark.parametrize(
    "name", ["", ".hidden", "a/b", "..", "a b", "-x", "ü", "x" * 101, "a\\nb", "laptop\\n"]
)
def test_a_cluster_name_must_do_as_a_directory(name):
    problem = problem_of(SMALL.replace("small", f'"{name}"'))
    assert problem.key_path == "cluster_name"
    assert "it names a directory" in problem.message


@pytest.mark.parametrize("name", ["a", "Prod_west-2.old", "9", "x" * 100])
def test_good_cluster_names_are_taken(name):
    assert spec_of(SMALL.replace("small", f'"{name}"')).cluster_name == name


class TestLimits:
    def test_a_floor_above_its_limit(self):
        problem = problem_of(SMALL.replace("{CPU: 4}", "{CPU: 4}, min_workers: 3, max_workers: 2"))
        assert "is 3, more than the type's max_workers of 2" in str(problem)

    def test_floors_that_together_exceed_the_clusters_limit(self):
        problem = problem_of(SMALL.replace("{CPU: 4}", "{CPU: 4}, min_workers: 9"))
        assert problem.key_path == "max_workers"
        assert "is 8, less than the min_workers of all types together (9)" in str(problem)

    def test_a_floor_for_the_heads_type_needs_a_limit(self):
        problem = problem_of(SMALL.replace("{CPU: 0}", "{CPU: 0}, min_workers: 1"))
        assert problem.key_path == "available_node_types.head.min_workers"


class TestTypes:
    def test_unknown_head(self):
        problem = problem_of(SMALL.replace("head_node_type: head", "head_node_type: haed"))
        assert '"haed" is not a node type (did you mean head? allowed: head, cpu)' in str(problem)

    def test_missing_head(self):
        problem = problem_of(SMALL.replace("head_node_type: head", ""))
        assert str(problem).startswith("test.yaml:1: head_node_type: is required")

    @pytest.mark.parametrize(
        ("provider", "types"),
        [
            ("fake_multinode", ""),
            ("fake_multinode", "available_node_types: {}"),
            ("aws", "available_node_types: {}"),
        ],
    )
    def test_no_types(self, types, provider):
        problem = problem_of(f"cluster_name: c\nprovider: {{type: {provider}}}\n{types}")
        assert problem.key_path == "available_node_types"
        assert "is required" in problem.message

    def test_types_that_are_not_a_mapping_are_not_called_missing_too(self):
        problem = problem_of(HEAD + "head_node_type: a\navailable_node_types: [a]")
        assert "expected a mapping of name to node type, got a list" in str(problem)

    def test_names_must_be_text(self):
        (problem,) = problems_of(
            HEAD + "head_node_type: a\navailable_node_types:\n"
            "  a: {node_config: {}, resources: {}}\n  1: {node_config: {}, resources: {}}"
        )
        assert 'to mean the text, quote it: "1"' in str(problem)

    def test_prices_of_a_type_that_is_not_there(self):
        problem = problem_of(SMALL + "metadata: {raytui: {node_types: {cpuu: {}}}}")
        assert problem.key_path == "metadata.raytui.node_types.cpuu"
        assert "did you mean cpu?" in problem.hint

    @pytest.mark.parametrize(
        ("priced", "path", "said"),
        [
            ("{price_per_hour: -1}", "price_per_hour", "US dollars"),
            ("{price: 1}", "price", "did you mean price_per_hour?"),
            ("{offerings: [{market: spott}]}", "offerings[0].market", "did you mean spot?"),
            ("{offerings: {}}", "offerings", "a list of offerings"),
        ],
    )
    def test_wrong_prices(self, priced, path, said):
        problem = problem_of(SMALL + f"metadata: {{raytui: {{node_types: {{cpu: {priced}}}}}}}")
        assert problem.key_path == f"metadata.raytui.node_types.cpu.{path}"
        assert said in str(problem)


class TestProviders:
    def test_the_required_keys_of_a_file(self):
        assert [p.key_path for p in problems_of("max_workers: 1")] == ["cluster_name", "provider"]

    def test_unknown_provider(self):
        problem = problem_of(SMALL.replace("fake_multinode", "fake-multinode"))
        assert "did you mean fake_multinode?" in problem.hint

    def test_on_premise_needs_addresses(self):
        problems = problems_of("cluster_name: c\nprovider: {type: local}")
        assert [p.key_path for p in problems] == ["provider.head_ip", "provider.worker_ips"]

    def test_on_premise_has_no_types(self):
        text = "cluster_name: c\nprovider: {type: local, head_ip: a, worker_ips: [b]}" + TYPES
        assert "local.cluster.node" in problem_of(text).hint

    def test_a_coordinator_needs_a_limit(self):
        problem = problem_of('cluster_name: c\nprovider: {type: local, coordinator_address: "a:1"}')
        assert problem.key_path == "max_workers"

    def test_on_premise_floor_above_its_limit_is_refused_as_by_ray(self):
        problem = problem_of(
            "cluster_name: c\nmax_workers: 1\n"
            "provider: {type: local, head_ip: a, worker_ips: [b, c]}"
        )
        assert problem.key_path == "max_workers"

    def test_external_needs_its_class_and_a_limit(self):
        problems = problems_of("cluster_name: c\nprovider: {type: external}" + TYPES)
        assert {p.key_path for p in problems} == {"provider.module", "max_workers"}
