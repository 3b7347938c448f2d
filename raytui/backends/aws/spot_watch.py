"""Watches a spot instance for Amazon's notices and has Ray told of them; a program for the node.

It is sent to a node as it stands and run by the Python of the node's Ray, where nothing of raytui
is and Python may be as old as 3.9. Ray is told by another program: to import it takes ten times
the memory of the watching.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ENDPOINT = "http://169.254.169.254"

_EVERY_S = 5.0
"""Amazon advises to look every five seconds."""
_CALL_S = 2.0
_TRIES = 3
_TOKEN_S = 21600
_TELL_WITHIN_S = 60.0


class NoMetadataError(Exception):
    """The instance metadata service does not serve us; `str()` says why."""


class Metadata:
    """The instance metadata service (IMDSv2) of the instance that this runs on."""

    def __init__(self, endpoint: str) -> None:
        self._address = urlsplit(endpoint)
        self._token = ""

    def get(self, path: str) -> str | None:
        """What stands at a path below `/latest/meta-data/`; None when nothing does.

        Raises NoMetadataError.
        """
        status, text = self._with_token(path)
        if status == 401:  # the token has expired
            self._token = ""
            status, text = self._with_token(path)
        if status == 404:
            return None
        if status != 200:
            raise NoMetadataError(f"it answered {status}")
        return text

    def _with_token(self, path: str) -> tuple[int, str]:
        if not self._token:
            header = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_S)}
            status, text = self._ask("PUT", "api/token", header)
            if status != 200:
                raise NoMetadataError(f"it gave no token but {status}")
            self._token = text
        return self._ask("GET", f"meta-data/{path}", {"X-aws-ec2-metadata-token": self._token})

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        host, port = self._address.hostname or "", self._address.port
        connection = http.client.HTTPConnection(host, port, timeout=_CALL_S)
        try:
            connection.request(method, f"/latest/{path}", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise NoMetadataError(str(error) or type(error).__name__) from error
        finally:
            connection.close()


def newest_notice(metadata: Metadata) -> dict[str, Any] | None:
    """What Amazon says of this instance now, the graver first; None while it says nothing."""
    taken_back = metadata.get("spot/instance-action")
    if taken_back is not None:
        told = json.loads(taken_back)
        return {"kind": "interruption", "action": told["action"], "deadline": _unix(told["time"])}
    at_risk = metadata.get("events/recommendations/rebalance")
    if at_risk is not None:
        return {"kind": "rebalance", "at": _unix(json.loads(at_risk)["noticeTime"])}
    return None


def _unix(written: str) -> float:
    """Amazon's `2026-11-05T08:22:00Z` in unix seconds."""
    moment = datetime.strptime(written, "%Y-%m-%dT%H:%M:%SZ")
    return moment.replace(tzinfo=timezone.utc).timestamp()  # noqa: UP017  # no UTC before 3.11


class Raylet:
    """The raylet of this node."""

    def __init__(self, pid: str) -> None:
        self._process = Path("/proc", pid)
        self._began = self._start_time()
        self._options = self._pairs("cmdline")
        self.environment = self._pairs("environ")

    @property
    def gcs_address(self) -> str:
        """`ip:port` of its GCS."""
        return self._options["--gcs-address"]

    @property
    def log(self) -> Path:
        """Where our log is: beside Ray's own, so that the dashboard shows it."""
        return Path(self._options["--log_dir"], "raytui_spot_watch.log")

    @property
    def is_alive(self) -> bool:
        """Whether it is this one that has its pid, and not yet dead."""
        return bool(self._began) and self._start_time() == self._began

    def _pairs(self, file: str) -> dict[str, str]:
        words = os.fsdecode((self._process / file).read_bytes()).split("\0")
        return dict(word.split("=", 1) for word in words if "=" in word)

    def _start_time(self) -> str:
        try:
            fields = (self._process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]


def watch(instance_id: str, raylet: Raylet, metadata: Metadata) -> None:
    """Pass every new notice on, for as long as the raylet lives."""
    known: dict[str, Any] | None = None
    silent = ""
    while raylet.is_alive:
        try:
            notice, words = newest_notice(metadata), ""
        except (NoMetadataError, ValueError, KeyError) as error:
            notice, words = None, f"no notices can be read: {error!r}"
        if words != silent:
            _say(words or "notices can be read again")
            silent = words
        if notice is not None and notice != known:
            _say(f"Amazon says: {json.dumps(notice)}")
            if _pass_on(instance_id, raylet, notice):
                known = notice
        time.sleep(_EVERY_S)
    _say("Ray has ended here")


def _pass_on(instance_id: str, raylet: Raylet, notice: dict[str, Any]) -> bool:
    """Have a process of its own tell GCS; whether it could."""
    teller = str(Path(__file__).with_name("tell_notice.py"))
    told = json.dumps({"by": "AWS", "at": round(time.time(), 3), **notice})
    command = [sys.executable, teller, raylet.gcs_address, instance_id, told]
    try:
        done = subprocess.run(command, env=raylet.environment, timeout=_TELL_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        _say(f"not passed on: {error}")
        return False
    return done.returncode == 0


def _say(text: str) -> None:
    moment = datetime.now(timezone.utc)  # noqa: UP017
    print(f"{moment:%Y-%m-%dT%H:%M:%SZ} {text}", flush=True)


def start(instance_id: str, raylet: Raylet, metadata: Metadata) -> str:
    """Begin to watch in the background, where there is something to watch; says what is done."""
    for tries_left in reversed(range(_TRIES)):
        try:
            life = metadata.get("instance-life-cycle")
            break
        except NoMetadataError as error:
            if not tries_left:
                return f"no notices of interruption: no instance metadata here ({error})"
    if life not in (None, "spot"):
        return f"no notices of interruption: this instance is {life}"
    pid = os.fork()
    if pid:
        return f"watching for notices of interruption (process {pid}, {raylet.log})"
    os.setsid()
    log = os.open(raylet.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for standard, ours in enumerate((nothing, log, log)):
        os.dup2(ours, standard)
    os.closerange(3, 256)  # whoever waits for us to close what it gave us need not
    os.chdir("/")
    watch(instance_id, raylet, metadata)
    sys.exit()


if __name__ == "__main__":
    address = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or ENDPOINT
    print(start(sys.argv[1], Raylet(sys.argv[2]), Metadata(address)))
