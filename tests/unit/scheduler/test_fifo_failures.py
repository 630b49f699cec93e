"""Starts that fail again and again (R10), and runs that take no request (R11)."""

import pytest

from swapper.core.errors import (
    ExitedError,
    HealthCheckTimeoutError,
    NotFoundError,
    ProcessError,
    ShuttingDownError,
    SpawnError,
    StartAbortedError,
    StartsRefusedError,
)
from swapper.core.ids import ModelId, RunId, TicketId
from swapper.scheduler import (
    Admission,
    Effect,
    FifoScheduler,
    Grant,
    QueueRules,
    Refuse,
    StartModel,
    StopModel,
    StopReason,
)
from tests.fakes.scheduling import group_planner, model_configs, queue_of, ticket

A, B = ModelId("a"), ModelId("b")
R1, R2 = RunId(1), RunId(2)


def swapping() -> FifoScheduler:
    return FifoScheduler(model_configs("ab"), group_planner(g="ab"))


def crash(model: ModelId = A) -> ExitedError:
    return ExitedError(
        model, 3, while_starting=True, log_tail=("no weights",), duration_s=0.5
    )


class Asker:
    """Asks for model a, whose starts end as told."""

    def __init__(self, scheduler: FifoScheduler) -> None:
        self.scheduler = scheduler
        self.numbers = 0

    def ask(
        self,
        now: float,
        error: ProcessError | None = None,
        admission: Admission = Admission.SERVE,
    ) -> Exception | None:
        """Return what became of the request; None if it was granted."""
        self.numbers += 1
        effects = self.scheduler.submit(ticket(self.numbers, "a", admission), now)
        if not effects:
            pytest.fail("it waits")
        if isinstance(effects[0], StartModel):
            run = effects[0].run
            effects = self.scheduler.started(A, run, error, now)
            if error is not None:
                self.scheduler.stopped(A, run, now)
        if isinstance(effects[0], Refuse):
            return effects[0].error
        assert isinstance(effects[0], Grant)
        self.scheduler.serve_done(TicketId(self.numbers), now)
        return None

    def fail(self, times: int, now: float, error: ProcessError | None = None) -> None:
        for _ in range(times):
            given = error or crash()
            assert self.ask(now, given) is given


@pytest.fixture
def asker() -> Asker:
    return Asker(swapping())


def test_r10_three_failures_in_a_row_have_later_requests_refused(asker: Asker) -> None:
    asker.fail(3, 100.0)

    error = asker.ask(100.2)

    assert isinstance(error, StartsRefusedError)
    assert (error.status, error.code) == (503, "start_refused")
    assert error.headers == {"Retry-After": "1"}
    assert "model a has failed to start 3 times in a row" in str(error)
    assert "possible in 1 s" in str(error)
    assert "exit code 3" in str(error)
    assert "no weights" in str(error)
    assert error.detail == {
        "model": A,
        "exit_code": 3,
        "duration_s": 0.5,
        "log_tail": ["no weights"],
        "cause": crash().cause,
        "failures": 3,
        "retry_after_s": 1,
    }


def test_r10_the_pause_doubles_from_one_second_to_sixty(asker: Asker) -> None:
    asker.fail(3, 0.0)
    pauses = []
    now = 0.0
    for _ in range(9):
        error = asker.ask(now)
        assert isinstance(error, StartsRefusedError)
        pauses.append(error.retry_after_s)
        assert isinstance(asker.ask(now + error.retry_after_s - 0.01), type(error))
        now += error.retry_after_s
        asker.fail(1, now)

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(
    "error",
    [
        crash(),
        SpawnError(A, "no such program"),
        HealthCheckTimeoutError(A, "health check timed out after 5s"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_r10_every_kind_of_failed_start_counts(
    asker: Asker, error: ProcessError
) -> None:
    asker.fail(3, 0.0, error)

    assert isinstance(asker.ask(0.0), StartsRefusedError)


def test_r10_a_start_that_was_called_off_has_not_failed(asker: Asker) -> None:
    asker.fail(2, 0.0)
    asker.fail(5, 0.0, StartAbortedError(A, "called off"))

    assert asker.ask(0.0) is None


def test_r10_two_failures_refuse_nothing_and_a_success_forgets_them(
    asker: Asker,
) -> None:
    asker.fail(2, 0.0)
    assert asker.ask(0.0) is None
    asker.scheduler.exited(A, RunId(3), 1.0)
    asker.scheduler.stopped(A, RunId(3), 1.0)
    asker.fail(2, 2.0)

    assert asker.ask(2.0) is None


def test_r10_a_success_after_the_pause_forgets_all_failures(asker: Asker) -> None:
    asker.fail(3, 0.0)
    assert asker.ask(1.0) is None
    asker.scheduler.exited(A, RunId(4), 2.0)
    asker.scheduler.stopped(A, RunId(4), 2.0)
    asker.fail(2, 3.0)

    assert asker.ask(3.0) is None


def test_r10_a_reload_forgets_all_failures(asker: Asker) -> None:
    asker.fail(3, 0.0)
    asker.scheduler.reload(
        model_configs("ab"), group_planner(g="ab"), QueueRules(), 0.1
    )

    assert asker.ask(0.2) is None


def test_r10_an_explicit_load_tries_at_once(asker: Asker) -> None:
    asker.fail(3, 0.0)
    assert isinstance(asker.ask(0.1), StartsRefusedError)

    assert asker.ask(0.2, admission=Admission.LOAD) is None


def test_r10_who_waits_while_the_third_start_fails_is_refused_too() -> None:
    """Held back by another's turn, they were no waiters of that start."""
    scheduler = swapping()
    asker = Asker(scheduler)
    asker.fail(2, 0.0)
    scheduler.submit(ticket(10, "a"), 10.0)
    scheduler.submit(ticket(11, "b"), 11.0)
    assert scheduler.submit(ticket(80, "a"), 80.0) == []  # b's turn is owed
    effects: list[Effect] = scheduler.started(A, RunId(3), crash(), 81.0)

    refused = [(e.ticket.id, type(e.error)) for e in effects if isinstance(e, Refuse)]
    assert refused == [(10, ExitedError), (80, StartsRefusedError)]


def test_r10_other_models_are_not_concerned(asker: Asker) -> None:
    asker.fail(3, 0.0)

    assert asker.scheduler.submit(ticket(50, "b"), 0.1) == [StartModel(B, RunId(4))]


# -- R11 ------------------------------------------------------------------------


def granted(scheduler: FifoScheduler, number: int = 1) -> None:
    scheduler.submit(ticket(number, "a"), float(number))
    scheduler.started(A, R1, None, float(number))


def test_r11_a_request_that_the_run_did_not_take_waits_for_the_next_run() -> None:
    scheduler = swapping()
    granted(scheduler)

    assert scheduler.requeue(ticket(1, "a"), R1, 2.0) == []
    assert [q.ticket for q in queue_of(scheduler)] == [ticket(1, "a")]
    assert scheduler.exited(A, R1, 2.1) == []
    assert scheduler.stopped(A, R1, 2.2) == [StartModel(A, R2)]
    assert scheduler.started(A, R2, None, 3.0) == [Grant(ticket(1, "a"), R2)]


def test_r11_it_keeps_its_age() -> None:
    scheduler = swapping()
    granted(scheduler)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.requeue(ticket(1, "a"), R1, 3.0)

    assert [q.ticket.id for q in queue_of(scheduler)] == [1, 2]


def test_r11_if_the_run_had_ended_already_the_next_one_starts_at_once() -> None:
    scheduler = swapping()
    granted(scheduler)
    scheduler.exited(A, R1, 2.0)
    scheduler.stopped(A, R1, 2.0)

    assert scheduler.requeue(ticket(1, "a"), R1, 2.1) == [StartModel(A, R2)]


def test_r11_a_run_that_goes_on_is_trusted_again_after_a_second() -> None:
    scheduler = swapping()
    granted(scheduler)
    scheduler.requeue(ticket(1, "a"), R1, 2.0)

    assert scheduler.submit(ticket(2, "a"), 2.5) == []  # it would meet the same
    assert scheduler.next_deadline() == 3.0
    assert scheduler.tick(3.0) == [
        Grant(ticket(1, "a"), R1),
        Grant(ticket(2, "a"), R1),
    ]
    assert scheduler.next_deadline() is None


def test_r11_a_doubted_run_is_granted_to_nobody_else_either() -> None:
    scheduler = swapping()
    granted(scheduler)
    scheduler.requeue(ticket(1, "a"), R1, 2.0)
    scheduler.cancel(TicketId(1), 2.1)

    assert scheduler.submit(ticket(2, "a"), 2.5) == []
    assert scheduler.tick(3.0) == [Grant(ticket(2, "a"), R1)]


def test_r11_a_lease_given_back_counts_no_more() -> None:
    scheduler = swapping()
    granted(scheduler)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.submit(ticket(3, "a"), 3.0)
    scheduler.requeue(ticket(1, "a"), R1, 3.5)
    scheduler.cancel(TicketId(1), 3.6)

    assert scheduler.serve_done(TicketId(3), 4.0) == [
        StopModel(A, R1, StopReason.SWAP, B)
    ]
    assert scheduler.serve_done(TicketId(1), 4.1) == []


def test_r11_b_gets_the_room_that_a_dead_model_leaves() -> None:
    scheduler = swapping()
    granted(scheduler, 5)
    scheduler.submit(ticket(2, "b"), 5.0)  # older than the one requeued

    assert scheduler.requeue(ticket(5, "a"), R1, 6.0) == [
        StopModel(A, R1, StopReason.SWAP, B)
    ]


def test_r11_a_shutdown_refuses_it() -> None:
    scheduler = swapping()
    granted(scheduler)
    scheduler.shutdown(2.0)

    (refused,) = scheduler.requeue(ticket(1, "a"), R1, 3.0)

    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, ShuttingDownError)


def test_r11_a_model_that_was_removed_meanwhile_refuses_it() -> None:
    scheduler = swapping()
    granted(scheduler)
    scheduler.reload(model_configs("b"), group_planner(g="b"), QueueRules(), 2.0)

    refused, stopped = scheduler.requeue(ticket(1, "a"), R1, 3.0)

    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, NotFoundError)
    assert stopped == StopModel(A, R1, StopReason.RELOAD)
