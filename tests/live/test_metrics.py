"""``/metrics`` and ``/api/performance`` of the whole program."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.event_client import EventClient
from tests.fakes.model_server import fake_release
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.live

ROUTE = "/v1/chat/completions"
Metrics = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwapperProgram]:
    folder: Path = tmp_path_factory.mktemp("metrics")
    config = config_text({"a": "", "b": "", "bad": "--exit-code 3"})
    with SwapperProgram(folder, config) as made:
        for model in ("a", "b", "a", "nobody"):
            made.chat(model)
        yield made


def metrics(program: SwapperProgram) -> Metrics:
    """Return (sample name, label values...) -> value, read by the client library."""
    answer = program.call("/metrics")
    assert answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_requests_and_swaps_are_counted(program: SwapperProgram) -> None:
    values = metrics(program)

    assert values["swapper_requests_total", "a", ROUTE, "2xx"] == 2
    assert values["swapper_requests_total", "", ROUTE, "4xx"] == 1
    assert values["swapper_tokens_total", "a", "output"] > 0
    assert values["swapper_model_starts_total", "a"] == 2
    assert values["swapper_model_stops_total", "a", "swap"] == 1
    assert values["swapper_model_load_seconds_count", "b"] == 1
    assert values["swapper_model_state", "a", "ready"] == 1
    assert values["swapper_model_state", "b", "ready"] == 0
    assert values["swapper_request_load_seconds_sum", "a"] > 0
    assert values["swapper_model_resident_memory_bytes", "a"] > 1 << 20
    assert ("swapper_model_resident_memory_bytes", "b") not in values


def test_whoever_has_an_answer_finds_it_counted(program: SwapperProgram) -> None:
    """And in the log, although a thread keeps the books a moment later."""
    sample = "swapper_requests_total", "a", ROUTE, "2xx"
    before = metrics(program)[sample]
    for count in range(1, 21):
        request_id = program.chat("a").header("X-Request-Id") or "none"
        if count % 2:
            assert metrics(program)[sample] == before + count
        else:
            assert request_id in program.call("/logs").body.decode()


def test_what_goes_on_at_the_moment_is_a_gauge(program: SwapperProgram) -> None:
    with ThreadPoolExecutor(2) as pool, EventClient(program.url) as listener:
        listener.in_flight("snapshot")
        held = pool.submit(program.call, f"{ROUTE}?hold=gauge", {"model": "a"})
        listener.in_flight("upsert")
        waiting = pool.submit(program.call, ROUTE, {"model": "b"})
        listener.in_flight("upsert")
        wait_until(lambda: ("swapper_requests_queued", "b") in metrics(program))
        values = metrics(program)
        assert values["swapper_requests_in_flight", "a"] == 1
        assert values["swapper_requests_in_flight", "b"] == 1
        assert values["swapper_requests_queued", "b"] == 1
        fake_release(program.upstream_url("a"), "gauge")
        assert (held.result().status, waiting.result().status) == (200, 200)
        listener.in_flight("remove")
        listener.in_flight("remove")
    assert ("swapper_requests_in_flight", "a") not in metrics(program)


def test_ee15_without_a_gpu(tmp_path: Path) -> None:
    extra = "performance: {every: 5s}"
    with SwapperProgram(tmp_path, config_text({"a": ""}, extra)) as program:
        answer = program.call("/api/performance").json()
        assert answer["enabled"] is True
        late = "/api/performance?after=2099-01-01T00:00:00Z"
        assert program.call(late).json() == {
            "enabled": True,
            "gpu_stats": [],
            "sys_stats": [],
        }
        bad = program.call("/api/performance?after=x")
        assert bad.status == 400
        assert "after" in bad.json()["error"]["message"]
        assert program.call("/api/performance?after=").status == 200
        samples = wait_until(
            lambda: program.call("/api/performance").json()["sys_stats"]
        )
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*", samples[0]["timestamp"])
        assert samples[0]["mem_total_mb"] > 0
        name = "llamaswap_memory_total_bytes"
        assert metrics(program)[(name,)] == samples[0]["mem_total_mb"] << 20


def test_ee14_performance_off(tmp_path: Path) -> None:
    extra = "performance: {disabled: true}"
    with SwapperProgram(tmp_path, config_text({"a": ""}, extra)) as program:
        page = program.call("/metrics")
        assert (page.status, page.body) == (
            503,
            b"# performance monitor not available\n",
        )
        samples = program.call("/api/performance")
        assert (samples.status, samples.json()) == (503, {"enabled": False})


def test_the_hardware_is_told(program: SwapperProgram) -> None:
    first = program.call("/api/hardware")
    assert first.status == 200
    facts = first.json()
    assert facts["schema_version"] == 1
    assert facts["capture"]["detector"]["name"] == "swapper"
    assert facts["cpu"]["logical_thread_count"] >= 1
    assert program.call("/api/hardware").json() == facts  # taken once
