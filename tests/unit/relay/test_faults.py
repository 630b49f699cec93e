"""Errors of the system in swapper's words."""

import ssl

import pytest

from swapper.core.errors import ClientGoneError, UpstreamError, UpstreamTimeoutError
from swapper.net.http1 import ProtocolError
from swapper.relay.faults import Faults
from swapper.sync import CancelToken

FAULTS = Faults("model llama", "http://127.0.0.1:5801")


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (ProtocolError("malformed status line"), "malformed status line"),
        (ssl.SSLError(1, "certificate verify failed"), "certificate verify failed"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_an_error_names_the_upstream_and_the_cause(
    cause: OSError | ProtocolError, text: str
) -> None:
    error = FAULTS.error(cause, "did not answer", CancelToken())
    assert type(error) is UpstreamError
    assert str(error) == f"model llama (http://127.0.0.1:5801) did not answer: {text}"
    assert error.request_sent


def test_a_timeout_is_a_gateway_timeout() -> None:
    error = FAULTS.error(
        TimeoutError("timed out"), "x", CancelToken(), request_sent=False
    )
    assert isinstance(error, UpstreamTimeoutError)
    assert error.status == 504
    assert not error.request_sent


def test_after_a_cancel_nobody_is_told() -> None:
    token = CancelToken()
    token.cancel()
    assert isinstance(FAULTS.error(ConnectionResetError(), "x", token), ClientGoneError)
