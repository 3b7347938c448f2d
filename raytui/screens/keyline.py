"""The last line of every page: the pages, and the keys that matter here."""

from __future__ import annotations

from collections.abc import Iterable

from raytui.screens.keys import KeyNames
from raytui.screens.pages import OPENED_FROM, PAGE_TITLES
from raytui.screens.session import Session
from raytui.screens.verb import Verb
from raytui.screens.verbs import verb, verbs_on
from raytui.widgets.cell import Cell, cell
from raytui.widgets.fitted import Part

_ROOMY = 160
"""Terminal columns from which all pages are named; below, the others are numbers."""
_NAMED = 100
"""Those from which the list of clusters is."""


def key_parts(page: str, session: Session, keys: KeyNames, width: int) -> list[Part]:
    """The parts of the line for a terminal of `width` columns; refused verbs are greyed."""
    parts = [_page_part(name, page, keys, roomy=width >= _ROOMY) for name in PAGE_TITLES]
    if session.is_of_a_list:
        key, title = keys.of(verb("clusters")), " Clusters" if width >= _NAMED else ""
        parts.insert(0, Part(cell((key, "bold $key"), title), 2, verb="clusters"))
    for one in verbs_on(page):
        if one.short and _is_of_use(one, page, session):
            parts.append(_verb_part(one, session, keys))
    return parts


def list_key_parts(page: str, keys: KeyNames) -> list[Part]:
    """The parts of the line of a list that stands before the pages of any cluster."""
    opens = Part(cell(("Enter ", "bold $key"), ("open", "$quiet")), 2)
    shown = [one.id for one in verbs_on(page) if one.short and one.id != "back"]
    return [opens, *verb_parts(shown, keys)]


def verb_parts(verb_ids: Iterable[str], keys: KeyNames) -> list[Part]:
    """A part for each verb, with its key."""
    return [
        Part(_key_cell(one, one.short, keys), one.drop, verb=one.id) for one in map(verb, verb_ids)
    ]


def _key_cell(one: Verb, words: str, keys: KeyNames) -> Cell:
    return cell((keys.of(one).split(" ")[0] + " ", "bold $key"), (words, "$quiet"))


def _is_of_use(one: Verb, page: str, session: Session) -> bool:
    if one.id == "setup":
        types = session.snapshot.types if session.snapshot is not None else ()
        return any(row.starting for row in types)
    return not (one.id == "back" and page in PAGE_TITLES)


def _page_part(name: str, page: str, keys: KeyNames, *, roomy: bool) -> Part:
    number = keys.of(verb(name))
    if name == OPENED_FROM.get(page, page):
        return Part(cell((f"{number} {PAGE_TITLES[name]}", "bold reverse")), verb=name)
    title = f" {PAGE_TITLES[name]}" if roomy else ""
    return Part(cell((number, "bold $key"), title), 2, verb=name)


def _verb_part(one: Verb, session: Session, keys: KeyNames) -> Part:
    grey = one.mutates and session.client.read_only
    paused = session.snapshot is not None and bool(session.snapshot.paused_by)
    words = "resume" if one.id == "toggle-pause" and paused else one.short
    key = keys.of(one).split(" ")[0] + " "
    styles = ("$faint", "$faint") if grey else ("bold $key", "$quiet")
    return Part(cell((key, styles[0]), (words, styles[1])), one.drop, verb=one.id)
