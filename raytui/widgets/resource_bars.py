"""The use of each resource as a bar with numbers and its last minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from raytui.model.text import MEMORY_RESOURCES, amount_text
from raytui.widgets.bars import bar, sparkline
from raytui.widgets.cell import Cell, cell, to_content, width_of

_FIRST = ("CPU", "GPU", "memory", "object_store_memory")
_SHORT = {"object_store_memory": "objects"}
_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
_GAP = 3
_SHORTEST_BAR = 6
_LONGEST_BAR = 24
_TREND = 10


class _Gauge(Struct, frozen=True):
    title: str
    numbers: str
    share: float
    history: Sequence[float]

    @property
    def words(self) -> int:
        """Columns that the words take, with a space on each side of the bar."""
        return len(self.title) + len(self.numbers) + 2


class ResourceBars(Widget):
    """Bars side by side on one line; where there is no room, in two columns or one."""

    DEFAULT_CSS = """
    ResourceBars { height: auto; padding: 0 1; }
    """

    def __init__(
        self,
        *,
        heading: str = "",
        trends: bool = True,
        id: str | None = None,  # noqa: A002 - Textual's word
    ) -> None:
        super().__init__(id=id)
        self._heading = heading
        self._trends = trends
        self._used: Mapping[str, float] = {}
        self._total: Mapping[str, float] = {}
        self._history: Mapping[str, Sequence[float]] = {}

    def show(
        self,
        used: Mapping[str, float],
        total: Mapping[str, float],
        history: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        """Replace what is shown; amounts as people write them, memory in bytes."""
        new = (used, total, history or {})
        if new == (self._used, self._total, self._history):
            return
        regrouped = set(total) != set(self._total)
        self._used, self._total, self._history = new
        self.refresh(layout=regrouped)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the bars need at this width."""
        return max(1, len(self._lines(width)))

    def render(self) -> Content:
        """The lines of bars."""
        lines = self._lines(self.content_size.width)
        return to_content(*(lines or [cell(("resources are not known yet", "$quiet"))]))

    def _gauges(self) -> list[_Gauge]:
        return [
            _Gauge(
                _SHORT.get(name, name),
                numbers_text(name, self._used.get(name, 0), total),
                self._used.get(name, 0) / total if total else 0.0,
                self._history.get(name, ()) if self._trends else (),
            )
            for name in resource_order(self._total)
            for total in (self._total[name],)
        ]

    def _lines(self, width: int) -> list[Cell]:
        gauges = self._gauges()
        if not gauges or width <= 0:
            return []
        lead = cell((self._heading + "  ", "$heading")) if self._heading else ()
        for head in (lead, ()):
            spare = width - width_of(head) - sum(g.words for g in gauges)
            length = (spare - _GAP * (len(gauges) - 1)) // len(gauges)
            if length >= _SHORTEST_BAR:
                return [(*head, *_in_a_row(_drawn(gauge, length) for gauge in gauges))]
        per_line = 2 if width >= 2 * (_most_words(gauges) + _SHORTEST_BAR) + _GAP else 1
        room = (width - _GAP * (per_line - 1)) // per_line
        aligned = _aligned(gauges)
        cells = [_drawn(g, max(3, room - g.words)) for g in aligned]
        return [_in_a_row(cells[i : i + per_line]) for i in range(0, len(cells), per_line)]


def resource_order(amounts: Mapping[str, float]) -> list[str]:
    """Names worth showing: the usual ones first; Ray's own per-node markers left out."""
    names = [n for n in amounts if not n.startswith(("node:", "accelerator_type:"))]
    return sorted(names, key=lambda n: (_FIRST.index(n) if n in _FIRST else len(_FIRST), n))


def numbers_text(name: str, used: float, total: float) -> str:
    """`29/48`, or `0.2/9 GiB` with both numbers in the unit of the total."""
    whole = amount_text(name, total)
    if name not in MEMORY_RESOURCES:
        return f"{amount_text(name, round(used, 2))}/{whole}"
    part = used / _UNITS[whole.split()[-1]]
    return f"{part:.1f}".removesuffix(".0") + f"/{whole}"


def _drawn(gauge: _Gauge, room: int) -> Cell:
    """The gauge with `room` columns for its bar and, if that is plenty, its trend."""
    roomy = bool(gauge.history) and room >= _SHORTEST_BAR + _TREND + 1
    # As wide from the start as it will be: a bar that shrinks would seem to say something.
    trend = " " + sparkline(gauge.history, _TREND).rjust(_TREND) if roomy else ""
    length = min(_LONGEST_BAR, room - len(trend))
    parts = ((gauge.title + " ", "$quiet"), *bar(gauge.share, length), (" " + gauge.numbers, ""))
    return cell(*parts, (trend, "$trend"))


def _aligned(gauges: Sequence[_Gauge]) -> list[_Gauge]:
    title = max(len(g.title) for g in gauges)
    number = max(len(g.numbers) for g in gauges)
    return [
        _Gauge(f"{g.title:<{title}}", f"{g.numbers:<{number}}", g.share, g.history) for g in gauges
    ]


def _most_words(gauges: Sequence[_Gauge]) -> int:
    return _aligned(gauges)[0].words


def _in_a_row(gauges: Iterable[Cell]) -> Cell:
    line: Cell = ()
    for gauge in gauges:
        line += ((" " * _GAP, ""), *gauge) if line else gauge
    return line
