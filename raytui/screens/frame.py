"""The frame of every page: status line above, keys below, and the verbs that need no cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Rule, Static

from raytui.screens.commandline import CommandLine
from raytui.screens.help import HelpScreen
from raytui.screens.keys import KeyNames
from raytui.screens.palette import VerbProvider
from raytui.screens.reading import ReadingScreen
from raytui.screens.verb import Verb, VerbError
from raytui.screens.verbs import verb
from raytui.screens.working import READ_ONLY, WorkingScreen
from raytui.widgets.cell import Cell, cell, to_content
from raytui.widgets.fitted import FittedLine


class Frame(WorkingScreen):
    """Subclasses fill the body and say what stands in the lines around it.

    `page` is the page's name in the list of verbs; its keys come from there.
    """

    page: ClassVar[str]
    COMMANDS: ClassVar[set[Any]] = {VerbProvider}
    CSS_PATH = ["frame.tcss"]  # noqa: RUF012 - Textual's own form

    def __init__(self, keys: KeyNames, messages: Sequence[str]) -> None:
        super().__init__()
        self.keys = keys
        self._messages = messages

    @property
    def read_only(self) -> bool:
        """Whether verbs that change a cluster are refused."""
        return False

    def compose(self) -> ComposeResult:
        """Status, banner, body, keys."""
        yield FittedLine(separator=cell((" · ", "$quiet")), id="status")
        yield Static("", id="banner", markup=False)
        yield Rule(line_style="solid", classes="frame")
        yield from self.compose_body()
        yield Rule(line_style="solid", classes="frame")
        yield FittedLine(separator=cell("  "), id="keys")

    def compose_body(self) -> Iterable[Widget]:
        """The page's own widgets."""
        raise NotImplementedError

    def refresh_view(self) -> None:
        """Bring the page up to what is known now; cheap when nothing changed."""
        raise NotImplementedError

    def show_time(self) -> None:
        """Let ages go on; called about once a second while in sight."""

    def on_screen_resume(self) -> None:
        """Catch up with what came while another page was in sight."""
        self.refresh_view()

    def show_banner(self, words: Cell) -> None:
        """A second line for what must not be overlooked; without words there is none."""
        line = self.query_one("#banner", Static)
        content = to_content(words)
        if line.display != bool(words):
            line.display = bool(words)
        if words and line.content != content:
            line.update(content)

    @on(FittedLine.Clicked)
    def _clicked(self, event: FittedLine.Clicked) -> None:
        self.action_verb(event.verb)

    # Verbs

    def action_verb(self, verb_id: str) -> None:
        """Do a verb that was asked for by key or click."""
        self.perform(verb(verb_id), "")

    def perform(self, one: Verb, argument: str) -> None:
        """Do a verb. Every way to ask comes through here, so here read-only mode refuses."""
        if one.mutates and self.read_only:
            self.say(f"{one.words.split(':')[0]}: {READ_ONLY}", severity="warning")
            return
        method = getattr(self, f"verb_{one.id.replace('-', '_')}", None)
        try:
            if method is None:
                raise VerbError(f"{one.words.split(':')[0]}: not on this page")
            method(argument)
        except VerbError as error:
            self.say(str(error), severity="warning")

    def say(self, words: str, *, severity: str = "information") -> None:
        """A toast; words of a cluster are never read as markup."""
        level = {"warning": "warning", "error": "error"}.get(severity, "information")
        self.app.notify(words, severity=level, markup=False)  # type: ignore[arg-type]

    def words_for(self, verb_id: str) -> Sequence[str]:
        """What may follow a verb after `:`, for completion."""
        return sorted(self.app.available_themes) if verb_id == "theme" else ()

    def verb_theme(self, argument: str) -> None:
        """Change the colours."""
        if argument not in self.app.available_themes:
            raise VerbError(f"themes: {', '.join(sorted(self.app.available_themes))}")
        self.app.theme = argument

    def verb_messages(self, _argument: str) -> None:
        """Show all toasts of this session in full."""
        text = "\n".join(self._messages) or "no messages so far"
        self.app.push_screen(ReadingScreen("Messages, newest first", text))

    def verb_help(self, _argument: str) -> None:
        """Help for this page."""
        self.app.push_screen(HelpScreen(self.page, self.keys, read_only=self.read_only))

    def verb_command(self, _argument: str) -> None:
        """Open the `:` line."""
        self.app.push_screen(CommandLine(self.words_for), self._perform_typed)

    def _perform_typed(self, typed: tuple[Verb, str] | None) -> None:
        if typed is not None:
            self.perform(*typed)

    def verb_back(self, _argument: str) -> None:
        """Nothing is behind the first page."""

    async def _quit(self) -> None:
        await self.app.action_quit()

    def verb_quit(self, _argument: str) -> None:
        """Leave, perhaps after a question."""
        self.work(self._quit(), group="quit")
