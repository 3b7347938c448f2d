"""How each list of each cluster was left: order and filter, kept in a small file."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from msgspec import Struct

from raytui.config import locations
from raytui.config.durable import locked, write_durably

_MOST_CLUSTERS = 200
"""Of more, those that were left longest ago are forgotten."""


class View(Struct, frozen=True, omit_defaults=True):
    """How one list is looked at."""

    sorted_by: str = ""
    """Title of a column; empty: as the rows come."""
    descending: bool = False
    filter: str = ""


def views_file() -> Path:
    """Where they are kept."""
    return locations.state_root() / "views.json"


Pages = dict[str, View]


class RememberedViews:
    """The views of all clusters in one file; what cannot be read counts as nothing.

    Several programs write it, each one view at a time: the last word on a view stays.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path if path is not None else views_file()

    def of(self, cluster: str, page: str) -> View | None:
        """How the list was left, or None when nobody knows."""
        return self._read().get(cluster, {}).get(page)

    def keep(self, cluster: str, page: str, view: View) -> None:
        """Remember a view; raises OSError when that is not possible."""
        with self._alone():
            known = self._read()
            pages = known.pop(cluster, {})
            pages[page] = view
            known[cluster] = pages
            for oldest in list(known)[:-_MOST_CLUSTERS]:
                del known[oldest]
            self._write(known)

    def forget(self, cluster: str) -> int:
        """Drop the views of a cluster, and say how many there were; raises OSError."""
        with self._alone():
            known = self._read()
            dropped = known.pop(cluster, {})
            if dropped:
                self._write(known)
        return len(dropped)

    def _alone(self) -> AbstractContextManager[None]:
        return locked(self._path.with_suffix(".lock"))

    def _read(self) -> dict[str, Pages]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Pages])
        except (OSError, msgspec.DecodeError):
            return {}

    def _write(self, known: dict[str, Pages]) -> None:
        write_durably(self._path, msgspec.json.format(msgspec.json.encode(known), indent=1))
