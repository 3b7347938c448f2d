"""A script of our own as one command for whatever runs commands."""

from __future__ import annotations


def script_argv(script: str, *arguments: str) -> list[str]:
    """The argv that runs `script` in sh, with `arguments` as $1, $2, …: no shell reads them."""
    return ["/bin/sh", "-c", script, "raytui", *arguments]
