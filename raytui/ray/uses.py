"""What the hardware of each node does, as the agents of Ray's dashboard measure it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raytui.model.work import GpuUse, Listing, NodeUse
from raytui.ray.base import RayError
from raytui.ray.dashboard import call
from raytui.ray.state_rows import ODD

_ASK_S = 10.0
_MIB = 1 << 20


def uses(url: str) -> Listing[NodeUse]:
    """Every node that lives; raises RayError. What an agent does not tell is 0."""
    answer = call(url, "/nodes?view=summary", timeout_s=_ASK_S)
    data = answer.get("data") if isinstance(answer, dict) else None
    rows = data.get("summary") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise RayError("the dashboard's answer has no nodes")
    found, silent, odd = [], 0, 0
    for row in rows:
        try:
            raylet = row.get("raylet") or {}
            if raylet.get("state") != "ALIVE":
                continue
            if not row.get("now"):
                silent += 1  # its agent has not reported yet
            else:
                found.append(_use(row, raylet))
        except ODD:
            odd += 1
    notes = [f"{silent:,} tell nothing yet"] if silent else []
    notes += [f"{odd:,} could not be read"] if odd else []
    return Listing(tuple(found), len(found) + silent + odd, tuple(notes))


def _use(row: dict[str, Any], raylet: dict[str, Any]) -> NodeUse:
    memory, disk = row.get("mem") or [0, 0, 0, 0], _disk(row.get("disk") or {})
    store_used = _number(raylet.get("objectStoreUsedMemory"))
    store_free = _number(raylet.get("objectStoreAvailableMemory"))
    store_total = _number((raylet.get("resourcesTotal") or {}).get("objectStoreMemory"))
    sent, received = _pair(row.get("networkSpeed"))
    read, write = _pair(row.get("diskIoSpeed"))
    return NodeUse(
        node_id=str(raylet["nodeId"]),
        at=float(row["now"]),
        cpus=float((row.get("cpus") or [0])[0]),
        cpu=float(row.get("cpu") or 0) / 100,
        memory_used=int(memory[0]) - int(memory[1]),
        memory_total=int(memory[0]),
        store_used=int(store_used),
        store_total=int(store_total or store_used + store_free),
        disk_used=disk[0],
        disk_total=disk[1],
        disk_read=read,
        disk_write=write,
        received=received,
        sent=sent,
        gpus=tuple(_gpu(index, gpu) for index, gpu in enumerate(row.get("gpus") or ())),
    )


def _disk(told: dict[str, dict[str, Any]]) -> tuple[int, int]:
    """Used and total bytes of the disk on which Ray spills: that of / where it is told."""
    disk = told.get("/") or next(iter(told.values()), {})
    return int(_number(disk.get("used"))), int(_number(disk.get("total")))


def _gpu(index: int, told: dict[str, Any]) -> GpuUse:
    """Ray counts the memory of GPUs in MiB, and the use of one in percent."""
    return GpuUse(
        index=int(told.get("index", index)),
        name=str(told.get("name") or ""),
        busy=_number(told.get("utilizationGpu", told.get("utilization_gpu"))) / 100,
        memory_used=int(_number(told.get("memoryUsed", told.get("memory_used"))) * _MIB),
        memory_total=int(_number(told.get("memoryTotal", told.get("memory_total"))) * _MIB),
    )


def _pair(told: Sequence[Any] | None) -> tuple[float, float]:
    """Bytes per second out and in, or read and written."""
    first, second = (*(told or ()), 0, 0)[:2]
    return _number(first), _number(second)


def _number(value: Any) -> float:
    return float(value or 0)
