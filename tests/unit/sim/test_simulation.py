"""What happens when: times that can be worked out by hand."""

import pytest

from swapper.core.ids import ModelId
from swapper.planner import make_planner
from swapper.scheduler import Effect, FifoScheduler, Ticket
from swapper.sim import History, Phase, Simulation, SimulationError
from swapper.sim.cli import config_of
from swapper.sim.history import Look, Span
from tests.fakes.simulating import models, simulate, trace_of

A, B = ModelId("a"), ModelId("b")


def answered(history: History) -> list[tuple[str, float, float | None, float | None]]:
    return [
        (r.client, r.submitted_s, r.answered_s, r.ended_s) for r in history.requests
    ]


def test_request_waits_for_load_stop_and_load() -> None:
    history = simulate(
        trace_of(
            models("ab"),
            {"client": "ann", "model": "a", "duration": 3},
            {"time": 1, "client": "bob", "model": "b", "duration": 4},
            {"time": 9, "client": "cid", "model": "a", "duration": 1},
        )
    )

    assert answered(history) == [
        ("ann", 0.0, 8.0, 11.0),
        ("bob", 1.0, 21.0, 25.0),
        ("cid", 9.0, 9.0, 10.0),
    ]
    assert history.loads == 2
    assert history.end_s == 25.0
    assert history.phases[A] == [
        (0.0, Phase.LOADING),
        (8.0, Phase.READY),
        (11.0, Phase.STOPPING),
        (13.0, Phase.STOPPED),
    ]


def test_client_of_a_chain_asks_again_when_it_has_thought() -> None:
    history = simulate(
        trace_of(
            models("a"),
            {"client": "x", "chain": ["a"], "duration": 2, "think": 0.5, "count": 3},
        )
    )

    assert answered(history) == [
        ("x", 0.0, 8.0, 10.0),
        ("x", 10.5, 10.5, 12.5),
        ("x", 13.0, 13.0, 15.0),
    ]


def test_idle_model_is_unloaded_after_its_ttl() -> None:
    head = {"models": {"a": {"load": 1, "stop": 1, "ttl": 5}}}
    history = simulate(
        trace_of(
            head,
            {"client": "x", "model": "a", "duration": 1},
            {"time": 20, "client": "x", "model": "a", "duration": 1},
        )
    )

    assert history.loads == 2
    assert (7.0, Phase.STOPPING) in history.phases[A]
    assert answered(history)[1] == ("x", 20.0, 21.0, 22.0)


def test_stop_that_takes_longer_than_the_grace_is_a_kill() -> None:
    head = {"models": {"a": {"load": 1, "stop": 99, "unloadTimeout": 7}, "b": {}}}
    history = simulate(
        trace_of(
            head,
            {"client": "x", "model": "a", "duration": 1},
            {"time": 1, "client": "y", "model": "b", "duration": 1},
        )
    )

    assert (9.0, Phase.STOPPED) in history.phases[A]


def test_refused_request_ends_at_once_and_its_client_goes_on() -> None:
    head = {"models": {"a": {"load": 1, "concurrencyLimit": 1}}}
    history = simulate(
        trace_of(
            head,
            {"client": "x", "model": "a", "duration": 5},
            {"time": 2, "client": "y", "chain": ["a"], "think": 9, "count": 2},
        )
    )

    first, refused, later = history.requests
    assert not first.refusal
    assert refused.refusal
    assert (refused.submitted_s, refused.ended_s) == (2.0, 2.0)
    assert (later.submitted_s, later.refusal) == (11.0, "")


def test_router_of_the_trace_or_another_one_decides() -> None:
    sets = {"s": "a & b"}
    head = models("ab") | {
        "routing": {"router": {"use": "matrix", "settings": {"matrix": {"sets": sets}}}}
    }
    trace = trace_of(
        head, *({"client": m, "model": m, "duration": 1, "time": 1} for m in "ab")
    )

    assert simulate(trace).end_s == 10.0  # side by side
    assert simulate(trace, router="group").end_s == 21.0


def test_spans_cover_all_the_time() -> None:
    history = simulate(
        trace_of(
            models("ab"),
            {"client": "x", "model": "a", "duration": 3},
            {"client": "y", "model": "b", "duration": 4},
            {"time": 26, "client": "z", "model": "b", "duration": 1},
        )
    )

    assert history.spans(B) == [
        Span(0.0, 13.0, Look.WANTED),
        Span(13.0, 21.0, Look.LOADING),
        Span(21.0, 25.0, Look.SERVING),
        Span(25.0, 26.0, Look.IDLE),
        Span(26.0, 27.0, Look.SERVING),
    ]
    assert history.spans(A)[-1] == Span(13.0, 27.0, Look.STOPPED)


class Forgetful(FifoScheduler):
    """Loses requests."""

    def submit(self, ticket: Ticket, now: float) -> list[Effect]:  # noqa: ARG002 - the Protocol's shape
        return []


class Restless(Forgetful):
    """Asks for the same moment again and again."""

    def next_deadline(self) -> float:
        return 3.0

    def tick(self, now: float) -> list[Effect]:  # noqa: ARG002 - the Protocol's shape
        return []


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (Forgetful, "1 requests are never answered; the first is for a, made by x at"),
        (Restless, "second 3.000 does not pass"),
    ],
)
def test_scheduler_that_does_not_go_on_is_found_out(
    kind: type[FifoScheduler], complaint: str
) -> None:
    trace = trace_of(models("a"), {"time": 2, "client": "x", "model": "a"})
    config = config_of(trace)
    scheduler = kind(config.models, make_planner(config.router, config))

    with pytest.raises(SimulationError, match=complaint):
        Simulation(config, scheduler, trace).run()
