"""EC2 over HTTP on loopback: moto behind a front that can fail as the real one does.

moto makes what it is asked for at once, always, and every time. The front adds what decides
whether a launcher is right: client tokens, limited capacity, errors, lost replies, and listings
that lag behind.
"""

from __future__ import annotations

import io
import json
import socket
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode
from urllib.request import Request, urlopen

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import StateReason
from moto.ec2.utils import filter_dict_attribute_mapping
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.aws import requirements
from tests.aws.price_server import PriceServer

REGION = "us-west-2"
CALLERS_ADDRESS = "/callers-address"
"""A path that tells the address from which it is asked for, as checkip.amazonaws.com does."""
_JSON = "application/x-amz-json-1.1"
_QUOTAS_IN_A_PAGE = 2
_ADDRESSES = ("ipAddress", "dnsName", "privateIpAddress", "privateDnsName", "networkInterfaceSet")
Fields = dict[str, str]


@dataclass
class Fault:
    """What befalls calls of one action, while it lasts."""

    action: str
    code: str = ""
    """EC2's error code; empty: the reply is lost though the call was carried out."""
    message: str = "as the test says"
    status: int = 400
    times: int = 10**9
    when: Callable[[Fields], bool] = lambda fields: True
    held: threading.Event | None = None
    """Set when the call was carried out; its reply never comes, and the caller waits for it."""


class Hardware(Protocol):
    """What instances run on. It is told of each change before the caller is, and must be quick."""

    def room(self) -> int:
        """How many more instances it can bear."""

    def start(self, instance_ids: list[str]) -> None:
        """These were launched, or are started again: they are pending until it runs them."""

    def stop(self, instance_ids: list[str]) -> None:
        """These stop; they may be started again."""

    def end(self, instance_ids: list[str]) -> None:
        """These end for ever."""


@dataclass
class Emulated:
    """The emulator: `url` is its endpoint; faults and capacity are changed while it runs."""

    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    room: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many instances of a type are left in a zone; what is not named has no end."""
    vcpus: dict[str, int] = field(default_factory=dict)
    """How many vCPUs the account may still have, by what names of their types begin with."""
    unlisted: set[str] = field(default_factory=set)
    """Instances that DescribeInstances does not tell of yet."""
    lag_behind: bool = False
    """New instances are unlisted until `catch_up`."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Amazon's public parameters of SSM, which nobody else can put."""
    regions: tuple[str, ...] = (REGION, "eu-west-1")
    """Those that the account has enabled."""
    quotas: dict[str, float] = field(default_factory=dict)
    """What Service Quotas tells of EC2, by code."""
    remembers: bool = False
    """A listing is told again while nothing was changed: moto takes seconds for a thousand."""
    ignored: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    launches: list[Fields] = field(default_factory=list)
    """RunInstances as asked, each of them, also those that failed."""
    callers: dict[str, Counter[str]] = field(default_factory=dict)
    """Calls by the id of the key with which they were signed."""
    prices: PriceServer | None = None
    """None: moto's, which are few and all the same."""
    hardware: Hardware | None = None
    """None: instances are mere words, and run at once."""

    def fail(self, action: str, code: str, **more: Any) -> None:
        """From now on calls of an action fail with an error code of EC2's."""
        self.faults.append(Fault(action, code, **more))

    def lose_reply(self, action: str, times: int = 1, **more: Any) -> None:
        """Carry calls out, and break the connection instead of answering."""
        self.faults.append(Fault(action, times=times, **more))

    def ignore(self, action: str) -> None:
        """Say yes to calls of an action and do nothing: as if it took for ever."""
        self.ignored.add(action)

    def take_back(self, instance_id: str, code: str, reason: str) -> None:
        """End an instance without anybody's wish, as the cloud does."""
        (instance,) = ec2_backends[DEFAULT_ACCOUNT_ID][REGION].get_multi_instances_by_id(
            [instance_id]
        )
        instance.terminate()
        instance.state_reason = StateReason(reason, code)
        if self.hardware is not None:
            self.hardware.end([instance_id])

    def let_go(self) -> None:
        """Instances that ended let go of their interfaces, which takes EC2 a while and moto for
        ever."""
        for interface in list(ec2_backends[DEFAULT_ACCOUNT_ID][REGION].enis.values()):
            if interface.instance is not None and interface.instance.state == "terminated":
                interface.delete()

    def hold_reply(self, action: str) -> threading.Event:
        """Carry one call out and leave its caller waiting; the event tells that it waits."""
        held = threading.Event()
        self.faults.append(Fault(action, times=1, held=held))
        return held

    def catch_up(self) -> None:
        """Listings tell everything again."""
        self.lag_behind = False
        self.unlisted.clear()


@cache
def _moto() -> DomainDispatcherApplication:
    """moto's server, which takes seconds to build, and whose state is this process's anyway."""
    return DomainDispatcherApplication(create_backend_app)


# A filter that moto lacks.
filter_dict_attribute_mapping["iam-instance-profile.arn"] = "iam_instance_profile.Arn"


class _Front:
    def __init__(self, emulated: Emulated) -> None:
        self.moto = _moto()
        self.lock = threading.Lock()
        self.forget(emulated)

    def forget(self, emulated: Emulated) -> None:
        self.emulated = emulated
        self.answers: dict[str, tuple[Fields, int, list[tuple[str, str]], bytes]] = {}
        self.made_with: dict[str, list[str]] = {}
        self.zone_of: dict[str, str] = {}
        self.remembered: dict[bytes, tuple[int, list[tuple[str, str]], bytes]] = {}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == CALLERS_ADDRESS:
            start("200 OK", [("Content-Type", "text/plain")])
            return [environ["REMOTE_ADDR"].encode()]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        action = fields.get("Action") or environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        with self.lock:
            if action:  # else it is for moto itself
                self.emulated.calls[action] += 1
                caller = self.emulated.callers.setdefault(_caller(environ), Counter())
                caller[action] += 1
            if not action.startswith(("Describe", "Get")):
                self.remembered.clear()
            if action == "RunInstances":
                self.emulated.launches.append(fields)
            fault = self._fault(action, fields)
            if fault is not None and fault.code:
                refuse = _json_error if "HTTP_X_AMZ_TARGET" in environ else _error
                answer = refuse(fault.code, fault.message, fault.status)
            else:
                answer = self._answer(action, fields, body, environ)
        if fault is not None and fault.held is not None:
            fault.held.set()
            environ["werkzeug.socket"].recv(1)  # until the caller is gone
        if fault is not None and not fault.code:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionError("the reply is lost, as the test says")
        status, headers, content = answer
        start(f"{status} EMULATED", headers)
        return [content]

    def _fault(self, action: str, fields: Fields) -> Fault | None:
        for fault in self.emulated.faults:
            if fault.action == action and fault.times > 0 and fault.when(fields):
                fault.times -= 1
                return fault
        return None

    def _answer(
        self, action: str, fields: Fields, body: bytes, environ: dict[str, Any]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        if action == "RunInstances":
            return self._run(fields, environ)
        if action == "GetParameter":
            name = json.loads(body)["Name"]
            if name in self.emulated.parameters:
                found = {"Parameter": {"Name": name, "Value": self.emulated.parameters[name]}}
                return 200, [("Content-Type", _JSON)], json.dumps(found).encode()
        if action == "DescribeRegions":
            names = {f"RegionName.{at}": r for at, r in enumerate(self.emulated.regions, 1)}
            return self._ask(environ, urlencode({**fields, **names}).encode())
        if action == "GetInstanceTypesFromInstanceRequirements":
            return _answered(200, requirements.answer(fields).encode())
        if action == "ListServiceQuotas":
            return self._quotas(json.loads(body))
        prices = self.emulated.prices
        if prices is not None and action == "GetProducts":
            if prices.refuses:
                refusal = {"__type": prices.refuses, "message": "refused"}
                return 400, [("Content-Type", _JSON)], json.dumps(refusal).encode()
            found = prices.pricing(json.loads(body))
            return 200, [("Content-Type", _JSON)], json.dumps(found).encode()
        if prices is not None and action == "DescribeSpotPriceHistory":
            if prices.refuses:
                return _error(prices.refuses, "refused", 400)
            return _answered(200, prices.spot_history(fields).encode())
        if action in self.emulated.ignored:
            return _answered(200, f"<{action}Response/>".encode())
        if any(".Value.201" in key for key in fields):
            return _error("FilterLimitExceeded", "more than 200 values in a filter", 400)
        if action == "DescribeInstances":
            if self.emulated.remembers and body in self.remembered:
                return self.remembered[body]
            changed = self._with_known_tokens(fields)
            told = self._told(*self._ask(environ, urlencode(changed).encode()))
            self.remembered[body] = told
            return told
        answer = self._ask(environ, body)
        if answer[0] == 200 and self.emulated.hardware is not None:
            _change(self.emulated.hardware, action, fields)
        return answer

    def _quotas(self, asked: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        start = int(asked.get("NextToken") or 0)
        end = start + _QUOTAS_IN_A_PAGE
        known = list(self.emulated.quotas.items())
        page = [{"ServiceCode": "ec2", "QuotaCode": c, "Value": v} for c, v in known[start:end]]
        more = {"NextToken": str(end)} if end < len(known) else {}
        return 200, [("Content-Type", _JSON)], json.dumps({"Quotas": page, **more}).encode()

    def _run(
        self, fields: Fields, environ: dict[str, Any]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        emulated = self.emulated
        token = fields.get("ClientToken", "")
        words = {k: v for k, v in fields.items() if k != "ClientToken"}
        if token in self.answers:
            before, *answer = self.answers[token]
            if before != words:
                return _error("IdempotentParameterMismatch", "other words, same token", 400)
            return tuple(answer)  # type: ignore[return-value]
        place = (fields.get("InstanceType", ""), self._zone(fields, environ))
        least, most = int(fields["MinCount"]), int(fields["MaxCount"])
        count = min(most, emulated.room.get(place, most))
        if emulated.hardware is not None:
            count = min(count, emulated.hardware.room())
        if count < least:
            text = f"We currently do not have sufficient {place[0]} capacity in {place[1]}."
            return _error("InsufficientInstanceCapacity", text, 500)
        for stem in [stem for stem in emulated.vcpus if place[0].startswith(stem)]:
            wanted = count * INSTANCE_TYPES[place[0]]["VCpuInfo"]["DefaultVCpus"]
            if wanted > emulated.vcpus[stem]:
                return _error("VcpuLimitExceeded", f"You asked for {wanted} vCPUs of {stem}.", 400)
            emulated.vcpus[stem] -= wanted
        if place in emulated.room:
            emulated.room[place] -= count
        # moto makes as many as the fewest
        asked = urlencode({**fields, "MinCount": count, "MaxCount": count}).encode()
        status, headers, content = self._ask(environ, asked)
        if status == 200:
            if emulated.hardware is not None:
                content = _pending(content)
            names = [e.text or "" for e in ET.fromstring(content).iter() if _is(e, "instanceId")]
            if emulated.hardware is not None:
                emulated.hardware.start(names)
            self.made_with[token] = names
            self.answers[token] = (words, status, headers, content)
            if emulated.lag_behind:
                emulated.unlisted.update(names)
        return status, headers, content

    def _zone(self, fields: Fields, environ: dict[str, Any]) -> str:
        subnet = fields.get("SubnetId") or fields.get("NetworkInterface.1.SubnetId", "")
        if not subnet:
            return fields.get("Placement.AvailabilityZone", "")
        if subnet not in self.zone_of:
            ask = {"Action": "DescribeSubnets", "Version": "2016-11-15", "SubnetId.1": subnet}
            _, _, content = self._ask(environ, urlencode(ask).encode())
            zones = [
                e.text or "" for e in ET.fromstring(content).iter() if _is(e, "availabilityZone")
            ]
            self.zone_of[subnet] = zones[0] if zones else ""
        return self.zone_of[subnet]

    def _with_known_tokens(self, fields: Fields) -> Fields:
        """moto has no filter by token: it gets one by the instances of the token."""
        changed = dict(fields)
        for key, value in fields.items():
            if value == "client-token" and key.endswith(".Name"):
                stem = key.removesuffix(".Name")
                names = self.made_with.get(changed.pop(f"{stem}.Value.1"), [])
                changed[key] = "instance-id"
                for at, name in enumerate(names or ["i-none"], 1):
                    changed[f"{stem}.Value.{at}"] = name
        return changed

    def _told(
        self, status: int, headers: list[tuple[str, str]], content: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        if not self.emulated.unlisted or status != 200:
            return status, headers, content
        tree = ET.fromstring(content)
        for instances in [e for e in tree.iter() if _is(e, "instancesSet")]:
            for item in list(instances):
                names = [e.text for e in item if _is(e, "instanceId")]
                if names and names[0] in self.emulated.unlisted:
                    instances.remove(item)
        return _answered(status, ET.tostring(tree))

    def _ask(
        self, environ: dict[str, Any], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        caught: list[Any] = []
        inner = {
            **environ,
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
        }
        content = b"".join(
            self.moto(inner, lambda status, headers, *_: caught.extend((status, headers)))
        )
        status, headers = caught
        kept = [(k, v) for k, v in headers if k.lower() not in ("content-length", "connection")]
        return int(str(status).split()[0]), kept, content


def _change(hardware: Hardware, action: str, fields: Fields) -> None:
    """Have the hardware do what EC2 was told."""
    changes = {
        "StartInstances": hardware.start,
        "StopInstances": hardware.stop,
        "TerminateInstances": hardware.end,
    }
    if action in changes:
        changes[action]([name for key, name in fields.items() if key.startswith("InstanceId.")])


def _pending(content: bytes) -> bytes:
    """The answer to RunInstances as from EC2: nothing runs yet, nothing has a public address."""
    tree = ET.fromstring(content)
    for item in [item for e in tree.iter() if _is(e, "instancesSet") for item in e]:
        for part in list(item):
            if _is(part, "instanceState"):
                for word in part:
                    word.text = "pending" if _is(word, "name") else "0"
            elif any(_is(part, name) for name in _ADDRESSES):
                item.remove(part)
    return ET.tostring(tree)


def _caller(environ: dict[str, Any]) -> str:
    signed = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2]
    return str(signed).partition("/")[0]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: tests tell what they find."""


def _is(element: ET.Element, name: str) -> bool:
    return element.tag.rpartition("}")[2] == name


def _answered(status: int, content: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    return status, [("Content-Type", "text/xml")], content


def _error(code: str, message: str, status: int) -> tuple[int, list[tuple[str, str]], bytes]:
    text = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>test</RequestID></Response>"
    )
    return _answered(status, text.encode())


def _json_error(code: str, message: str, status: int) -> tuple[int, list[tuple[str, str]], bytes]:
    text = json.dumps({"__type": code, "message": message})
    return status, [("Content-Type", _JSON)], text.encode()


class Server:
    """The emulator's HTTP server on a free port of loopback, or of another address of ours."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._front = _Front(Emulated())
        self._http = make_server(address, 0, self._front, threaded=True, request_handler=_Quiet)
        self.url = f"http://{address}:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def emptied(self) -> Emulated:
        """An account in which nobody has done anything yet."""
        emulated = Emulated(self.url)
        reset = Request(f"{self.url}/moto-api/reset", method="POST")  # the process has one moto
        urlopen(reset, timeout=10).close()
        self._front.forget(emulated)
        return emulated

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)
