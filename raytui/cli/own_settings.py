"""A person's settings for one run of the screens: the file, and what flags say otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raytui.config.settings import Settings


def own_settings(*, theme: str | None = None, no_mouse: bool = False) -> Settings:
    """The settings, with a theme for all clusters and without the mouse where a flag says so."""
    from msgspec.structs import replace

    from raytui.config.settings_file import read_settings

    settings = read_settings()
    if theme:
        clusters = {name: replace(one, theme="") for name, one in settings.clusters.items()}
        settings = replace(settings, theme=theme, clusters=clusters)
    return replace(settings, mouse=False) if no_mouse else settings
