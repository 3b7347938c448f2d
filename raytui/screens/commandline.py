"""The `:` line: verbs by name, with completion and with errors said in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.suggester import Suggester
from textual.widgets import Input, Static

from raytui.screens.dialog import Dialog
from raytui.screens.verb import Verb
from raytui.screens.verbs import names, verb_named

Words = Callable[[str], Sequence[str]]
"""Words that may follow a verb, by its id: node types, node ids, themes."""


class CommandLine(Dialog[tuple[Verb, str]]):
    """One line at the bottom; dismissed with a verb and what was typed after its name."""

    DEFAULT_CSS = """
    CommandLine {
        align: left bottom;
        background: transparent;
        & > .box {
            width: 100%; max-width: 100%; padding: 0 1; border: none; border-top: solid $rule;
            background: $surface;
        }
        & #prompt { height: 1; }
        & #prompt > Static { width: 1; color: $key; text-style: bold; }
        & Input {
            width: 1fr; padding: 0; background: $surface; &:focus { background: $surface; }
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False, priority=True, id="command-complete"),
    ]

    def __init__(self, words: Words) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        """What is possible above, the line below."""
        with Vertical(classes="box"):
            yield Static(_possible(""), classes="quiet", id="usage", markup=False)
            with Horizontal(id="prompt"):
                yield Static(":", markup=False)
                yield Input(suggester=_Completion(self._words))

    def action_complete(self) -> None:
        """Take the suggestion that stands behind the cursor."""
        self.query_one(Input).action_cursor_right()

    @on(Input.Changed)
    def _show_usage(self, event: Input.Changed) -> None:
        usage = self.query_one("#usage", Static)
        usage.set_classes("quiet")
        usage.update(_possible(event.value))

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        name, _, argument = event.value.strip().removeprefix(":").partition(" ")
        if not name:
            self.dismiss(None)
            return
        verb = verb_named(name)
        if verb is None:
            usage = self.query_one("#usage", Static)
            usage.set_classes("error")
            usage.update(f"there is no command “{name}”")
            return
        self.dismiss((verb, argument.strip()))


class _Completion(Suggester):
    def __init__(self, words: Words) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._words = words

    async def get_suggestion(self, value: str) -> str | None:
        """The first name, or the first word that may follow, that goes on from `value`."""
        name, space, argument = value.partition(" ")
        if not space:
            return next((n for n in names() if n.startswith(name)), None) if name else None
        verb = verb_named(name)
        if verb is None:
            return None
        before, _, last = argument.rpartition(" ")
        lead = f"{name} {before} " if before else f"{name} "
        found = next((w for w in self._words(verb.id) if last and w.startswith(last)), None)
        return lead + found if found else None


def _possible(text: str) -> str:
    name, space, _ = text.strip().removeprefix(":").partition(" ")
    verb = verb_named(name)
    if verb is not None:
        return f"{name} {verb.argument}".rstrip() + f"   {verb.words}"
    known = [n for n in names() if n.startswith(name)] if not space else []
    return "  ".join(known)
