"""The tables of docs/config.md, made from the schema: `python -m raytui.config.reference FILE`.

Each table stands between `<!-- keys: name -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from raytui.config import schema
from raytui.config.kinds import Key, Table

TABLES: dict[str, Table] = {
    "cluster": schema.CLUSTER,
    "provider": schema.PROVIDER,
    "auth": schema.AUTH,
    "docker": schema.DOCKER,
    "node type": schema.NODE_TYPE,
    "node type docker": schema.TYPE_DOCKER,
    "raytui": schema.RAYTUI,
    "priced type": schema.PRICED_TYPE,
    "offering": schema.OFFERING,
    "pool": schema.POOL,
    "power": schema.POWER,
    "removal": schema.REMOVAL,
    "removal of a kind": schema.REMOVAL_OF_KIND,
    "budget": schema.BUDGET,
    "metrics": schema.METRICS,
    "timeouts": schema.TIMEOUTS,
}

_PLACE = re.compile(r"<!-- keys: (.+?) -->\n.*?<!-- end -->", re.DOTALL)


def with_tables(text: str) -> str:
    """The page with every table as the schema has it now; KeyError for an unknown table."""
    return _PLACE.sub(
        lambda m: f"<!-- keys: {m[1]} -->\n{_table(TABLES[m[1]])}<!-- end -->",
        text,
    )


def _table(table: Table) -> str:
    rows = "".join(_row(key) for key in table.keys)
    return f"| key | holds | default | meaning |\n|---|---|---|---|\n{rows}"


def _row(key: Key) -> str:
    default = "**required**" if key.required else key.default or "–"
    return f"| `{key.name}` | {key.kind.words} | {default} | {key.doc} |\n"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_tables(page.read_text()))
