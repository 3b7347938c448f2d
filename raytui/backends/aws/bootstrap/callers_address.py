"""The address under which AWS sees this machine."""

from __future__ import annotations

import ipaddress
import os
import urllib.error
import urllib.request

from raytui.backends.base import TransientError

URL = "https://checkip.amazonaws.com"
URL_VARIABLE = "RAYTUI_CHECKIP_URL"
"""Names another place that answers with the address, for networks that do not reach Amazon's."""
_WITHIN_S = 10.0


def callers_range(url: str = "") -> str:
    """The address as a range of one, `192.0.2.7/32`; raises TransientError without an answer."""
    url = url or os.environ.get(URL_VARIABLE, "") or URL
    try:
        with urllib.request.urlopen(url, timeout=_WITHIN_S) as answer:  # noqa: S310 (http or https)
            text = answer.read(100).decode("ascii", "replace").strip()
        return str(ipaddress.ip_network(text))
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise TransientError(
            f"{url} does not tell from which address SSH is to be let in ({error}); "
            "say it in provider.security_group.IpPermissions"
        ) from error
