"""Takes secrets out of whatever is logged: values are known by the names that they go under."""

from __future__ import annotations

import re
from collections.abc import Mapping

MASK = "•••"

_HIDDEN = r"[\w-]*(?:TOKEN|SECRET|PASSWORD|KEY)[\w-]*"
_NAME = re.compile(_HIDDEN, re.IGNORECASE)
_ASSIGNMENT = re.compile(
    rf"""(?<![\w-])({_HIDDEN})=("(?:\\.|[^"\\])*"|'[^']*'|[^\s;&|)'"]+)""", re.IGNORECASE
)
_SHORTEST = 4
"""A secret of fewer characters is not looked for in output: it would black out half of it."""


def is_secret(name: str) -> bool:
    """True when a variable of this name holds something that nobody should read in a log."""
    return _NAME.fullmatch(name) is not None


def masked_env(env: Mapping[str, str]) -> dict[str, str]:
    """The same variables, the values of secret ones replaced."""
    return {name: MASK if is_secret(name) else value for name, value in env.items()}


def masked(text: str, env: Mapping[str, str] | None = None) -> str:
    """A command or a line of output that can be logged.

    `NAME=value` loses its value where the name is a secret's, quoted or not, and the secret
    values of `env` are replaced wherever they stand: `set -x` prints them without a name.
    """
    hidden = _ASSIGNMENT.sub(rf"\1={MASK}", text) if "=" in text else text
    secrets = (value for name, value in (env or {}).items() if is_secret(name))
    for value in sorted(secrets, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            hidden = hidden.replace(value, MASK)
    return hidden
