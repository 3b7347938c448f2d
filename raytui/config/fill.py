"""Ray's fill-in: what a file leaves out gets Ray's value (ray/autoscaler/_private/util.py).

Works on values that the schema has read and never on those that it refused, so that one mistake
is not told twice.
"""

from __future__ import annotations

import copy
from typing import Any

from raytui.config.defaults import Defaults, defaults_of
from raytui.config.on_premise import make_types
from raytui.config.problems import KeyPath, Problems
from raytui.config.values import Values, provider_type


def fill(values: Values, problems: Problems) -> Values:
    """The values with Ray's defaults, limits and merged set-up commands."""
    provider = provider_type(values)
    defaults = defaults_of(provider)
    filled = dict(values)
    if provider == "local":
        make_types(filled, problems)
    _settle(filled, (), "max_workers", defaults.max_workers, problems)
    _settle(filled, (), "upscaling_speed", defaults.upscaling_speed, problems)
    _settle(filled, (), "idle_timeout_minutes", defaults.idle_timeout_minutes, problems)
    _fill_commands(filled, defaults)
    if "auth" not in filled:
        filled["auth"] = {"ssh_user": defaults.ssh_user}
    types = filled.get("available_node_types")
    if types is None:
        refused = problems.touch(("available_node_types",))
        types = {} if refused else copy.deepcopy(defaults.node_types)
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
    common = filled.get("setup_commands", list(defaults.setup_commands))
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
