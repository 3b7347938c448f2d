"""How keys read, with a person's own key map applied."""

from __future__ import annotations

from collections.abc import Mapping

from raytui.screens.verb import Verb

_READABLE = {
    "full_stop": ".",
    "comma": ",",
    "space": "Space",
    "escape": "Esc",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "enter": "Enter",
    "tab": "Tab",
    "shift+tab": "Shift+Tab",
    "question_mark": "?",
    "exclamation_mark": "!",
    "slash": "/",
    "colon": ":",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
}


class KeyNames:
    """Names of the keys of verbs. `keymap` is verb id to Textual keys, as in the settings."""

    def __init__(self, keymap: Mapping[str, str] | None = None) -> None:
        self._keymap = dict(keymap or {})

    def of(self, verb: Verb) -> str:
        """The keys of a verb as people read them, e.g. `.` or `q Esc`."""
        return self.of_id(verb.id, verb.keys)

    def of_id(self, one: str, usual: str) -> str:
        """The keys of anything that has an id and usual keys."""
        keys = self._keymap.get(one, usual)
        return " ".join(_READABLE.get(key.strip(), key.strip()) for key in keys.split(","))
