"""The whole application with a scheduler that another package registers."""

from importlib import metadata

import pytest
from werkzeug.test import Client

from swapper import create_app
from swapper.config import parse_config
from swapper.core.errors import UnavailableError
from swapper.logs import current_request
from swapper.scheduler import (
    Effect,
    FifoScheduler,
    Refuse,
    Scheduler,
    SchedulerInputs,
    Ticket,
)

CONFIG = """
models: {a: {cmd: "false", proxy: "http://127.0.0.1:9"}}
routing: {scheduler: {use: closed}}
"""


class Closed(FifoScheduler):
    """Serves nobody."""

    def submit(self, ticket: Ticket, now: float) -> list[Effect]:  # noqa: ARG002 - the Protocol's shape
        return [Refuse(ticket, UnavailableError("closed on Mondays"))]


def make_closed(inputs: SchedulerInputs) -> Scheduler:
    return Closed(inputs.config.models, inputs.planner)


def test_scheduler_of_another_package_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint("closed", "other:make", "swapper.schedulers")
    monkeypatch.setattr(metadata.EntryPoint, "load", lambda _: make_closed)
    known = metadata.entry_points

    def entry_points(group: str, name: str) -> object:
        return (point,) if name == point.name else known(group=group, name=name)

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    app = create_app(parse_config(CONFIG))
    try:
        answer = Client(app).post("/v1/chat/completions", json={"model": "a"})
        answer.close()
    finally:
        app.close()

    assert answer.status_code == 503
    assert "closed on Mondays" in answer.text


def test_a_thread_is_not_taken_for_serving_once_it_has_served() -> None:
    """Log lines that the thread writes later are not the request's."""
    app = create_app(parse_config(CONFIG.replace("closed", "fifo")))
    try:
        answer = Client(app).get("/v1/models")
        assert answer.status_code == 200
        answer.close()
        assert current_request.get() == ""
    finally:
        app.close()
