"""Errors as HTTP (http-api.md section 4, cases ER*)."""

import json
from typing import Any

import pytest

from swapper.core.errors import (
    ConcurrencyLimitError,
    ExitedError,
    HealthCheckTimeoutError,
    InternalError,
    InvalidJsonError,
    ModelUnloadedError,
    NotFoundError,
    RequestCancelledError,
    RequestError,
    ShuttingDownError,
    SpawnError,
    StartAbortedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from swapper.core.ids import ModelId
from swapper.web.errors import error_response
from swapper.web.response import Response

MISSING = NotFoundError("no router for <requested> & model")


def body(response: Response) -> str:
    return b"".join(response.body).decode()


def envelope(error: RequestError) -> Any:
    return json.loads(body(error_response(error, "")))


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "TEXT/HTML"])
def test_er1_json_is_the_default(accept: str) -> None:
    response = error_response(MISSING, accept)

    assert response.status == 404
    assert ("Content-Type", "application/json") in response.headers
    assert json.loads(body(response)) == {
        "src": "swapper",
        "error": {
            "message": "no router for <requested> & model",
            "type": "invalid_request_error",
            "param": None,
            "code": "not_found",
        },
    }


def test_er2_plain_text_wins() -> None:
    response = error_response(MISSING, "text/html, text/plain")

    assert ("Content-Type", "text/plain") in response.headers
    assert body(response) == "swapper: no router for <requested> & model"


def test_er3_er4_html_is_escaped() -> None:
    response = error_response(MISSING, "text/html,*/*")

    assert ("Content-Type", "text/html") in response.headers
    assert body(response) == (
        "<html><body><h1>swapper</h1>"
        "<p>no router for &lt;requested&gt; &amp; model</p></body></html>"
    )


@pytest.mark.parametrize("accept", ["", "text/plain", "text/html"])
def test_half_a_character_from_a_client_can_be_repeated(accept: str) -> None:
    response = error_response(NotFoundError('no "\ud800" here'), accept)
    body = b"".join(response.body)

    assert rb"\ud800" in body
    if not accept:
        assert json.loads(body)["error"]["message"] == 'no "\ud800" here'


def test_the_concurrency_limit_is_always_json_and_says_when_to_retry() -> None:
    response = error_response(ConcurrencyLimitError(), "text/plain")

    assert response.status == 429
    assert ("Retry-After", "1") in response.headers
    assert json.loads(body(response))["error"] == {
        "message": "Too many requests",
        "type": "rate_limit_error",
        "param": None,
        "code": "concurrency_limit",
    }


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (InvalidJsonError("x"), "invalid_request_error", "invalid_json"),
        (UpstreamError("x"), "server_error", "bad_gateway"),
        (UpstreamTimeoutError("x"), "server_error", "gateway_timeout"),
        (InternalError("x"), "server_error", "internal_error"),
    ],
)
def test_type_and_code(error: RequestError, kind: str, code: str) -> None:
    told = envelope(error)["error"]

    assert (told["type"], told["code"]) == (kind, code)


@pytest.mark.parametrize(
    ("returncode", "facts"), [(3, {"exit_code": 3}), (-11, {"signal": 11})]
)
def test_r9_a_process_error_carries_its_facts(
    returncode: int, facts: dict[str, int]
) -> None:
    error = ExitedError(
        ModelId("m"),
        returncode,
        while_starting=True,
        log_tail=["loading", "boom"],
        duration_s=1.25,
    )

    assert envelope(error)["error"]["detail"] == {
        "model": "m",
        "duration_s": 1.25,
        "log_tail": ["loading", "boom"],
        **facts,
    }
    assert "loading | boom" in envelope(error)["error"]["message"]


A = ModelId("a")


@pytest.mark.parametrize(
    ("error", "status", "code", "text"),
    [
        pytest.param(
            ExitedError(A, 3, while_starting=True),
            500,
            "model_exited",
            "unspecific error: upstream command exited prematurely",
            id="17.3-exits-while-starting",
        ),
        pytest.param(
            HealthCheckTimeoutError(A, "health check timed out after 15s"),
            500,
            "health_check_timeout",
            "unspecific error: health check timed out after 15s",
            id="17.3-never-healthy",
        ),
        pytest.param(
            SpawnError(A, "failed to start command 'x': no such file"),
            500,
            "model_start_failed",
            "unspecific error: failed to start command 'x'",
            id="17.3-cannot-be-executed",
        ),
        pytest.param(
            ModelUnloadedError("matrix"),
            500,
            "model_unloaded",
            "unspecific error: matrix: model unloaded",
            id="17.3-unloaded-while-waiting",
        ),
        pytest.param(
            StartAbortedError(A, "aborted"),
            500,
            "start_aborted",
            "unspecific error: aborted",
            id="17.3-aborted",
        ),
        pytest.param(
            ShuttingDownError("group"),
            500,
            "shutting_down",
            "unspecific error: group is shutting down",
            id="17.3-stopping",
        ),
        pytest.param(
            RequestCancelledError(),
            503,
            "cancelled",
            "request cancelled",
            id="Q2-cancelled",
        ),
        pytest.param(
            UpstreamError("model a: connection refused", request_sent=False),
            502,
            "bad_gateway",
            "model a: connection refused",
            id="R11-died-before-forward",
        ),
    ],
)
def test_17_3_what_a_request_is_told_that_is_not_served(
    error: RequestError, status: int, code: str, text: str
) -> None:
    response = error_response(error, "*/*")
    told = envelope(error)["error"]

    assert response.status == status
    assert (told["type"], told["code"]) == ("server_error", code)
    assert told["message"].startswith(text)
