"""Group rules as values (config.md 13.1, cases GRP-*)."""

import pytest

from swapper.config.schema import GroupConfig
from swapper.core.ids import ModelId
from swapper.planner import GroupPlanner

A, B, C = ModelId("a"), ModelId("b"), ModelId("c")


def planner(*groups: GroupConfig) -> GroupPlanner:
    return GroupPlanner({group.id: group for group in groups})


def default(*members: ModelId) -> GroupConfig:
    return GroupConfig(id="(default)", members=members)


def test_grp_1_siblings_of_a_swap_group_go() -> None:
    assert planner(default(A, B)).eviction_for(B, [A]) == (A,)


def test_grp_2_siblings_stay_without_swap() -> None:
    group = GroupConfig(id="g", swap=False, members=(A, B))

    assert planner(group, default()).eviction_for(B, [A]) == ()


def test_grp_3_exclusiveness_works_one_way_only() -> None:
    rules = planner(GroupConfig(id="g", exclusive=False, members=(B,)), default(A))

    assert rules.eviction_for(B, [A]) == ()
    assert rules.eviction_for(A, [B]) == (B,)


def test_grp_4_persistent_members_survive_other_groups() -> None:
    rules = planner(GroupConfig(id="g", persistent=True, members=(A,)), default(B))

    assert rules.eviction_for(B, [A]) == ()


def test_grp_5_persistent_does_not_protect_inside_the_own_group() -> None:
    rules = planner(GroupConfig(id="g", persistent=True, members=(A, B)), default())

    assert rules.eviction_for(B, [A]) == (A,)


@pytest.mark.parametrize("running", [[A, B], [B], []])
def test_eviction_is_a_subset_of_running_in_its_order(running: list[ModelId]) -> None:
    rules = planner(default(A, B, C))

    assert rules.eviction_for(C, running) == tuple(running)
