"""The palette (ctrl+p): every verb that can be asked for on the page below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from raytui.screens.keys import KeyNames
from raytui.screens.verb import Verb
from raytui.screens.verb_list import VERBS


class Performer(Protocol):
    """The page below: what it is called, its keys, and how it does what is asked."""

    page: str
    keys: KeyNames

    def perform(self, one: Verb, argument: str) -> None:
        """Do what a verb says."""
        ...


class VerbProvider(Provider):
    """Offers verbs that need no argument, and one entry for each theme."""

    async def discover(self) -> Hits:
        """What is offered before anything is typed."""
        for words, keys, command in self._offers():
            yield DiscoveryHit(_with_keys(Content(words), keys), command, text=words)

    async def search(self, query: str) -> Hits:
        """What matches `query`, best first."""
        matcher = self.matcher(query)
        for words, keys, command in self._offers():
            score = matcher.match(words)
            if score > 0:
                shown = _with_keys(matcher.highlight(words), keys)
                yield Hit(score, shown, command, text=words)

    def _offers(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        page = self._page
        for verb in VERBS:
            here = page.page in verb.pages or not verb.pages
            if here and not (verb.argument and not verb.keys):
                yield verb.words, page.keys.of(verb), self._call(verb)
        for name in sorted(self.app.available_themes):
            yield f"Theme: {name}", "", self._call(_THEME, name)

    def _call(self, verb: Verb, argument: str = "") -> Callable[[], None]:
        page = self._page
        return lambda: page.perform(verb, argument)

    @property
    def _page(self) -> Performer:
        page: Performer = self.screen  # type: ignore[assignment]  # every page of ours performs
        return page


def _with_keys(words: Content, keys: str) -> Content:
    return Content.assemble(words, (f"   {keys}", "bold $key")) if keys else words


_THEME = next(verb for verb in VERBS if verb.id == "theme")
