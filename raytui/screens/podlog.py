"""What the containers of a pod print, one at a time, while they print."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Rule, Static

from raytui.client.base import ClientError
from raytui.client.pods import PodContainer, Pods
from raytui.screens.keyline import verb_parts
from raytui.screens.keys import KeyNames
from raytui.screens.podfacts import container_cell
from raytui.screens.verbs import bindings_on
from raytui.screens.working import WorkingScreen
from raytui.widgets.cell import Cell, cell, joined, to_content
from raytui.widgets.fitted import FittedLine, Part
from raytui.widgets.tail import Tail

_AGAIN_S = 2.0
"""Until a log that ended or cannot be read is looked for again."""
_MOST_LINES = 10_000


class PodLogScreen(WorkingScreen):
    """Follows the selected container's log, also where it is started anew."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_on("podlog")
    CSS_PATH = "podlog.tcss"

    def __init__(self, pods: Pods, node_id: str, keys: KeyNames) -> None:
        super().__init__()
        self._pods = pods
        self._node_id = node_id
        self._keys = keys
        self._containers: Sequence[PodContainer] = ()
        self._selected = ""
        self._previous = False
        self._lines: list[str] = []
        self._state = ""

    def compose(self) -> ComposeResult:
        """The containers above, the selected one's lines below."""
        yield Static("", id="title", markup=False)
        yield FittedLine(separator=cell("   "), id="containers")
        yield Rule(line_style="solid", classes="frame")
        yield Tail(empty="it has printed nothing", id="output")
        yield FittedLine(separator=cell("  "), id="keys")

    def on_mount(self) -> None:
        """Follow the first container."""
        self.query_one(Tail).focus()
        names = ("container-next", "previous", "wrap", "copy-output", "close")
        self.query_one("#keys", FittedLine).show(verb_parts(names, self._keys))
        self.set_interval(_AGAIN_S, self._look)
        self._look()

    # Verbs

    def action_verb(self, verb_id: str) -> None:
        """Do what a key or click asks for."""
        tail = self.query_one(Tail)
        match verb_id:
            case "close":
                self.app.pop_screen()
            case "wrap":
                tail.toggle_wrap()
            case "copy-output":
                self.app.copy_to_clipboard("\n".join(tail.shown))
                self.app.notify("copied the log")
            case "container-next":
                self._step(1)
            case "container-before":
                self._step(-1)
            case "previous":
                self._previous = not self._previous
                self._begin()

    @on(FittedLine.Clicked)
    def _clicked(self, event: FittedLine.Clicked) -> None:
        name = event.verb.removeprefix("container=")
        if name == event.verb:
            self.action_verb(event.verb)
        else:
            self._select(name)

    def _step(self, step: int) -> None:
        names = [one.name for one in self._containers]
        if names:
            self._select(names[(names.index(self._selected) + step) % len(names)])

    def _select(self, name: str) -> None:
        self._selected, self._previous = name, False
        self._begin()

    # Looking

    def _look(self) -> None:
        self.work(self._look_at_containers(), group="containers")

    async def _look_at_containers(self) -> None:
        try:
            found = await self._pods.containers(self._node_id)
        except ClientError as error:
            self._tell(f"○ {error}")
            return
        self._containers = found
        if self._selected not in [one.name for one in found]:
            usual = next((one for one in found if not one.is_init), None)
            if usual is None:
                self._tell("○ it has no containers")
                return
            self._select(usual.name)
        self._draw()

    def _begin(self) -> None:
        self._lines = []
        self.query_one(Tail).replace([])
        self._draw()
        self.work(self._follow(self._selected, self._previous), group="log")

    async def _follow(self, name: str, previous: bool) -> None:
        """Read one container's log, again from its end when the container was started anew."""
        ended: PodContainer | None = None
        while self.is_attached:
            now = next((one for one in self._containers if one.name == name), None)
            if now is None or now != ended:
                try:
                    await self._read(name, previous)
                except ClientError as error:
                    ended = None
                    self._tell(f"○ {error}")
                else:
                    ended = now
                    self._tell("ended")
            if previous:
                return
            await asyncio.sleep(_AGAIN_S)

    async def _read(self, name: str, previous: bool) -> None:
        began = False
        self._tell("◐ reading…")
        async for lines in self._pods.log(self._node_id, name, previous=previous):
            self._lines = self._lines if began else []
            began = True
            self._lines.extend(lines)
            if len(self._lines) > _MOST_LINES:
                del self._lines[: _MOST_LINES // 2]
            if not self.is_attached:
                return
            self.query_one(Tail).show(self._lines)
            self._tell("of the container before it" if previous else "● following")

    # Drawing

    def _tell(self, state: str) -> None:
        self._state = state
        self._draw()

    def _draw(self) -> None:
        if not self.is_attached:
            return
        self.query_one("#title", Static).update(to_content(self._title()))
        parts = [
            Part(self._choice(one), drop=index, verb=f"container={one.name}")
            for index, one in enumerate(self._containers)
        ]
        self.query_one("#containers", FittedLine).show(parts)

    def _title(self) -> Cell:
        style = "$state-failed" if self._state.startswith("○") else "$quiet"
        heads = (cell(("LOG OF ", "bold $heading"), self._node_id), cell((self._selected, "bold")))
        return joined("   ", (*heads, cell((self._state, style))))

    def _choice(self, one: PodContainer) -> Cell:
        shown = container_cell(one)
        if one.name == self._selected:
            (name, _), *rest = shown
            return ((name, "bold reverse"), *rest)
        return shown
