"""A loopback server that tells prices as AWS does: the Pricing API, and EC2's spot history."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

PLAIN = {
    "productFamily": "Compute Instance",
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
    "regionCode": "us-east-1",
}
"""How AWS lists an ordinary Linux instance on demand."""

_PAGE = 2


def product(instance_type: str, usd: float, *, unit: str = "Hrs", **attributes: str) -> str:
    """One product of the price list, as text, in the form of AWS's own."""
    sku = "-".join([instance_type, *attributes.values()])
    facts = {**PLAIN, "instanceType": instance_type, **attributes}
    family = facts.pop("productFamily")
    dimension = {"unit": unit, "pricePerUnit": {"USD": f"{usd:.10f}"}}
    return json.dumps(
        {
            "product": {"productFamily": family, "attributes": facts},
            "terms": {"OnDemand": {sku: {"priceDimensions": {f"{sku}.1": dimension}}}},
        }
    )


def spot(instance_type: str, zone: str, usd: float, timestamp: str) -> dict[str, str]:
    """One entry of a spot price history."""
    return {
        "instanceType": instance_type,
        "productDescription": "Linux/UNIX",
        "spotPrice": f"{usd:.6f}",
        "timestamp": timestamp,
        "availabilityZone": zone,
    }


@dataclass
class PriceServer:
    """What it tells, what it was asked, and how it fails."""

    products: list[str] = field(default_factory=list)
    history: list[dict[str, str]] = field(default_factory=list)
    refuses: str = ""
    """An error code: it answers everything with that."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def pricing(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = {(one["Field"], one["Value"]) for one in request["Filters"]}
        found = [text for text in self.products if wanted <= _facts(text)]
        page, more = _page(found, request.get("NextToken"))
        return {"FormatVersion": "aws_v1", "PriceList": page, **more}

    def spot_history(self, request: dict[str, Any]) -> str:
        wanted = {value for key, value in request.items() if key.startswith("InstanceType.")}
        found = [entry for entry in self.history if entry["instanceType"] in wanted]
        page, more = _page(found, request.get("NextToken"))
        items = "".join(
            "<item>"
            + "".join(f"<{key}>{value}</{key}>" for key, value in entry.items())
            + "</item>"
            for entry in page
        )
        return (
            '<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            f"<spotPriceHistorySet>{items}</spotPriceHistorySet>"
            f"<nextToken>{more.get('NextToken', '')}</nextToken>"
            "</DescribeSpotPriceHistoryResponse>"
        )


def _facts(text: str) -> set[tuple[str, str]]:
    product = json.loads(text)["product"]
    return {*product["attributes"].items(), ("productFamily", product["productFamily"])}


def _page(found: list[Any], token: str | None) -> tuple[list[Any], dict[str, str]]:
    start = int(token or 0)
    end = start + _PAGE
    return found[start:end], {"NextToken": str(end)} if end < len(found) else {}


@contextmanager
def price_server(told: PriceServer | None = None) -> Iterator[PriceServer]:
    """A server on a port of its own; `url` is its endpoint."""
    told = told or PriceServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if "X-Amz-Target" in self.headers:
                request = json.loads(body)
                told.asked.append(request)
                if told.refuses:
                    self._answer(400, json.dumps({"__type": told.refuses, "message": "refused"}))
                else:
                    self._answer(200, json.dumps(told.pricing(request)))
                return
            request = {key: values[0] for key, values in parse_qs(body).items()}
            told.asked.append(request)
            if told.refuses:
                error = f"<Error><Code>{told.refuses}</Code><Message>refused</Message></Error>"
                self._answer(400, f"<Response><Errors>{error}</Errors></Response>")
            else:
                self._answer(200, told.spot_history(request))

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
