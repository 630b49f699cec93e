"""Which running models must stop before a target can run: pure, looked up by name."""

from swapper.planner.base import Explaining, Learning, Planner, Standing, Standings
from swapper.planner.budget import BudgetPlan, BudgetPlanner
from swapper.planner.group import GroupPlanner
from swapper.planner.matrix import MatrixPlan, MatrixPlanner
from swapper.planner.registry import make_planner

__all__ = [
    "BudgetPlan",
    "BudgetPlanner",
    "Explaining",
    "GroupPlanner",
    "Learning",
    "MatrixPlan",
    "MatrixPlanner",
    "Planner",
    "Standing",
    "Standings",
    "make_planner",
]
