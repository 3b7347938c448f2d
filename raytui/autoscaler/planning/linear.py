"""Linear and integer programs, solved by HiGHS; the only module that knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

INFINITY = float("inf")


@dataclass(slots=True)
class Program:
    """Minimise the cost of non-negative variables under rows of `lower <= sum <= upper`."""

    costs: list[float] = field(default_factory=list)
    rows: list[tuple[float, float]] = field(default_factory=list)
    columns: list[Mapping[int, float]] = field(default_factory=list)
    """For each variable: row to coefficient."""

    def row(self, lower: float, upper: float = INFINITY) -> int:
        """Add a row and return its number."""
        self.rows.append((lower, upper))
        return len(self.rows) - 1

    def variable(self, cost: float, column: Mapping[int, float]) -> int:
        """Add a variable and return its number."""
        self.costs.append(cost)
        self.columns.append(column)
        return len(self.costs) - 1


@dataclass(frozen=True, slots=True)
class Answer:
    """An optimal answer, or for integer programs the best one found within the limit."""

    cost: float
    values: list[float]
    duals: list[float]
    """What one more unit of each row's bound would cost; empty for integer programs."""


def available() -> bool:
    """Whether HiGHS is installed (the `ray` extra brings it)."""
    return _highs() is not None


@cache
def _highs() -> Any:
    try:
        import highspy
    except ImportError:
        return None
    return highspy


def solve(program: Program, *, integer_nodes: int = 0) -> Answer | None:
    """Solve; None when there is no answer, or no solver.

    With `integer_nodes` the variables are whole numbers and the search may use that many nodes
    of branch and bound. Effort is never limited by time, so answers are the same everywhere.
    """
    highs = _highs()
    if highs is None or not program.costs:
        return None
    model = highs.Highs()
    for name, value in (("output_flag", False), ("threads", 1), ("random_seed", 0)):
        model.setOptionValue(name, value)
    if integer_nodes:
        model.setOptionValue("mip_max_nodes", integer_nodes)
        model.setOptionValue("mip_rel_gap", 1e-3)
        # Finds nothing here that the others do not, and is most of a small program's time.
        model.setOptionValue("mip_heuristic_run_feasibility_jump", False)
    model.passModel(_as_lp(highs, program, whole=bool(integer_nodes)))
    model.run()
    statuses = highs.HighsModelStatus
    accepted = {statuses.kOptimal}
    if integer_nodes:
        accepted |= {statuses.kSolutionLimit, statuses.kIterationLimit}
    if model.getModelStatus() not in accepted:
        return None
    solution = model.getSolution()
    values = list(solution.col_value)
    if len(values) != len(program.costs):
        return None
    duals = [] if integer_nodes else list(solution.row_dual)
    return Answer(model.getInfo().objective_function_value, values, duals)


def _as_lp(highs: Any, program: Program, *, whole: bool) -> Any:
    import numpy as np

    lp = highs.HighsLp()
    count = len(program.costs)
    lp.num_col_, lp.num_row_ = count, len(program.rows)
    lp.col_cost_ = np.array(program.costs, dtype=float)
    lp.col_lower_ = np.zeros(count)
    lp.col_upper_ = np.full(count, highs.kHighsInf)
    lp.row_lower_ = np.array([lower for lower, _ in program.rows], dtype=float)
    lp.row_upper_ = np.array([min(upper, highs.kHighsInf) for _, upper in program.rows])
    starts, rows, values = [0], [], []
    for column in program.columns:
        for row in sorted(column):
            rows.append(row)
            values.append(column[row])
        starts.append(len(rows))
    lp.a_matrix_.format_ = highs.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.array(starts, dtype=np.int32)
    lp.a_matrix_.index_ = np.array(rows, dtype=np.int32)
    lp.a_matrix_.value_ = np.array(values, dtype=float)
    if whole:
        lp.integrality_ = [highs.HighsVarType.kInteger] * count
    return lp
