"""Who holds what on GPUs, out of what tools print."""

import pytest

from swapper.hardware.holders import GpuMemory, Holders, held_by, parse_holders

GPUS = "0, GPU-aa, 1500\n1, GPU-bb, [N/A]\nno devices\n"
PROCESSES = """\
GPU-aa, 7, 1000
GPU-aa, 8, 24
GPU-bb, 7, 3
GPU-bb, 9, [N/A]
GPU-of-somebody-else, 7, 5
No running processes found
"""
MB = 1 << 20
HOLDERS = {
    0: GpuMemory({7: 1000 * MB, 8: 24 * MB}, 1500 * MB),
    1: GpuMemory({7: 3 * MB, 9: None}),
}


def test_tables_of_nvidia_smi_are_put_together() -> None:
    assert parse_holders(GPUS, PROCESSES) == HOLDERS


@pytest.mark.parametrize(
    ("pids", "holders", "held"),
    [
        ({7, 8, 99}, HOLDERS, {0: 1024 * MB, 1: 3 * MB}),
        ({99}, HOLDERS, {}),
        ({7, 9}, HOLDERS, None),
        ({7}, {0: GpuMemory()}, {}),
        ({7}, {0: GpuMemory({}, 500 * MB), 1: GpuMemory()}, {}),
        ({7}, {0: GpuMemory({}, 500 * MB), 1: GpuMemory({}, 2000 * MB)}, None),
        ({7}, {0: GpuMemory({9: 5}, 500 * MB), 1: GpuMemory({}, 2000 * MB)}, {}),
        ({7}, None, None),
    ],
)
def test_what_a_tree_holds_is_known_only_if_all_of_it_is(
    pids: set[int], holders: Holders | None, held: dict[int, int] | None
) -> None:
    assert held_by(frozenset(pids), holders) == held


@pytest.mark.parametrize(
    ("memory", "nobodys"),
    [
        (HOLDERS[0], 476 * MB),
        (GpuMemory({}, 5), 5),
        (GpuMemory({7: 9}, 5), 0),  # asked at two moments
        (GpuMemory({7: None}, 5), None),
        (HOLDERS[1], None),
    ],
)
def test_what_nobody_has_is_known_only_if_all_else_is(
    memory: GpuMemory, nobodys: int | None
) -> None:
    assert memory.nobodys == nobodys
