"""Looking verbs up, and the keys of a page."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import Binding, BindingType

from raytui.screens.verb import Verb
from raytui.screens.verb_list import VERBS

_BY_ID = {verb.id: verb for verb in VERBS}
_BY_NAME = {name: verb for verb in VERBS for name in verb.names}


def verb(verb_id: str) -> Verb:
    """The verb with this id; KeyError when there is none."""
    return _BY_ID[verb_id]


def verb_named(name: str) -> Verb | None:
    """The verb called by this name after `:`, or None."""
    return _BY_NAME.get(name.lower())


def names() -> Sequence[str]:
    """All names that `:` knows."""
    return tuple(_BY_NAME)


def verbs_on(page: str) -> list[Verb]:
    """The verbs whose keys work on a page."""
    return [one for one in VERBS if page in one.pages]


def bindings_on(page: str) -> list[BindingType]:
    """Key bindings of a page; their ids are the verbs', so keys can be remapped."""
    return [
        # One that asks is carried out before the next key is looked at.
        Binding(one.keys, f"verb('{one.id}')", one.words, show=False, id=one.id, priority=one.asks)
        for one in verbs_on(page)
        if one.keys
    ]
