"""The router with its real thread, real callers and fake processes."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from swapper.core.errors import (
    ClientGoneError,
    ModelUnloadedError,
    NotFoundError,
    RequestCancelledError,
    RequestError,
    ShuttingDownError,
    StartAbortedError,
)
from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.router import Lease, LocalRouter, PendingLease
from swapper.router.messages import Inspect
from swapper.scheduler import FifoScheduler, WaitingModel
from swapper.sync import CancelToken, Reply
from tests.fakes.processes import Processes
from tests.fakes.scheduling import group_planner, model_configs
from tests.fakes.waiting import wait_until
from tests.fakes.world import FakeClock

A, B, C = ModelId("a"), ModelId("b"), ModelId("c")
WAIT_S = 20


def place(pending: PendingLease) -> int | None:
    standing = pending.standing()
    return None if standing is None else standing.position


class Bench:
    """A router of a, b, c in one swapping group, and callers."""

    def __init__(self) -> None:
        self.processes = Processes()
        models = model_configs("abc")
        self.next_loads: list[ModelId] = []
        self.router = LocalRouter(
            models,
            FifoScheduler(models, group_planner(g="abc")),
            self.processes.spawn,
            on_next_load=lambda model: self.next_loads.append(model.id),
        )
        self.pool = ThreadPoolExecutor(60)
        self.router.start()

    def ask(self, model: ModelId, token: CancelToken | None = None) -> Future[Lease]:
        return self.pool.submit(self.router.acquire, model, token or CancelToken())

    def wait_for_queue(self, length: int) -> None:
        """Wait until so many tickets wait."""
        wait_until(lambda: len(self.router.queue()) == length)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for process in made.processes.values():
        process.hold_stop = process.hold_start = False
    made.router.shutdown(5)
    made.pool.shutdown()
    assert not [t for t in threading.enumerate() if t.name == "router"]


def test_who_will_load_next_is_told_once(bench: Bench) -> None:
    first = bench.ask(A).result(WAIT_S)
    waiting = [bench.ask(B), bench.ask(B)]
    bench.wait_for_queue(2)
    waiting.append(bench.ask(C))
    bench.wait_for_queue(3)
    assert bench.next_loads == [B]

    first.done()
    for lease in waiting:
        lease.result(WAIT_S).done()

    assert bench.next_loads == [B, C]


def test_fifty_concurrent_cold_requests_cause_one_start(bench: Bench) -> None:
    bench.processes[A].hold_start = True
    leases = [bench.ask(A) for _ in range(50)]
    bench.wait_for_queue(50)
    bench.processes[A].finish_start()

    assert len({lease.result(WAIT_S).run for lease in leases}) == 1
    assert len(bench.processes[A].starts) == 1


def test_a_request_for_another_model_waits_for_the_running_one(bench: Bench) -> None:
    running = bench.ask(A).result(WAIT_S)
    waiting = bench.ask(B)
    bench.wait_for_queue(1)

    assert bench.processes[A].stops == []
    running.done()
    running.done()
    waiting.result(WAIT_S).done()
    assert len(bench.processes[A].stops) == 1


def test_unknown_models_are_refused(bench: Bench) -> None:
    with pytest.raises(NotFoundError):
        bench.router.acquire(ModelId("zz"), CancelToken())


def test_a_failed_start_raises_the_process_error_in_every_caller(
    bench: Bench,
) -> None:
    bench.processes[A].hold_start = True
    bench.processes[A].start_error = StartAbortedError(A, "boom")
    asked = [bench.ask(A) for _ in range(3)]
    bench.wait_for_queue(3)
    bench.processes[A].finish_start()

    for caller in asked:
        with pytest.raises(StartAbortedError, match="boom"):
            caller.result(WAIT_S)


def test_a_caller_that_leaves_ends_its_wait_and_is_forgotten(bench: Bench) -> None:
    running = bench.ask(A).result(WAIT_S)
    token = CancelToken()
    waiting = bench.ask(B, token)
    bench.wait_for_queue(1)
    token.cancel()

    with pytest.raises(ClientGoneError):
        waiting.result(WAIT_S)
    bench.wait_for_queue(0)
    running.done()
    assert bench.processes[B].starts == []


def test_callers_that_leave_while_being_granted_leave_no_lease(bench: Bench) -> None:
    for _ in range(300):
        token = CancelToken()
        asked = bench.ask(A, token)
        token.cancel()
        with contextlib.suppress(ClientGoneError):
            asked.result(WAIT_S).done()

    bench.ask(B).result(WAIT_S).done()  # only possible if nothing counts on A


def test_a_pending_lease_knows_its_place(bench: Bench) -> None:
    running = bench.router.submit(A, CancelToken())
    assert place(running) in {None, 0}
    lease = running.wait(WAIT_S)
    assert place(running) is None
    waiting = [bench.router.submit(m, CancelToken()) for m in (B, C, B)]

    assert [place(w) for w in waiting] == [1, 2, 3]
    with pytest.raises(TimeoutError):
        waiting[1].wait(0)
    waiting[0].close()
    assert [place(w) for w in waiting] == [None, 1, 2]
    bench.processes[C].hold_start = True
    lease.done()
    assert [place(waiting[1]), place(waiting[2])] == [0, 1]
    waiting[2].close()
    bench.processes[C].finish_start()
    waiting[1].wait(WAIT_S).done()


def test_a_place_of_none_means_that_the_answer_is_there(bench: Bench) -> None:
    """No race: a ticket that was just submitted has been decided on."""
    bench.ask(A).result(WAIT_S).done()
    for _ in range(300):
        pending = bench.router.submit(A, CancelToken())
        assert place(pending) is None
        pending.wait(0).done()
    refused = bench.router.submit(ModelId("zz"), CancelToken())
    assert place(refused) is None
    with pytest.raises(NotFoundError):
        refused.wait(0)


def test_q2_a_cancelled_ticket_is_refused_with_503_and_forgotten(bench: Bench) -> None:
    running = bench.router.submit(A, CancelToken())
    lease = running.wait(WAIT_S)
    waiting = bench.router.submit(B, CancelToken())

    assert not running.cancel()
    assert waiting.cancel()
    assert not waiting.cancel()
    with pytest.raises(RequestCancelledError) as caught:
        waiting.wait(WAIT_S)
    assert (caught.value.status, caught.value.code) == (503, "cancelled")
    bench.wait_for_queue(0)
    lease.done()
    bench.ask(A).result(WAIT_S).done()
    assert bench.processes[B].starts == []


def test_closing_a_pending_lease_ends_the_lease_that_came_meanwhile(
    bench: Bench,
) -> None:
    for _ in range(300):
        bench.router.submit(A, CancelToken()).close()
    pending = bench.router.submit(A, CancelToken())
    assert pending.wait(WAIT_S).model == A
    pending.close()
    pending.close()

    bench.ask(B).result(WAIT_S).done()  # only possible if nothing counts on A


def test_a_token_cancelled_before_the_submit_leaves_nothing_behind(
    bench: Bench,
) -> None:
    bench.processes[A].hold_start = True
    token = CancelToken()
    token.cancel()
    with pytest.raises(ClientGoneError):
        bench.router.acquire(A, token)

    bench.wait_for_queue(0)


def test_unload_while_loading_then_a_new_request_succeeds(bench: Bench) -> None:
    bench.processes[A].hold_start = True
    first = bench.ask(A)
    bench.wait_for_queue(1)
    unloading = bench.pool.submit(bench.router.unload, [A])
    with pytest.raises(ModelUnloadedError):
        first.result(WAIT_S)
    bench.processes[A].hold_start = False
    unloading.result(WAIT_S)

    assert bench.ask(A).result(WAIT_S).run == bench.processes[A].starts[1]


def test_a_slow_stop_does_not_delay_other_models_or_the_loop(bench: Bench) -> None:
    bench.ask(A).result(WAIT_S).done()
    bench.processes[A].hold_stop = True
    unloading = bench.pool.submit(bench.router.unload, [A])
    assert bench.processes[A].stopping.acquire(timeout=WAIT_S)

    assert bench.router.states()[A] in {ProcessState.STOPPING, ProcessState.READY}
    assert bench.router.queue() == []  # the loop answers
    bench.processes[A].finish_stop()
    unloading.result(WAIT_S)
    assert bench.router.states()[A] is ProcessState.STOPPED


def test_evicted_models_get_their_own_unload_timeout_as_grace(bench: Bench) -> None:
    """R8: not the health check timeout."""
    bench.ask(A).result(WAIT_S).done()
    bench.ask(B).result(WAIT_S).done()

    assert bench.processes[A].stops == [(bench.processes[A].starts[0], 10)]


def test_shutdown_answers_everybody_and_ends_the_thread(bench: Bench) -> None:
    bench.processes[A].hold_start = True
    loading, queued = bench.ask(A), bench.ask(B)
    late = bench.router.submit(C, CancelToken())
    bench.wait_for_queue(3)

    assert bench.router.shutdown(5)
    for caller in (loading, queued):
        with pytest.raises(ShuttingDownError):
            caller.result(WAIT_S)
    with pytest.raises(ShuttingDownError):
        bench.router.acquire(A, CancelToken())
    assert place(late) is None
    late.close()
    assert not bench.router.shutdown(5)
    bench.router.unload()
    assert set(bench.router.states().values()) == {ProcessState.SHUTDOWN}


def test_a_crash_of_the_router_answers_everybody(bench: Bench) -> None:
    bench.processes[A].hold_start = True
    loading = bench.ask(A)
    bench.wait_for_queue(1)
    bench.router._loop.notify("not a message")  # type: ignore[arg-type]  # the crash

    with pytest.raises(RequestError):
        loading.result(WAIT_S)
    with pytest.raises(RequestError):
        bench.router.acquire(A, CancelToken())


class Noting(Reply[Sequence[WaitingModel]]):
    """Notes the thread that answers, and waits there for ``go_on``."""

    __slots__ = ("answering", "go_on", "name")

    def __init__(self) -> None:
        super().__init__()
        self.answering, self.go_on = threading.Event(), threading.Event()
        self.name = ""

    def offer(self, value: Sequence[WaitingModel]) -> bool:
        self.name = threading.current_thread().name
        self.answering.set()
        self.go_on.wait(WAIT_S)
        return super().offer(value)


def test_what_a_request_asks_is_handled_in_its_own_thread(bench: Bench) -> None:
    def asked_of() -> str:
        reply = Noting()
        reply.go_on.set()
        bench.router._loop.post(Inspect(reply))
        reply.wait(WAIT_S)
        return reply.name

    bench.router.queue()  # the router thread is there, and about to give the baton back

    assert threading.current_thread().name in {asked_of() for _ in range(1000)}


def test_what_comes_while_another_thread_is_the_router_is_handled_by_that(
    bench: Bench,
) -> None:
    bench.router.queue()
    first, second = Noting(), Noting()
    second.go_on.set()
    asking = bench.pool.submit(bench.router._loop.post, Inspect(first))
    assert first.answering.wait(WAIT_S)
    bench.router._loop.post(Inspect(second))
    assert not second.answering.is_set()
    first.go_on.set()
    asking.result(WAIT_S)
    second.wait(WAIT_S)

    assert second.name == first.name != threading.current_thread().name


def test_a_crash_in_a_requests_thread_ends_the_router_for_everybody(
    bench: Bench,
) -> None:
    bench.processes[A].hold_start = True
    loading = bench.ask(A)
    bench.wait_for_queue(1)
    bench.router._loop.post("not a message")  # type: ignore[arg-type]  # the crash

    with pytest.raises(RequestError):
        loading.result(WAIT_S)
    with pytest.raises(RequestError):
        bench.router.acquire(A, CancelToken())


def test_what_is_due_is_done_while_messages_never_cease() -> None:
    """A deadline does not wait until the inbox is empty."""
    clock, processes = FakeClock(), Processes()
    models = model_configs("a", ttl_s=10)
    scheduler = FifoScheduler(models, group_planner(g="a"))
    router = LocalRouter(models, scheduler, processes.spawn, clock=clock)
    router.start()
    router.acquire(A, CancelToken()).done()
    router.queue()
    held, go_on = threading.Event(), threading.Event()
    stops: list[int] = []

    class Held(Reply[Sequence[WaitingModel]]):
        def offer(self, value: Sequence[WaitingModel]) -> bool:
            held.set()
            go_on.wait(WAIT_S)
            return super().offer(value)

    class Looking(Reply[Sequence[WaitingModel]]):
        def offer(self, value: Sequence[WaitingModel]) -> bool:
            stops.append(len(processes[A].stops))
            return super().offer(value)

    router._loop.inbox.put(Inspect(Held()))
    assert held.wait(WAIT_S)
    for _ in range(3):
        router._loop.inbox.put(Inspect(Looking()))
    clock.now += 11.0
    go_on.set()
    router.queue()
    router.shutdown(5)

    assert stops == [0, 1, 1]


def test_many_callers_and_models_under_load_all_get_served(bench: Bench) -> None:
    def call(number: int) -> ModelId:
        lease = bench.router.acquire((A, B, C)[number % 3], CancelToken())
        lease.done()
        return lease.model

    served = list(bench.pool.map(call, range(600)))

    assert served == [(A, B, C)[number % 3] for number in range(600)]
