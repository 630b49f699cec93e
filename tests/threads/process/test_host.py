"""What many starts and stops leave behind: nothing."""

from tests.fakes.waiting import wait_until
from tests.threads.process.bench import (
    Bench,
    is_alive,
    open_fds,
    own_threads,
)


def test_many_starts_and_stops_leak_neither_threads_nor_descriptors(
    bench: Bench,
) -> None:
    models = [bench.model() for _ in range(3)]
    for model in models:
        model.run_until_ready(0)
        model.stop(0)
        model.stopped(0)
    wait_until(lambda: len(own_threads()) == len(models) + 1)
    fds = open_fds()

    for run in range(1, 9):
        for model in models:
            model.ensure_ready(run)
        for model in models:
            model.started(run)
            model.stop(run)
        for model in models:
            model.stopped(run)

    wait_until(lambda: len(own_threads()) == len(models) + 1)
    wait_until(lambda: open_fds() == fds)


def test_the_guard_is_there_with_the_first_model_and_gone_at_the_end(
    bench: Bench,
) -> None:
    model = bench.model()
    model.run_until_ready(1)
    guard = bench.host.guard_pid
    assert guard is not None
    assert is_alive(guard)

    model.supervisor.shutdown(1.0)
    assert model.supervisor.join(10.0)
    bench.host.close()

    assert not is_alive(guard)


def test_closing_a_host_without_models_does_nothing(bench: Bench) -> None:
    bench.host.close()

    assert bench.host.guard_pid is None
