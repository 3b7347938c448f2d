"""Ray's fill-in: what a file leaves out gets Ray's value (ray/autoscaler/_private/util.py).

Works on values that the schema has read and never on those that it refused, so that one mistake
is not told twice.
"""

from __future__ import annotations

from typing import Any

from raytui.config.defaults import ON_PREMISE_TYPE, Defaults, defaults_of
from raytui.config.problems import KeyPath, Problems

Values = dict[str, Any]
"""A section as the schema read it: plain values by key, refused ones left out."""


def provider_type(values: Values) -> str:
    """`provider.type`, or empty when it was refused."""
    return str(values.get("provider", {}).get("type", ""))


def fill(values: Values, problems: Problems) -> Values:
    """The values with Ray's defaults, limits and merged set-up commands."""
    provider = provider_type(values)
    defaults = defaults_of(provider)
    filled = dict(values)
    if provider == "local":
        _one_type_on_premise(filled, problems)
    _settle(filled, (), "max_workers", defaults.max_workers, problems)
    _settle(filled, (), "upscaling_speed", defaults.upscaling_speed, problems)
    _settle(filled, (), "idle_timeout_minutes", defaults.idle_timeout_minutes, problems)
    _fill_commands(filled, defaults)
    if "auth" not in filled:
        filled["auth"] = {"ssh_user": defaults.ssh_user}
    types = filled.get("available_node_types", {})
    if defaults.head_node_type in types:
        _settle(filled, (), "head_node_type", defaults.head_node_type, problems)
    filled["available_node_types"] = {
        name: _fill_type(name, node_type, filled, problems) for name, node_type in types.items()
    }
    return filled


def _settle(section: Values, path: KeyPath, key: str, default: Any, problems: Problems) -> None:
    if default is not None and key not in section and not problems.touch((*path, key)):
        section[key] = default


def _fill_commands(filled: Values, defaults: Defaults) -> None:
    common = filled.get("setup_commands", [])
    filled["head_setup_commands"] = common + filled.get("head_setup_commands", [])
    filled["worker_setup_commands"] = common + filled.get("worker_setup_commands", [])
    filled.setdefault("head_start_ray_commands", list(defaults.head_start_ray_commands))
    filled.setdefault("worker_start_ray_commands", list(defaults.worker_start_ray_commands))


def _fill_type(name: str, node_type: Values, filled: Values, problems: Problems) -> Values:
    path = ("available_node_types", name)
    result = dict(node_type)
    _settle(result, path, "min_workers", 0, problems)
    is_head = name == filled.get("head_node_type")
    _settle(result, path, "max_workers", 0 if is_head else filled.get("max_workers"), problems)
    return result


def _one_type_on_premise(filled: Values, problems: Problems) -> None:
    """Make the one node type of provider `local` (ray/autoscaler/_private/local/config.py)."""
    if ON_PREMISE_TYPE in filled.get("available_node_types", {}):
        return  # Ray has been here: the file is what it wrote to the head.
    if filled.get("available_node_types"):
        problems.add(
            ("available_node_types",),
            "is not for provider local, whose machines are all of one type",
            f"remove it; the type is called {ON_PREMISE_TYPE}",
        )
        filled["available_node_types"] = {}
        return
    provider = filled["provider"]
    limits = (
        _coordinated(filled, problems)
        if "coordinator_address" in provider
        else _listed(filled, problems)
    )
    filled["head_node_type"] = ON_PREMISE_TYPE
    filled["available_node_types"] = {
        ON_PREMISE_TYPE: {"node_config": {}, "resources": {}, **limits}
    }


def _coordinated(filled: Values, problems: Problems) -> Values:
    if "max_workers" not in filled:
        if not problems.touch(("max_workers",)):
            problems.add(("max_workers",), "is required with provider.coordinator_address")
        return {}
    return {"min_workers": filled.get("min_workers", 0), "max_workers": filled["max_workers"]}


def _listed(filled: Values, problems: Problems) -> Values:
    provider = filled["provider"]
    for key in ("head_ip", "worker_ips"):
        if key not in provider and not problems.touch(("provider", key)):
            problems.add(
                ("provider", key),
                "is required for provider local",
                "give head_ip and worker_ips, or coordinator_address",
            )
    if "worker_ips" not in provider or problems.touch(("max_workers",)):
        return {}
    machines = len(provider["worker_ips"])
    filled["max_workers"] = min(filled.get("max_workers", machines), machines)
    least = min(filled.get("min_workers", machines), machines)
    return {"min_workers": least, "max_workers": filled["max_workers"]}
