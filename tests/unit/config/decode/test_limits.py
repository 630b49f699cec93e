"""config.md 8.3 to 8.5 and 9.4: performance, store, ui, timeouts, loading state."""

from collections.abc import Callable
from pathlib import Path

import pytest

from swapper.config import Config, LoadingState, TimeoutsConfig
from swapper.core.ids import ModelId

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

A, B = ModelId("a"), ModelId("b")


@pytest.mark.parametrize(
    "performance", ["every: 4s", "disabled: true, every: 1s", "every: -5s"]
)
def test_top_7_samples_are_five_seconds_apart_at_least(
    errors: Errors, performance: str
) -> None:
    [message] = errors(f"performance: {{{performance}}}")

    assert "performance.every: must be at least 5s" in message


@pytest.mark.parametrize(
    ("every", "seconds"),
    [("0s", 5), ("5s", 5), ("1m30s", 90), ("1.5m", 90), ("5000ms", 5), ("1h", 3600)],
)
def test_top_8_durations(load: Load, every: str, seconds: float) -> None:
    assert load(f"performance: {{every: {every}}}").performance_every_s == seconds


@pytest.mark.parametrize(
    "every", ["10", '"10"', "1d", "0", "1m 30s", '""', "s", "1.s.5"]
)
def test_top_9_what_is_no_duration_is_refused(errors: Errors, every: str) -> None:
    [message] = errors(f"performance: {{every: {every}}}")

    assert "performance.every: must be" in message


@pytest.mark.parametrize("store", ["{}", '{path: "  "}'])
def test_top_10_a_store_needs_a_path(errors: Errors, store: str) -> None:
    assert "store.path: must not be empty" in errors(f"store: {store}")[0]


def test_top_11_a_path_where_no_database_can_be_is_refused(
    errors: Errors, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    for path in (tmp_path, tmp_path / "missing" / "x.db", tmp_path / "file" / "x.db"):
        [message] = errors(f"store: {{path: {path}}}")

        assert "store.path: " in message
        assert str(tmp_path) in message


def test_top_12_a_new_file_is_fine_and_not_made(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "new.db"

    assert load(f"store: {{path: {path}}}").store_path == str(path)
    assert not path.exists()


def test_top_13_session_headers_are_trimmed_and_unique(load: Load) -> None:
    ui = 'ui: {activity: {session_id: [" X-A ", x-a, "", X-B]}}'

    assert load(ui).session_headers == ("X-A", "X-B")


@pytest.mark.parametrize("value", ["[]", "~"])
def test_top_14_no_session_headers(load: Load, value: str) -> None:
    assert load(f"ui: {{activity: {{session_id: {value}}}}}").session_headers == ()
    assert load("ui: {activity: }").session_headers == Config().session_headers


def test_top_15_session_headers_are_a_list(errors: Errors) -> None:
    [message] = errors("ui: {activity: {session_id: X-A}}")

    assert "ui.activity.session_id: must be a list" in message


def test_top_22_negative_sizes_mean_off_and_default(load: Load) -> None:
    config = load("captureBuffer: -1\nmetricsMaxInMemory: -1")

    assert config.capture_buffer_mb == 0
    assert config.metrics_max_in_memory == 1000


def test_mod_6_loading_state(load: Load) -> None:
    config = load("sendLoadingState: true", a="sendLoadingState: false")

    assert config.models[A].loading_state is LoadingState.OFF
    assert config.models[B].loading_state is LoadingState.MESSAGES
    config = load("sendLoadingState: true", a="sendLoadingState: ~")
    assert config.models[A].loading_state is LoadingState.MESSAGES


def test_loading_state_may_be_a_heartbeat(load: Load, errors: Errors) -> None:
    config = load("sendLoadingState: heartbeat", a="sendLoadingState: yes")

    assert config.models[A].loading_state is LoadingState.MESSAGES
    assert config.models[B].loading_state is LoadingState.HEARTBEAT
    assert "heartbeat" in errors("sendLoadingState: hartbeat")[0]


def test_mod_20_each_timeout_has_its_own_default(load: Load) -> None:
    config = load(a="timeouts: {connect: 0, idleConn: 5}")

    assert config.models[A].timeouts == TimeoutsConfig(connect_s=0, idle_conn_s=5)
    assert config.models[B].timeouts.response_header_s == 0
