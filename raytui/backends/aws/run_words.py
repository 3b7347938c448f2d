"""`node_config` as RunInstances takes it: each word EC2's own, and of the kind that it wants.

EC2's own description, which comes with botocore, is the judge, so that a slip of the pen is told
before anything is made, and not by the first launch.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

_WORDS_FOR = {
    "integer": "a whole number",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
    "boolean": "true or false",
    "string": "text",
    "list": "a list",
    "structure": "a mapping",
    "map": "a mapping",
}


def in_ec2s_words(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A `node_config` with numbers as text where EC2 wants text, and what is wrong with it.

    `InstanceType` may be a list, `SubnetIds` and `InstanceRequirements` may stand beside EC2's own
    parameters.
    """
    problems: list[str] = []
    run, requirements = _shapes()
    members = dict(run.members)
    members["InstanceRequirements"] = requirements
    members["SubnetIds"] = members["SecurityGroupIds"]  # a list of ids as well
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key == "InstanceType" and isinstance(value, list):
            found[key] = [_read(members[key], one, key, problems) for one in value]
        elif key in members:
            found[key] = _read(members[key], value, key, problems)
        else:
            found[key] = value
            problems.append(_unknown(key, "", members))
    return found, problems


@cache
def _shapes() -> tuple[Any, Any]:
    """What RunInstances takes, and what instance requirements are."""
    import botocore.session

    ec2 = botocore.session.Session().get_service_model("ec2")
    by_requirements = ec2.operation_model("GetInstanceTypesFromInstanceRequirements")
    run = ec2.operation_model("RunInstances").input_shape
    return run, by_requirements.input_shape.members["InstanceRequirements"]


def _read(shape: Any, value: Any, path: str, problems: list[str]) -> Any:
    kind = shape.type_name
    match kind, value:
        case "structure", dict():
            missing = [key for key in shape.required_members if key not in value]
            problems.extend(f"{path}: lacks {key}" for key in missing)
            return {
                key: _member(shape.members, key, one, path, problems) for key, one in value.items()
            }
        case "list", list():
            return [
                _read(shape.member, one, f"{path}[{index}]", problems)
                for index, one in enumerate(value)
            ]
        case "string", bool():
            pass
        case "string", int() | float():
            return str(value)
        case (("integer" | "long" | "float" | "double"), bool()):
            pass
        case (
            ("string", str())
            | ("integer" | "long", int())
            | ("float" | "double", int() | float())
            | ("boolean", bool())
        ):
            return value
        case _ if kind not in _WORDS_FOR:  # a moment, bytes: botocore reads them in many forms
            return value
    problems.append(f"{path}: EC2 wants {_WORDS_FOR[kind]}, not {value!r}")
    return value


def _member(
    members: Mapping[str, Any], key: str, value: Any, path: str, problems: list[str]
) -> Any:
    if key in members:
        return _read(members[key], value, f"{path}.{key}", problems)
    problems.append(_unknown(key, path, members))
    return value


def _unknown(key: str, path: str, members: Mapping[str, Any]) -> str:
    near = get_close_matches(key, list(members), n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{path}.{key}: EC2 has no such word here{hint}".removeprefix(".")
