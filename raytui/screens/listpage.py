"""A page of a running cluster that is one long list."""

from __future__ import annotations

from raytui.screens.listframe import ListFrame
from raytui.screens.page import Page


class ListPage(ListFrame, Page):
    """Subclasses make the list and put snapshots into it."""
