"""Loads that fail for lack of memory."""

import pytest

from swapper.config.learnt import Footprint, Lack
from swapper.core.errors import (
    ExitedError,
    HealthCheckTimeoutError,
    OutOfMemoryError,
    ProcessError,
    SpawnError,
)
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.planner import BudgetPlanner
from swapper.scheduler import (
    Effect,
    FifoScheduler,
    Grant,
    MemoryNeeds,
    QueueRules,
    Refuse,
    Remark,
    StartModel,
    StopModel,
    StopReason,
)
from swapper.scheduler.lack import lack_of
from tests.fakes.budgets import budget
from tests.fakes.scheduling import group_planner, model_configs, ticket

A, B, C = map(ModelId, "abc")
R1, R2, R3, R4 = map(RunId, (1, 2, 3, 4))
MODELS = model_configs("abc")
CARD = budget({"gpu": 24}, a={"gpu": 10}, b={"gpu": 8}, c={"gpu": 4})
AGAIN = "lacked memory and is tried once more; it needs at least 17.6 of gpu"


def failed(*lines: str, returncode: int = 1, oom: bool | None = None) -> ExitedError:
    return ExitedError(
        A, returncode, while_starting=True, log_tail=lines, oom_killed=oom
    )


OUT_OF_MEMORY = failed("ggml_backend_cuda: CUDA error: out of memory")


# --- what it says --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "lack"),
    [
        ("CUDA error: out of memory", Lack.GPU),
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
            Lack.GPU,
        ),
        ("ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed", Lack.GPU),
        ("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate", Lack.GPU),
        (
            "ggml_vulkan: Device memory allocation failed: ErrorOutOfDeviceMemory",
            Lack.GPU,
        ),
        ("terminate called after throwing an instance of 'std::bad_alloc'", Lack.RAM),
        ("numpy._core._exceptions._ArrayMemoryError", Lack.RAM),
        ("mmap: Cannot allocate memory", Lack.RAM),
        ("failed to allocate buffer of size 123", Lack.UNTOLD),
        ("Out of memory", Lack.UNTOLD),
        ("failed to load model: no such file", None),
        ("", None),
    ],
)
def test_the_last_line_that_speaks_of_memory_tells(
    line: str, lack: Lack | None
) -> None:
    assert lack_of(failed("loading", line, "error: cannot go on")) is lack
    assert lack_of(HealthCheckTimeoutError(A, "late", log_tail=[line])) is lack


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (failed(returncode=-9, oom=True), Lack.RAM),
        (failed(returncode=137, oom=True), Lack.RAM),
        (failed(returncode=-9, oom=None), Lack.RAM),
        (failed(returncode=-9, oom=False), None),  # somebody else has killed it
        (failed(returncode=-15, oom=True), None),
        (SpawnError(A, "no such program"), None),
    ],
)
def test_so_does_the_kernel(error: ProcessError, lack: Lack | None) -> None:
    assert lack_of(error) is lack


# --- what comes of it ----------------------------------------------------------------


def loading(
    *running: tuple[ModelId, RunId], needs: MemoryNeeds | None = None
) -> FifoScheduler:
    """Return one with *running* idle and ready, and ``a`` loading for ticket 10."""
    made = FifoScheduler(MODELS, BudgetPlanner(CARD), needs=needs)
    for model, run in running:
        made.submit(ticket(int(run), model), 1.0)
        made.started(model, run, None, 1.0)
        made.serve_done(TicketId(int(run)), 1.0)
    last = RunId(len(running) + 1)
    assert made.submit(ticket(10, "a"), 10.0) == [StartModel(A, last)]
    return made


def swapped_out(model: ModelId, run: RunId) -> StopModel:
    return StopModel(model, run, StopReason.SWAP, A)


def test_it_needs_more_than_was_free_and_is_tried_once_more() -> None:
    """16 of 24 were free beside ``b``, and not enough."""
    made = loading((B, R1))

    assert made.started(A, R2, OUT_OF_MEMORY, 11.0) == [
        Remark(A, AGAIN),
        swapped_out(B, R1),
    ]
    assert made.stopped(A, R2, 12.0) == []
    assert made.stopped(B, R1, 13.0) == [StartModel(A, R3)]
    assert made.started(A, R3, None, 14.0) == [Grant(ticket(10, "a"), R3)]


def test_the_second_failure_is_the_answer_and_says_so() -> None:
    made = loading((B, R1))
    made.started(A, R2, OUT_OF_MEMORY, 11.0)
    made.stopped(A, R2, 12.0)
    made.stopped(B, R1, 13.0)

    [refused] = made.started(A, R3, OUT_OF_MEMORY, 14.0)

    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, OutOfMemoryError)
    assert "model a lacks memory, also with more room: " in str(refused.error)
    assert "CUDA error: out of memory" in str(refused.error)
    assert refused.error.code == "out_of_memory"
    assert refused.error.detail["exit_code"] == 1


def test_another_failure_at_the_second_time_is_told_as_it_is() -> None:
    made = loading((B, R1))
    made.started(A, R2, OUT_OF_MEMORY, 11.0)
    made.stopped(A, R2, 12.0)
    made.stopped(B, R1, 13.0)
    other = failed("no such file")

    assert made.started(A, R3, other, 14.0) == [Refuse(ticket(10, "a"), other)]


def test_as_much_goes_as_is_needed_and_no_more() -> None:
    made = loading((B, R1), (C, R2))  # 12 were free: 13.2 and c are less than 24

    effects = made.started(A, R3, OUT_OF_MEMORY, 11.0)

    assert [e for e in effects if isinstance(e, StopModel)] == [swapped_out(B, R1)]


@pytest.mark.parametrize(
    "error", [failed("no such file"), failed("killed", returncode=-9, oom=False)]
)
def test_what_fails_for_something_else_is_not_tried_again(error: ExitedError) -> None:
    made = loading((B, R1))

    assert made.started(A, R2, error, 11.0) == [Refuse(ticket(10, "a"), error)]


def test_where_nobody_could_make_room_it_is_not_tried_again() -> None:
    kept = MemoryNeeds()
    made = loading(needs=kept)

    assert made.started(A, R1, OUT_OF_MEMORY, 11.0) == [
        Refuse(ticket(10, "a"), OUT_OF_MEMORY)
    ]
    assert kept.all() == {}


def test_other_planners_know_nothing_of_it() -> None:
    made = FifoScheduler(MODELS, group_planner(g="abc"))
    made.submit(ticket(1, "a"), 1.0)

    assert made.started(A, R1, OUT_OF_MEMORY, 2.0) == [
        Refuse(ticket(1, "a"), OUT_OF_MEMORY)
    ]


def test_nothing_is_tried_again_for_nobody() -> None:
    kept = MemoryNeeds()
    made = loading((B, R1), needs=kept)
    made.cancel(TicketId(10), 10.5)

    assert made.started(A, R2, OUT_OF_MEMORY, 11.0) == []
    assert made.stopped(A, R2, 12.0) == []
    assert kept.all()[A].at_least["gpu"] > 16  # but it is known


def test_who_comes_later_waits_for_the_second_try_too() -> None:
    made = loading((B, R1))
    made.started(A, R2, OUT_OF_MEMORY, 11.0)
    assert made.submit(ticket(12, "a"), 12.0) == []
    made.stopped(A, R2, 12.0)
    made.stopped(B, R1, 13.0)

    refused = made.started(A, R3, OUT_OF_MEMORY, 14.0)

    assert [e.ticket.id for e in refused if isinstance(e, Refuse)] == [10, 12]


def test_a_later_request_has_a_second_try_of_its_own() -> None:
    made = loading((B, R1))
    made.started(A, R2, OUT_OF_MEMORY, 11.0)
    made.unload(UnloadId(1), {A}, 11.5)
    made.stopped(A, R2, 12.0)
    made.stopped(B, R1, 13.0)
    made.submit(ticket(20, "c"), 20.0)
    made.started(C, R3, None, 21.0)
    made.serve_done(TicketId(20), 21.0)
    made.submit(ticket(30, "a"), 30.0)

    effects = made.started(A, R4, OUT_OF_MEMORY, 31.0)

    assert swapped_out(C, R3) in effects
    assert not any(isinstance(effect, Refuse) for effect in effects)


def test_what_a_load_has_failed_with_is_kept_until_a_reload() -> None:
    kept = MemoryNeeds()
    made = loading((B, R1), needs=kept)
    made.started(A, R2, OUT_OF_MEMORY, 11.0)
    later = FifoScheduler(MODELS, BudgetPlanner(CARD), needs=kept)
    later.submit(ticket(1, "b"), 1.0)
    later.started(B, R1, None, 1.0)
    later.serve_done(TicketId(1), 1.0)

    assert later.submit(ticket(2, "a"), 2.0) == [swapped_out(B, R1)]
    later.reload(MODELS, BudgetPlanner(CARD), QueueRules(), 3.0)
    later.stopped(B, R1, 4.0)
    assert not kept.all()[A].at_least
    effects: list[Effect] = later.submit(ticket(5, "b"), 5.0)
    assert effects == [StartModel(B, R3)]  # beside a


def test_what_was_measured_later_does_not_take_back_that_it_failed() -> None:
    kept = MemoryNeeds()
    made = loading((B, R1), needs=kept)
    made.started(A, R2, OUT_OF_MEMORY, 11.0)
    made.stopped(A, R2, 12.0)
    made.stopped(B, R1, 13.0)
    made.started(A, R3, None, 14.0)
    made.measured(A, R3, Footprint(ram_bytes=1), 15.0)

    assert kept.all()[A].at_least["gpu"] > 16
    assert kept.all()[A].footprint == Footprint(ram_bytes=1)
