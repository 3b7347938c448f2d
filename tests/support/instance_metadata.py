"""The instance metadata service of EC2 (IMDSv2) for many instances, told apart by their address.

On EC2 each instance finds it at 169.254.169.254; here its clients are told where it is, as
`AWS_EC2_METADATA_SERVICE_ENDPOINT` does for all of Amazon's tools and for raytui.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = "127.0.0.1"
_TOKEN = "X-aws-ec2-metadata-token"
_TTL = "X-aws-ec2-metadata-token-ttl-seconds"
_LONGEST_TTL_S = 21600
_KEYS_LIVE_S = 3600


@dataclass
class Metadata:
    """What one instance is told about itself; a test may change it at any time."""

    instance_id: str = "i-0123456789abcdef0"
    instance_type: str = "m5.large"
    zone: str = "us-west-2a"
    role: str = ""
    """Of its instance profile, whose keys it is given; empty: it has none."""
    spot: bool = False
    taken_back: tuple[str, float] | None = None
    """What befalls it (`terminate`, `stop`, `hibernate`) and when, in seconds since the epoch."""
    at_risk: float | None = None
    """Since when Amazon recommends to rebalance it, in seconds since the epoch."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often each path was asked for, whatever the answer."""

    @property
    def key_id(self) -> str:
        """The id of the keys that it is given."""
        return f"ASIA{self.instance_id.removeprefix('i-').upper()[:16]}"

    def tells(self, path: str, address: str) -> str | None:
        """The value at a path below `/latest/`; None when there is none (now)."""
        known = {
            "meta-data/instance-id": self.instance_id,
            "meta-data/instance-type": self.instance_type,
            "meta-data/instance-life-cycle": "spot" if self.spot else "on-demand",
            "meta-data/local-ipv4": address,
            "meta-data/public-ipv4": address,
            "meta-data/placement/availability-zone": self.zone,
            "meta-data/placement/region": self.zone[:-1],
            "dynamic/instance-identity/document": json.dumps(
                {"instanceId": self.instance_id, "region": self.zone[:-1]}
            ),
        }
        if self.role:
            known["meta-data/iam/security-credentials/"] = self.role
            known[f"meta-data/iam/security-credentials/{self.role}"] = self._keys()
        if self.taken_back is not None:
            action, at = self.taken_back
            notice = {"action": action, "time": _time(at)}
            known["meta-data/spot/instance-action"] = json.dumps(notice)
            if action == "terminate":
                known["meta-data/spot/termination-time"] = _time(at)
        if self.at_risk is not None:
            notice = {"noticeTime": _time(self.at_risk)}
            known["meta-data/events/recommendations/rebalance"] = json.dumps(notice)
        return known.get(path)

    def _keys(self) -> str:
        now = time.time()
        return json.dumps(
            {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "AccessKeyId": self.key_id,
                "SecretAccessKey": f"secret of {self.instance_id}",
                "Token": f"token of {self.instance_id}",
                "LastUpdated": _time(now),
                "Expiration": _time(now + _KEYS_LIVE_S),
            }
        )


@dataclass
class MetadataService:
    """A running service, and how it fails."""

    url: str
    instances: dict[str, Metadata] = field(default_factory=dict)
    """By the address from which an instance asks; nobody else is told anything."""
    fails_with: int = 0
    """An HTTP status with which everything is answered; 0: nothing fails."""
    longest_ttl_s: float = _LONGEST_TTL_S
    """No token is good for longer, whatever was asked for."""
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Whose each token is, and until when (monotonic)."""

    def forget_tokens(self) -> None:
        """All tokens are void from now on."""
        self.tokens.clear()


@contextmanager
def metadata_service(address: str = LOOPBACK) -> Iterator[MetadataService]:
    """A service on a free port of this address of ours, as long as the context lasts."""
    service = MetadataService("")

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._say(*self._new_token())

        def do_GET(self) -> None:
            self._say(*self._value())

        def _new_token(self) -> tuple[int, str]:
            if self._who("api/token") is None or self.path != "/latest/api/token":
                return 404, ""
            ttl = self.headers.get(_TTL, "")
            if not ttl.isdecimal() or not 1 <= int(ttl) <= _LONGEST_TTL_S:
                return 400, ""
            token = secrets.token_urlsafe(24)
            until = time.monotonic() + min(int(ttl), service.longest_ttl_s)
            service.tokens[token] = (self.client_address[0], until)
            return 200, token

        def _value(self) -> tuple[int, str]:
            path = self.path.removeprefix("/latest/")
            instance = self._who(path)
            if instance is None:
                return 404, ""
            whose, until = service.tokens.get(self.headers.get(_TOKEN, ""), ("", 0.0))
            if whose != self.client_address[0] or until < time.monotonic():
                return 401, ""
            told = instance.tells(path, self.client_address[0])
            return (404, "") if told is None else (200, told)

        def _who(self, path: str) -> Metadata | None:
            instance = service.instances.get(self.client_address[0])
            if instance is not None:
                instance.asked[path] += 1
            return instance

        def _say(self, status: int, text: str) -> None:
            status = service.fails_with or status
            content = text.encode() if status == 200 else b""
            self.send_response(status)
            if ttl := self.headers.get(_TTL):
                self.send_header(_TTL, ttl)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: tests tell what they find."""

    with ThreadingHTTPServer((address, 0), Handler) as http:
        service.url = f"http://{address}:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            http.shutdown()
            thread.join(10)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
