"""The colour names that screens use beyond Textual's own, and what they are by default."""

from __future__ import annotations

from textual.color import Color
from textual.theme import Theme


def token_defaults(theme: Theme) -> dict[str, str]:
    """A value for every token, derived from a theme that does not know our tokens.

    CSS and drawn text use these names, so each must have a value under every theme.
    """
    generated = theme.to_color_system().generate()
    colour = {
        name: Color.parse(generated[name]) for name in ("foreground", "background", "primary")
    }
    ink, paper, primary = colour["foreground"], colour["background"], colour["primary"]
    ink = paper.blend(ink, ink.a, alpha=1.0)
    quiet = paper.blend(ink, 0.58, alpha=1.0).hex
    return {
        "quiet": quiet,
        "faint": paper.blend(ink, 0.2, alpha=1.0).hex,
        "rule": paper.blend(ink, 0.16, alpha=1.0).hex,
        "heading": paper.blend(primary, 0.8, alpha=1.0).hex,
        "key": generated["accent"],
        "bar": generated["primary"],
        "trend": quiet,
        "cursor-focused": paper.blend(primary, 0.28, alpha=1.0).hex,
        "cursor-blurred": paper.blend(ink, 0.08, alpha=1.0).hex,
        "state-running": generated["success"],
        "state-starting": generated["primary"],
        "state-idle": quiet,
        "state-draining": generated["warning"],
        "state-failed": generated["error"],
        "state-held": generated["accent"],
    }
