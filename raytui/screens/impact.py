"""What dies with a node, in lines for the dialog that asks before it happens."""

from __future__ import annotations

from collections.abc import Sequence

from raytui.autoscaler.consequences import impact_lines
from raytui.model.command import Impact
from raytui.widgets.cell import Cell, cell


def shell_command(instance_ids: Sequence[str], drain_s: float, wait_s: float = 0.0) -> str:
    """The same action for a shell."""
    wait = f" --wait {_option(wait_s)}" if wait_s else ""
    return f"raytui terminate {' '.join(instance_ids)} --drain {_option(drain_s)}{wait}"


def _option(seconds: float) -> str:
    return f"{seconds / 60:.0f}m" if seconds % 60 == 0 else f"{seconds:.0f}s"


def impact_cells(impact: Impact, node_type: str, id_width: int, type_width: int) -> list[Cell]:
    """Lines of one node: its id and type once, then what dies."""
    lines = []
    for index, line in enumerate(impact_lines(impact)):
        lead = (impact.instance_id, node_type) if index == 0 else ("", "")
        lines.append(
            cell(
                (f"{lead[0]:<{id_width}}  ", "bold"),
                (f"{lead[1]:<{type_width}}   ", "$quiet"),
                line,
            )
        )
    return lines
