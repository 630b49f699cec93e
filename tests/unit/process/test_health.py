"""What is asked, and how often."""

from math import inf

import pytest

from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId
from swapper.process.health import health_check_of, probe_interval_s
from swapper.process.port import Address


def _check(proxy: str, endpoint: str) -> tuple[str, str] | None:
    config = ModelConfig(id=ModelId("m"), proxy=proxy, check_endpoint=endpoint)
    check = health_check_of(config)
    return (str(check.address), check.target) if check else None


@pytest.mark.parametrize(
    ("proxy", "endpoint", "address", "target"),
    [
        ("http://localhost:5800", "/health", "localhost:5800", "/health"),
        ("http://localhost:5800/", "health", "localhost:5800", "/health"),
        ("http://h:1/base", "/v1/ok?a=b", "h:1", "/base/v1/ok?a=b"),
        ("http://h:1/base/", "", "h:1", "/base/"),
        ("http://h", "/x", "h:80", "/x"),
        ("https://h", "http://other:9/x?y#z", "h:443", "/x?y"),
        ("http://[::1]:8", "/x", "[::1]:8", "/x"),
        ("http://h:1", " /a b\u00e9%20 ", "h:1", "/a%20b%C3%A9%20"),
    ],
)
def test_the_endpoint_lies_below_the_proxy(
    proxy: str, endpoint: str, address: str, target: str
) -> None:
    assert _check(proxy, endpoint) == (address, target)


@pytest.mark.parametrize("endpoint", ["none", " none\n"])
def test_none_is_no_check(endpoint: str) -> None:
    assert _check("http://localhost:1", endpoint) is None


@pytest.mark.parametrize("proxy", ["", "not a url", "localhost:80", "http://[::1"])
def test_without_an_address_there_is_no_check(proxy: str) -> None:
    assert _check(proxy, "/health") is None


def test_a_tls_proxy_is_asked_by_tls() -> None:
    config = ModelConfig(id=ModelId("m"), proxy="https://h:1")
    check = health_check_of(config)

    assert check is not None
    assert check.is_tls
    assert check.address == Address("h", 1)
    assert check.request.startswith(b"GET /health HTTP/1.1\r\nHost: h:1\r\n")


@pytest.mark.parametrize(
    ("elapsed_s", "since_output_s", "interval_s"),
    [
        (0.0, inf, 0.005),
        (0.2, inf, 0.005),
        (1.0, inf, 0.02),
        (9.0, inf, 0.1),
        (11.0, inf, 0.22),
        (60.0, inf, 0.25),
        (0.0, 0.0, 0.001),
        (0.2, 0.0, 0.002),
        (0.2, 0.03, 0.003),
        (0.2, 1.0, 0.005),
        (1.0, 0.0, 0.005),
        (9.0, 0.0, 0.005),
        (9.0, 0.5, 0.05),
        (60.0, 0.0, 0.03),
        (600.0, 0.0, 0.05),
        (600.0, 9.0, 0.25),
    ],
)
def test_the_wait_grows_with_age_and_shrinks_with_output(
    elapsed_s: float, since_output_s: float, interval_s: float
) -> None:
    assert probe_interval_s(elapsed_s, since_output_s) == pytest.approx(interval_s)
