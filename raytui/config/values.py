"""A cluster file as the schema has read it, before it becomes a ClusterSpec."""

from __future__ import annotations

from typing import Any

Values = dict[str, Any]
"""A section as the schema read it: plain values by key, refused ones left out."""


def provider_type(values: Values) -> str:
    """`provider.type`, or empty when it was refused."""
    return str(values.get("provider", {}).get("type", ""))


def own_section(values: Values) -> Values:
    """`metadata.raytui`: what Ray's schema has no word for."""
    own: Values = values.get("metadata", {}).get("raytui", {})
    return own
