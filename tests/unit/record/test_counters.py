"""Numbers of finished requests."""

from prometheus_client.parser import text_string_to_metric_families

from swapper.record.counters import RequestCounters
from tests.fakes.finished import finished


def read(counters: RequestCounters) -> dict[tuple[str, ...], float]:
    """Return (sample name, label values...) -> value."""
    text = "".join(counters.families())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_there_is_nothing_before_the_first_request() -> None:
    assert list(RequestCounters().families()) == []


def test_requests_are_counted_by_model_route_and_kind_of_status() -> None:
    counters = RequestCounters()
    for status in (200, 204, 429, 503):
        counters.keep(finished(status=status))
    values = read(counters)

    route = "/v1/chat/completions"
    assert values["swapper_requests_total", "m1", route, "2xx"] == 2
    assert values["swapper_requests_total", "m1", route, "4xx"] == 1
    assert values["swapper_responses_truncated_total", "m1"] == 3
    assert values["swapper_response_bytes_total", "m1"] == 400
    assert values["swapper_tokens_total", "m1", "input"] == 48
    assert values["swapper_tokens_total", "m1", "cached"] == 0  # unknown is not -1


def test_names_that_no_model_has_are_one_series() -> None:
    counters = RequestCounters()
    for number in range(100):
        counters.keep(finished(f"made-up-{number}", 404, is_known=False))
    counters.keep(finished("pm", peer="p1"))
    counters.keep(finished("p1/pm", peer="p1"))
    models = {key[1] for key in read(counters) if key[0] == "swapper_requests_total"}

    assert models == {"", "p1/pm"}


def test_times_are_histograms() -> None:
    counters = RequestCounters()
    counters.keep(finished())
    values = read(counters)

    name = "swapper_request_duration_seconds"
    assert values[f"{name}_bucket", "m1", "0.25"] == 0
    assert values[f"{name}_bucket", "m1", "0.5"] == 1
    assert values[f"{name}_bucket", "m1", "+Inf"] == 1
    assert values[f"{name}_sum", "m1"] == 0.4
    assert values["swapper_request_first_byte_seconds_count", "m1"] == 0
