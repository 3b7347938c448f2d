"""docs/config.md says what the schema says."""

from __future__ import annotations

import re
from pathlib import Path

from raytui.config import schema
from raytui.config.kinds import Key, ListOf, MapOf, Table
from raytui.config.reference import TABLES, with_tables
from tests.config.files import spec_of

PAGE = Path(__file__).parents[2].joinpath("docs/config.md")


def tables_below(table: Table) -> set[int]:
    found = {id(table)}
    for key in table.keys:
        kind = key.kind
        while isinstance(kind, ListOf | MapOf):
            kind = kind.item if isinstance(kind, ListOf) else kind.value
        if isinstance(kind, Table) and kind.keys:
            found |= tables_below(kind)
    return found


def test_the_tables_are_those_of_the_schema():
    text = PAGE.read_text()
    assert text == with_tables(text), "run: python -m raytui.config.reference docs/config.md"


def test_every_key_is_on_the_page():
    text = PAGE.read_text()
    assert set(re.findall("<!-- keys: (.+) -->", text)) == set(TABLES)
    described_in_words = {id(schema.METADATA)} | {
        id(key.kind) for key in schema.PROVIDER.keys if isinstance(key.kind, Table)
    }
    listed = {id(table) for table in TABLES.values()}
    assert tables_below(schema.CLUSTER) <= listed | described_in_words


def test_every_key_has_a_meaning_that_ends_in_a_full_stop():
    keys: list[Key] = [key for table in TABLES.values() for key in table.keys]
    assert [key.name for key in keys if not re.search(r"[.;]$", key.doc)] == []


def test_the_examples_on_the_page_are_good():
    (example,) = re.findall("```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert spec_of(example).node_types["worker"].max_workers == 3
