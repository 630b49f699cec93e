"""Which running models must stop before a target can run: pure, looked up by name."""

from swapper.planner.base import Planner
from swapper.planner.group import GroupPlanner
from swapper.planner.matrix import MatrixPlan, MatrixPlanner
from swapper.planner.registry import make_planner

__all__ = ["GroupPlanner", "MatrixPlan", "MatrixPlanner", "Planner", "make_planner"]
