"""What must hold between the keys of a cluster file, each rule with what to do about it."""

from __future__ import annotations

from raytui.config.defaults import defaults_of
from raytui.config.on_premise import check_pools
from raytui.config.problems import Problems, nearest, quoted
from raytui.config.values import Values, own_section, provider_type
from raytui.model.leaving import zone_named

_TYPES = "available_node_types"


def check(values: Values, problems: Problems) -> None:
    """Note every rule that the filled-in values break."""
    _limits_are_known(values, problems)
    _types_are_there(values, problems)
    _types_say_what_they_are(values, problems)
    _head_is_a_type(values, problems)
    _floors_are_below_limits(values, problems)
    _containers_have_image_and_name(values, problems)
    _types_need_cluster_container(values, problems)
    _proxy_by_node_id_has_command(values, problems)
    _external_has_module(values, problems)
    _prices_are_for_types(values, problems)
    _quiet_hours_have_a_length(values, problems)
    _time_zone_is_known(values, problems)
    check_pools(values, problems)


def _limits_are_known(values: Values, problems: Problems) -> None:
    if "max_workers" not in values and not problems.touch(("max_workers",)):
        problems.add(
            ("max_workers",), f"is required: Ray has no default for {provider_type(values)}"
        )


def _types_are_there(values: Values, problems: Problems) -> None:
    provider = provider_type(values)
    if provider and not values[_TYPES] and not problems.touch((_TYPES,)):
        if provider == "local" and problems.touch(("provider",)):
            return
        problems.add(
            (_TYPES,),
            f"is required: provider {provider} has no node types of its own",
            "name at least the head's type, e.g. {head: {node_config: {}, resources: {CPU: 4}}}",
        )


def _types_say_what_they_are(values: Values, problems: Problems) -> None:
    defaults = defaults_of(provider_type(values))
    for name, node_type in values[_TYPES].items():
        path = (_TYPES, name)
        for key, needed in (
            ("node_config", provider_type(values) != "vsphere"),
            ("resources", not defaults.asks_cloud_for_resources),
        ):
            if needed and key not in node_type and not problems.touch((*path, key)):
                problems.add((*path, key), "is required", f"at least {key}: {{}}")


def _head_is_a_type(values: Values, problems: Problems) -> None:
    types = values[_TYPES]
    if not types or problems.touch(("head_node_type",)):
        return
    if "head_node_type" not in values:
        problems.add(
            ("head_node_type",), "is required: which type is the head?", nearest("head", types)
        )
    elif (head := values["head_node_type"]) not in types:
        problems.add(
            ("head_node_type",), f"{quoted(head)} is not a node type", nearest(head, types)
        )


def _floors_are_below_limits(values: Values, problems: Problems) -> None:
    floors = 0
    for name, node_type in values[_TYPES].items():
        floor, limit = node_type.get("min_workers", 0), node_type.get("max_workers")
        floors += floor
        if limit is not None and limit != values.get("max_workers") and floor > limit:
            problems.add(
                (_TYPES, name, "min_workers"),
                f"is {floor}, more than the type's max_workers of {limit}",
                "lower min_workers or raise max_workers",
            )
    limit = values.get("max_workers")
    if limit is not None and floors > limit:
        problems.add(
            ("max_workers",),
            f"is {limit}, less than the min_workers of all types together ({floors})",
            f"raise it to {floors} or lower min_workers",
        )


def _containers_have_image_and_name(values: Values, problems: Problems) -> None:
    """Ray's rule: a container name and an image for head and workers, or neither."""
    docker = values.get("docker", {})
    image = docker.get("image", "")
    head, worker = docker.get("head_image", image), docker.get("worker_image", image)
    has_image = bool(image or (head and worker))
    if has_image == bool(docker.get("container_name")) or problems.touch(("docker",)):
        return
    if has_image:
        problems.add(("docker", "container_name"), "is required with an image", "e.g. ray")
    else:
        problems.add(
            ("docker", "image"),
            "is required with a container_name",
            "give image, or both head_image and worker_image",
        )


def _types_need_cluster_container(values: Values, problems: Problems) -> None:
    if values.get("docker", {}).get("container_name") or problems.touch(("docker",)):
        return
    for name, node_type in values[_TYPES].items():
        if node_type.get("docker"):
            problems.add(
                (_TYPES, name, "docker"),
                "needs the cluster's docker section",
                "give docker.image and docker.container_name",
            )


def _proxy_by_node_id_has_command(values: Values, problems: Problems) -> None:
    auth = values["auth"]
    if (
        auth.get("ssh_proxy_use_node_id")
        and "ssh_proxy_command" not in auth
        and not problems.touch(("auth", "ssh_proxy_command"))
    ):
        problems.add(("auth", "ssh_proxy_use_node_id"), "needs auth.ssh_proxy_command")


def _external_has_module(values: Values, problems: Problems) -> None:
    path = ("provider", "module")
    is_external = provider_type(values) == "external"
    if is_external and "module" not in values["provider"] and not problems.touch(path):
        problems.add(
            path,
            "is required for provider external",
            "the Python class, e.g. my_package.MyProvider",
        )


def _prices_are_for_types(values: Values, problems: Problems) -> None:
    priced = own_section(values).get("node_types", {})
    for name in priced:
        if values[_TYPES] and name not in values[_TYPES]:
            problems.add(
                ("metadata", "raytui", "node_types", name),
                "is not a node type",
                nearest(name, values[_TYPES]),
            )


def _quiet_hours_have_a_length(values: Values, problems: Problems) -> None:
    for index, span in enumerate(_removal(values).get("quiet_hours", ())):
        start, _, end = span.partition("-")
        if start == end:
            problems.add(
                ("metadata", "raytui", "removal", "quiet_hours", index),
                f"{quoted(span)} has no length",
                "the whole day is 00:00-24:00",
            )


def _time_zone_is_known(values: Values, problems: Problems) -> None:
    zone = _removal(values).get("timezone", "UTC")
    try:
        zone_named(zone)
    except ValueError:
        problems.add(
            ("metadata", "raytui", "removal", "timezone"),
            f"{quoted(zone)} is not a time zone that this system knows",
            "a name such as Europe/Berlin; without a time zone database only UTC",
        )


def _removal(values: Values) -> Values:
    removal: Values = own_section(values).get("removal", {})
    return removal
