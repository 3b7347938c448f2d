"""Every key of a cluster file: Ray's own (ray/autoscaler/ray-schema.json), and metadata.raytui.

Where Ray's schema leaves a value open but its code needs text, text is asked for here, so that
the user hears of it now and not from a traceback on the head node.
"""

from __future__ import annotations

from raytui.config import names
from raytui.config.kinds import (
    Anything,
    Choice,
    CountOrShare,
    Empty,
    Flag,
    Key,
    ListOf,
    MapOf,
    Nullable,
    Number,
    Table,
    Text,
    Whole,
)
from raytui.model.leaving import OrphanPolicy, RebalancePolicy
from raytui.model.spec import Expander, Market

PROVIDERS = (
    "aws",
    "gcp",
    "azure",
    "vsphere",
    "aliyun",
    "local",
    "fake_multinode",
    "fake_multinode_docker",
    "readonly",
    "kuberay",
    "spark",
    "external",
)

MOST_OF_A_RESOURCE = 100 * 10**12
"""Ray's own limit (`MAX_RESOURCE_QUANTITY` in ray/_private/ray_constants.py); memory in bytes."""

_PATHS = ListOf(Text(), "a list of paths")
_PATTERNS = ListOf(Text(), "a list of patterns")
_OPTIONS = ListOf(Text(), "a list of options", hint="put each option on its own line after '- '")
_COMMANDS = ListOf(
    Text(words='a shell command as text (quote one that contains ": ")'),
    "a list of shell commands",
    hint="put each command on its own line after '- '",
)
_OPEN = Table(others=True)
_LIMIT = Number(1, 7 * 86_400, unit="seconds")

PROVIDER = Table(
    others=True,
    keys=(
        Key("type", Choice(PROVIDERS), "Who provides the machines.", required=True),
        Key("region", Text(), "Cloud region, e.g. us-west-2."),
        Key("availability_zone", Text(), "Zones to launch in, by comma, in order of preference."),
        Key("module", Text(), "Python class of an external provider."),
        Key("head_ip", Text(), "On-premise: address of the head."),
        Key("worker_ips", ListOf(Text(), "a list of addresses"), "On-premise: the workers."),
        Key("coordinator_address", Text(), "On-premise: `host:port` of Ray's coordinator server."),
        Key("external_head_ip", Text(), "On-premise: the head's address as seen from here."),
        Key("use_internal_ips", Flag(), "Reach the machines by their private addresses.", "false"),
        Key("use_external_head_ip", Flag(), "Reach the head by its public address.", "false"),
        Key(
            "cache_stopped_nodes",
            Flag(),
            "AWS: stop on-demand machines instead of terminating them, and reuse stopped ones.",
            "true",
        ),
        Key(
            "security_group",
            Table(
                (
                    Key("GroupName", Text(), "Name of the group to create or use."),
                    Key("IpPermissions", ListOf(Anything(), "a list of rules"), "Inbound rules."),
                )
            ),
            "AWS: the security group of all nodes.",
        ),
        Key("key_pair", _OPEN, "AWS: `key_name` of the SSH key pair."),
        Key("aws_credentials", _OPEN, "AWS: keys, when not from the environment."),
        Key("cloudwatch", _OPEN, "AWS: CloudWatch agent, dashboard and alarms."),
        Key("tags", _OPEN, "Azure: tags of all resources."),
        Key("project_id", Nullable(Text()), "GCP: the project."),
        Key(
            "gcp_credentials",
            Table(
                (
                    Key(
                        "type",
                        Choice(("credentials_token", "service_account")),
                        "What `credentials` holds.",
                        required=True,
                    ),
                    Key("credentials", Text(), "A token, or a service account as JSON."),
                )
            ),
            "GCP: credentials, when not from the environment.",
        ),
        Key("location", Text(), "Azure: location."),
        Key("resource_group", Text(), "Azure: resource group."),
        Key("subscription_id", Text(), "Azure: subscription."),
        Key("subnet_id", Text(), "Azure: subnet."),
        Key("msi_identity_id", Text(), "Azure: managed identity of the nodes."),
        Key("msi_identity_principal_id", Text(), "Azure: its principal."),
        Key("namespace", Text(), "Kubernetes: namespace."),
        Key("autoscaler_service_account", _OPEN, "Kubernetes: kept for old files."),
        Key("autoscaler_role", _OPEN, "Kubernetes: kept for old files."),
        Key("autoscaler_role_binding", _OPEN, "Kubernetes: kept for old files."),
        Key("disable_node_updaters", Flag(), "Nodes set themselves up; run no commands.", "false"),
        Key("disable_launch_config_check", Flag(), "Keep nodes whose node_config changed.", "true"),
        Key("foreground_node_launch", Flag(), "Launch nodes one call at a time.", "false"),
        Key("worker_liveness_check", Flag(), "Restart Ray on workers that fall silent.", "true"),
        Key("use_node_id_as_ip", Flag(), "For providers whose nodes have no address.", "false"),
    ),
)

AUTH = Table(
    (
        Key("ssh_user", Text(), "User to log in as.", "`ubuntu` on aws, gcp, azure"),
        Key("ssh_private_key", Text(), "Path of the private key."),
        Key("ssh_public_key", Text(), "Path of the public key (Azure needs it)."),
        Key("ssh_proxy_command", Text(), "SSH's ProxyCommand, to go through a bastion."),
        Key(
            "ssh_proxy_use_node_id",
            Flag(),
            "Give the proxy command the node's id, not its address.",
            "false",
        ),
    )
)

DOCKER = Table(
    (
        Key("image", Text(), "Image of all nodes; empty runs Ray without containers."),
        Key("container_name", Text(), "Name of the container on each node."),
        Key("pull_before_run", Flag(), "Pull the image each time a node is set up.", "true"),
        Key("run_options", _OPTIONS, "Options of `docker run` on all nodes."),
        Key("head_image", Text(), "Image of the head, instead of `image`."),
        Key("head_run_options", _OPTIONS, "Added to `run_options` on the head."),
        Key("worker_image", Text(), "Image of the workers, instead of `image`."),
        Key("worker_run_options", _OPTIONS, "Added to `run_options` on workers."),
        Key(
            "disable_automatic_runtime_detection",
            Flag(),
            "Do not look for the NVIDIA runtime.",
            "false",
        ),
        Key("disable_shm_size_detection", Flag(), "Do not size /dev/shm by memory.", "false"),
        Key("use_podman", Flag(), "Run `podman` instead of `docker`.", "false"),
    )
)

TYPE_DOCKER = Table(
    (
        Key("pull_before_run", Flag(), "Instead of the cluster's.", "docker.pull_before_run"),
        Key("worker_image", Text(), "Image of this type's nodes.", "docker.worker_image"),
        Key(
            "worker_run_options",
            _OPTIONS,
            "Added to the cluster's `run_options`.",
            "docker.worker_run_options",
        ),
    )
)

NODE_TYPE = Table(
    (
        Key(
            "node_config",
            _OPEN,
            "What the provider is asked for, in its own words; `{}` on this machine. Required.",
        ),
        Key(
            "resources",
            MapOf(
                Whole(0, MOST_OF_A_RESOURCE),
                "a mapping of resource name to whole number",
                names.wrong_resource_name,
            ),
            "What a node of this type has, e.g. `{CPU: 4, GPU: 1}`; memory in bytes. "
            "Required where the cloud cannot be asked.",
        ),
        Key("min_workers", Whole(), "Workers that are kept even when idle.", "0"),
        Key(
            "max_workers",
            Whole(),
            "Most workers of this type.",
            "the cluster's max_workers; 0 for the head's type",
        ),
        Key(
            "idle_timeout_s",
            Number(unit="seconds"),
            "Idle time after which a worker is removed.",
            "idle_timeout_minutes",
        ),
        Key("priority", Whole(least=-(2**31)), "Of types that serve alike, the highest wins.", "0"),
        Key(
            "labels",
            MapOf(
                Text(names.LABEL_VALUE, f"a label: empty, or {names.LABEL_WORDS}"),
                "a mapping of label to text",
                names.wrong_label_name,
            ),
            "Labels of the Ray node, for label selectors.",
        ),
        Key(
            "initialization_commands",
            _COMMANDS,
            "Replace the cluster's on workers of this type.",
            "the cluster's",
        ),
        Key(
            "worker_setup_commands",
            _COMMANDS,
            "Replace the cluster's setup_commands and worker_setup_commands together.",
            "the cluster's",
        ),
        Key("docker", TYPE_DOCKER, "Goes over the cluster's docker section.", "the cluster's"),
    )
)

OFFERING = Table(
    (
        Key("instance_type", Text(), "The cloud's name for the machine, e.g. m5.xlarge."),
        Key("zone", Text(), "Zone it can be had in."),
        Key("market", Choice(tuple(Market)), "How it is bought.", "on-demand"),
        Key(
            "price_per_hour",
            Number(unit="US dollars"),
            "Price of one machine.",
            "the type's price_per_hour",
        ),
    )
)

PRICED_TYPE = Table(
    (
        Key("price_per_hour", Number(unit="US dollars"), "Price of one node of this type."),
        Key(
            "offerings",
            ListOf(OFFERING, "a list of offerings"),
            "The ways to buy a node of this type.",
        ),
    )
)

POWER = Table(
    (
        Key(
            "on",
            Text(words="a shell command as text"),
            "Run on the head before a host that does not answer is given; `$RAYTUI_HOST` names it.",
        ),
        Key(
            "off",
            Text(words="a shell command as text"),
            "Run on the head after a host was given back.",
        ),
    )
)

_OWN = {key.name: key for key in NODE_TYPE.keys}

POOL = Table(
    (
        Key(
            "hosts",
            ListOf(Text(names.HOST, names.HOST_WORDS), "a list of addresses"),
            "The hosts; they need not be in worker_ips.",
            required=True,
        ),
        _OWN["min_workers"],
        Key("max_workers", Whole(), "Most workers of this type.", "all hosts of the pool"),
        _OWN["idle_timeout_s"],
        Key(
            "resources",
            _OWN["resources"].kind,
            "What Ray is told of each host.",
            "what is found on them",
        ),
        _OWN["labels"],
        _OWN["priority"],
        Key("power", POWER, "Goes over the cluster's.", "the cluster's"),
    )
)

METRICS = Table(
    (
        Key(
            "host",
            Text(),
            "Address to listen on; 0.0.0.0 lets a Prometheus elsewhere in.",
            "127.0.0.1",
        ),
        Key(
            "port",
            Whole(0, 65535),
            "Port of `/metrics` and `/healthz`; 0 turns them off.",
            "44217 (or AUTOSCALER_METRIC_PORT), as Ray's autoscaler; if taken, the next free one",
        ),
    )
)

TIMEOUTS = Table(
    (
        Key(
            "request",
            _LIMIT,
            "A launch call without an answer: asked again, three times in all.",
            "120",
        ),
        Key("boot", _LIMIT, "An instance without a sign of set-up or of Ray: replaced.", "600"),
        Key("setup", _LIMIT, "Set-up commands: replaced.", "1800"),
        Key(
            "register", _LIMIT, "From the start of Ray to its node in the cluster: replaced.", "600"
        ),
        Key(
            "pending",
            _LIMIT,
            "On Kubernetes: a pod that fits on no machine: given up, tried again later.",
            "900",
        ),
        Key(
            "failing",
            _LIMIT,
            "On Kubernetes: a pod with an error that may pass: given up, tried again later.",
            "300",
        ),
        Key(
            "drain",
            _LIMIT,
            "A drain that Ray cannot be told of: given up, or ended when it was ordered.",
            "300",
        ),
        Key(
            "terminate",
            _LIMIT,
            "Still listed by the provider: said, while it is asked again.",
            "600",
        ),
    )
)

BUDGET = Table(
    (
        Key(
            "max_per_hour",
            Number(unit="US dollars"),
            "No launch takes the price of all nodes together, the head's too, above this.",
            "no limit",
        ),
    )
)

REMOVAL_OF_KIND = Table(
    (Key("max_draining", CountOrShare(), "Most workers that leave for this reason at once."),)
)

REMOVAL = Table(
    (
        Key(
            "drain_deadline",
            Number(1, 7 * 86400, "seconds"),
            "How long a busy node may work on once a person or a lowered limit makes it leave.",
            "300 when ordered, 600 above a limit",
        ),
        Key(
            "max_draining",
            CountOrShare(),
            "Most workers on their way out at once; a percentage is of all workers, rounded up. "
            "A person's order is not held up by it.",
            "no limit",
        ),
        Key("idle", REMOVAL_OF_KIND, "For idle nodes, beside the above."),
        Key("over_limit", REMOVAL_OF_KIND, "For nodes above a lowered limit, beside the above."),
        Key(
            "quiet_hours",
            ListOf(Text(names.TIME_SPAN, names.TIME_SPAN_WORDS), "a list of time spans"),
            "When no node is removed unless a person orders it.",
        ),
        Key("timezone", Text(), "Time zone of `quiet_hours`, e.g. Europe/Berlin.", "UTC"),
    )
)

RAYTUI = Table(
    (
        Key(
            "on_head",
            Flag(),
            "This file is the head's own copy; `raytui up` writes it there.",
            "false",
        ),
        Key(
            "launch_hashes",
            MapOf(Text(), "a mapping of node type to a hash"),
            "What machines were to be before `raytui up` filled the head's copy in.",
        ),
        Key(
            "node_types",
            MapOf(PRICED_TYPE, "a mapping of node type to its prices"),
            "Prices, by the names in available_node_types.",
        ),
        Key(
            "expander",
            ListOf(Choice(tuple(Expander)), "a list of policies"),
            "How node types are chosen for what waits; the first policy that tells them apart "
            "decides.",
            "[price]",
        ),
        Key("removal", REMOVAL, "How fast and when nodes leave."),
        Key(
            "orphans",
            Choice(tuple(OrphanPolicy)),
            "What becomes of instances with the cluster's tags that nobody remembers.",
            "keep",
        ),
        Key(
            "rebalance",
            Choice(tuple(RebalancePolicy)),
            "What becomes of spot instances that Amazon recommends to rebalance: they work on, or "
            "leave once there is room elsewhere for what runs on them.",
            "keep",
        ),
        Key(
            "pools",
            MapOf(POOL, "a mapping of node type to its hosts", names.wrong_type_name),
            "On-premise: node types over hosts of their own. Hosts of worker_ips that are in no "
            "pool are of Ray's one type, local.cluster.node.",
        ),
        Key("power", POWER, "On-premise: commands that switch hosts on and off."),
        Key("budget", BUDGET, "What the cluster may cost."),
        Key("timeouts", TIMEOUTS, "How long each stretch of an instance's life may take."),
        Key("metrics", METRICS, "Where Prometheus asks the daemon."),
    )
)

METADATA = Table(
    (Key("raytui", RAYTUI, "What Ray's schema has no word for."),),
    others=True,
)

CLUSTER = Table(
    (
        Key(
            "cluster_name",
            Text(names.CLUSTER_NAME, names.CLUSTER_NAME_WORDS),
            "Names the cluster and the directory of its state.",
            required=True,
        ),
        Key(
            "max_workers",
            Whole(),
            "Most workers of all types together, the head not counted.",
            "2; 5 on vsphere; 8 on spark and fake_multinode; on-premise: all",
        ),
        Key(
            "upscaling_speed",
            Number(),
            "Nodes that may start at once, as a multiple of those that run.",
            "1.0",
        ),
        Key(
            "idle_timeout_minutes",
            Number(unit="minutes"),
            "Idle time after which a worker is removed.",
            "5; 1 on spark; 0.1 on fake_multinode",
        ),
        Key("provider", PROVIDER, "Who provides the machines.", required=True),
        Key("auth", AUTH, "How to reach the machines by SSH."),
        Key("docker", DOCKER, "Run Ray in containers.", "no containers"),
        Key(
            "available_node_types",
            MapOf(
                NODE_TYPE,
                "a mapping of name to node type",
                names.wrong_type_name,
            ),
            "The kinds of nodes the cluster may have. Required, except on-premise and on aws.",
            "on aws Ray's two, m5.large: the head on demand, workers on spot",
        ),
        Key(
            "head_node_type",
            Text(),
            "The type of the head.",
            "`ray.head.default` if there is such a type (gcp: `ray_head_default`)",
        ),
        Key(
            "file_mounts",
            MapOf(Text(words="a local path as text"), "a mapping of remote path to local path"),
            "Copied from here to every node.",
        ),
        Key("cluster_synced_files", _PATHS, "Copied from the head to the workers."),
        Key(
            "file_mounts_sync_continuously",
            Flag(),
            "Copy changes again while the cluster runs.",
            "false",
        ),
        Key("rsync_exclude", _PATTERNS, "Not copied; as rsync's --exclude."),
        Key("rsync_filter", _PATTERNS, "Names of filter files to heed, e.g. .gitignore."),
        Key("initialization_commands", _COMMANDS, "Run on the host, before containers and set-up."),
        Key(
            "setup_commands",
            _COMMANDS,
            "Run on every node before Ray starts.",
            "on aws those that get Ray where there is none",
        ),
        Key("head_setup_commands", _COMMANDS, "Run on the head after setup_commands."),
        Key("worker_setup_commands", _COMMANDS, "Run on workers after setup_commands."),
        Key("head_start_ray_commands", _COMMANDS, "Start Ray on the head.", "Ray's own"),
        Key("worker_start_ray_commands", _COMMANDS, "Start Ray on a worker.", "Ray's own"),
        Key("no_restart", Flag(), "Do not restart Ray when the file changes.", "false"),
        Key("metadata", METADATA, "Yours, except for `raytui`; Ray does not look at it."),
        Key(
            "min_workers",
            Whole(),
            "On-premise: workers that are kept. Elsewhere Ray drops it, and so does raytui.",
            "on-premise: all",
        ),
        Key("head_node", Empty("use head_node_type and available_node_types"), "Of old; empty."),
        Key("worker_nodes", Empty("use available_node_types"), "Of old; empty."),
    )
)
