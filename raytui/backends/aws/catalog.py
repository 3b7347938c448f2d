"""The catalog of EC2 instance types: what each has, and what it cost in us-east-1 on which day.

It is a table of text that comes with raytui; `raytui catalog refresh` writes a newer one into the
user's cache, which is laid over it. Nothing here asks AWS.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from raytui.backends.base import ConfigError
from raytui.config.durable import write_durably
from raytui.config.locations import cache_root, packaged

PRICED_REGION = "us-east-1"
"""The region that the table's prices are of."""

MIB = 1024**2
GB = 10**9


class InstanceType(Struct, frozen=True, omit_defaults=True):
    """One EC2 instance type. A count of 0 is known to be none; an unknown price is None."""

    name: str
    vcpus: int
    memory: int
    """Bytes."""
    architecture: str = "x86_64"
    """`x86_64` or `arm64`."""
    accelerator: str = ""
    """A GPU under Ray's name (`A10G`), or a Neuron device (`Trainium2`); empty without."""
    accelerators: int = 0
    """GPUs or Neuron devices that the system shows, a share of one counted as one."""
    accelerator_memory: int = 0
    """Bytes of each."""
    neuron_cores: int = 0
    """Of all Neuron devices together."""
    network_gbps: float = 0.0
    """Gbit/s that last."""
    network_peak_gbps: float = 0.0
    """Gbit/s in bursts; the same where there are none."""
    nvme: int = 0
    """Bytes of local NVMe disks together."""
    efa: bool = False
    """Has an Elastic Fabric Adapter: collective operations between nodes by-pass the kernel."""
    burstable: bool = False
    """CPUs are whole only as long as credits last (T family)."""
    bare_metal: bool = False
    current: bool = True
    """AWS counts it among its current generation."""
    price_per_hour: float | None = None
    """USD, on-demand, Linux, in us-east-1."""
    priced_on: str = ""
    """The day of that price, `2026-07-20`; empty when it is unknown."""

    @property
    def family(self) -> str:
        """`m5dn` of `m5dn.2xlarge`."""
        return self.name.partition(".")[0]

    @property
    def gpus(self) -> int:
        """How many GPUs Ray sees; Neuron devices are none."""
        return 0 if self.neuron_cores else self.accelerators


_COLUMNS = (
    "instance_type", "vcpus", "memory_mib", "architecture", "accelerator", "accelerators",
    "accelerator_memory_mib", "neuron_cores", "network_gbps", "network_peak_gbps", "nvme_gb",
    "efa", "burstable", "bare_metal", "current", "usd_per_hour", "priced_on",
)  # fmt: skip


def packaged_table() -> Path:
    """The table that comes with raytui."""
    return packaged("catalog") / "aws.csv"


def refreshed_table() -> Path:
    """Where `raytui catalog refresh` writes the user's own."""
    return cache_root() / "catalog" / "aws.csv"


def load() -> Mapping[str, InstanceType]:
    """The packaged table and over it the user's own, by name, in their order.

    Of two prices the later one counts. Raises ConfigError when a table cannot be read.
    """
    own = refreshed_table()
    tables = [packaged_table(), own] if own.is_file() else [packaged_table()]
    try:
        types, *over = (_read_once(path, path.stat().st_mtime_ns) for path in tables)
    except OSError as error:
        raise ConfigError(f"the catalog cannot be read: {error}") from error
    return laid_over(types, over[0]) if over else types


def laid_over(
    types: Mapping[str, InstanceType], newer: Mapping[str, InstanceType]
) -> dict[str, InstanceType]:
    """Both together: `newer` says what a type has, and of two prices the later one counts."""
    found = dict(types)
    for name, one in newer.items():
        before = types.get(name, one)
        if before.priced_on > one.priced_on:
            one = replace(one, price_per_hour=before.price_per_hour, priced_on=before.priced_on)
        found[name] = one
    return found


@cache
def _read_once(path: Path, _written_at: int) -> Mapping[str, InstanceType]:
    try:
        return read(path.read_text("utf-8"))
    except (ValueError, KeyError) as error:
        raise ConfigError(
            f"{path} is no catalog: {error}; `raytui catalog refresh` writes a new one"
        ) from error


def read(text: str) -> dict[str, InstanceType]:
    """A table's instance types by name, in its order; raises ValueError or KeyError."""
    rows = csv.DictReader(io.StringIO(text), strict=True)
    if rows.fieldnames is None or set(_COLUMNS) - set(rows.fieldnames):
        raise ValueError("its first line does not name the columns")
    return {row["instance_type"]: _read_row(row) for row in rows}


def write(types: Iterable[InstanceType]) -> str:
    """The table of these types, in the order of families and then of sizes."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(_COLUMNS)
    for one in sorted(types, key=lambda one: (one.family, one.vcpus, one.memory, one.name)):
        table.writerow(_row(one))
    return out.getvalue()


def save(types: Iterable[InstanceType], path: Path) -> None:
    """Write the table so that a reader sees the old or the new one, whole. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, write(types).encode(), mode=0o644)


def _read_row(row: Mapping[str, str]) -> InstanceType:
    return InstanceType(
        name=row["instance_type"],
        vcpus=int(row["vcpus"]),
        memory=int(row["memory_mib"]) * MIB,
        architecture=row["architecture"],
        accelerator=row["accelerator"],
        accelerators=int(row["accelerators"] or 0),
        accelerator_memory=int(row["accelerator_memory_mib"] or 0) * MIB,
        neuron_cores=int(row["neuron_cores"] or 0),
        network_gbps=float(row["network_gbps"] or 0),
        network_peak_gbps=float(row["network_peak_gbps"] or 0),
        nvme=int(row["nvme_gb"] or 0) * GB,
        efa=bool(row["efa"]),
        burstable=bool(row["burstable"]),
        bare_metal=bool(row["bare_metal"]),
        current=bool(row["current"]),
        price_per_hour=float(row["usd_per_hour"]) if row["usd_per_hour"] else None,
        priced_on=row["priced_on"],
    )


def _row(one: InstanceType) -> tuple[str, ...]:
    return (
        one.name,
        str(one.vcpus),
        str(one.memory // MIB),
        one.architecture,
        one.accelerator,
        _amount(one.accelerators),
        _amount(one.accelerator_memory // MIB),
        _amount(one.neuron_cores),
        _amount(one.network_gbps),
        _amount(one.network_peak_gbps),
        _amount(one.nvme // GB),
        *("yes" if flag else "" for flag in (one.efa, one.burstable, one.bare_metal, one.current)),
        "" if one.price_per_hour is None else _number(one.price_per_hour),
        one.priced_on,
    )


def _amount(amount: float) -> str:
    return _number(amount) if amount else ""


def _number(amount: float) -> str:
    return f"{amount:.6f}".rstrip("0").rstrip(".")
