"""Showing Ray its token: in HTTP, and in this process's own connections to GCS."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from raytui.config import ray_token

HINT = (
    "this cluster asks for a token: RAY_AUTH_TOKEN has to be the one that stands in "
    "~/.ray/auth_token on its head"
)


def headers_for(url: str) -> dict[str, str]:
    """What to say to a dashboard. A token that was only found in a file stays on this machine."""
    token = ray_token.token()
    if not token or not (ray_token.is_meant_for_all() or _is_here(urlsplit(url).hostname or "")):
        return {}
    return {"Authorization": f"Bearer {token}"}


def agree_with_ray() -> None:
    """Have Ray's own code in this process show the token, as `ray start` and `ray status` do."""
    if os.environ.get(ray_token.MODE) or not ray_token.token():
        return
    os.environ[ray_token.MODE] = "token"
    try:
        from ray._raylet import Config  # type: ignore[attr-defined]  # compiled
    except ImportError:
        return
    if hasattr(Config, "initialize"):
        Config.initialize("")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
