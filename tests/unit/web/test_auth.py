"""API keys (http-api.md section 5, cases A*)."""

from base64 import b64encode

import pytest

from swapper.core.errors import AuthenticationError
from swapper.web.auth import KeyCheck, candidate_key, carries_key
from swapper.web.errors import error_response
from swapper.web.request import Request
from swapper.web.response import Response
from tests.fakes.requests import make_request


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


def with_headers(authorization: str | None, x_api_key: str | None = None) -> Request:
    given = {"Authorization": authorization, "x-api-key": x_api_key}
    headers = {name: value for name, value in given.items() if value is not None}
    return make_request("GET", "/v1/models", headers=headers)


def passes(request: Request, *keys: str) -> bool:
    ran: list[Request] = []

    def handler(request: Request) -> Response:
        ran.append(request)
        return Response(200)

    guarded = KeyCheck(keys or ("k1", "k2")).guard({"GET": handler})["GET"]
    try:
        guarded(request)
    except AuthenticationError:
        assert not ran
        return False
    return ran == [request]


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "expected"),
    [
        pytest.param(None, None, False, id="A1"),
        pytest.param("Bearer k1", None, True, id="A2"),
        pytest.param("bearer k2", None, True, id="A2-lower"),
        pytest.param("BEARER k1", None, True, id="A2-upper"),
        pytest.param("Bearer  k1", None, False, id="A3"),
        pytest.param("k1", None, False, id="A4"),
        pytest.param(basic("u:k1"), None, True, id="A5"),
        pytest.param(basic(":k1"), None, True, id="A5-no-user"),
        pytest.param(basic("k1:"), None, False, id="A6"),
        pytest.param(basic("k1"), None, False, id="A6-no-colon"),
        pytest.param(basic("u:k1:x"), None, False, id="A6-colons"),
        pytest.param(None, "k1", True, id="A7"),
        pytest.param(None, "K1", False, id="A8"),
        pytest.param("Bearer bad", "k1", False, id="A9"),
        pytest.param(basic("u:bad"), "k1", False, id="A9-basic"),
        pytest.param("Basic !!!", "k1", True, id="A10"),
        pytest.param("Token zz", "k1", True, id="A10-scheme"),
        pytest.param(basic("u:"), "k1", True, id="A10-no-password"),
        pytest.param("Bearer", "k1", True, id="A10-no-token"),
        pytest.param("Basic dTprMQ", None, False, id="unpadded"),
        pytest.param("Bearer k1k2", None, False, id="both-at-once"),
        pytest.param(None, "", False, id="empty"),
    ],
)
def test_who_may_pass(
    authorization: str | None, x_api_key: str | None, expected: bool
) -> None:
    assert passes(with_headers(authorization, x_api_key)) is expected


def test_without_keys_everybody_may_pass() -> None:
    handlers = {"GET": lambda _: Response(200)}

    assert KeyCheck(()).guard(handlers) == handlers


def test_an_empty_key_opens_nothing() -> None:
    assert not passes(with_headers(None), "")


def test_a_key_outside_of_ascii_is_compared_as_its_bytes() -> None:
    sent = "schlüssel".encode().decode("latin-1")

    assert passes(with_headers(f"Bearer {sent}"), "schlüssel")
    assert passes(with_headers(basic("u:schlüssel")), "schlüssel")
    assert not passes(with_headers("Bearer schlüssel"), "schlüssel")


def test_the_request_remembers_its_key() -> None:
    request = with_headers(None, "k2")
    assert passes(request)

    assert request.used_key == "k2"


def test_the_first_of_repeated_headers_counts() -> None:
    headers = (("X-Api-Key", "k1"), ("Authorization", "Bearer a"), ("x-api-key", "k"))

    assert candidate_key(headers) == b"a"
    assert candidate_key(headers[::2]) == b"k1"


@pytest.mark.parametrize(
    "value",
    [
        "k-1",
        " k-1 ",
        "Bearer k-1",
        "Bearer  k-1",
        "Token k-1",
        basic("u:k-1"),
        basic("k-1:x"),
        basic("k-1"),
        "basic " + basic("u:k-1").split()[1],
    ],
)
def test_a_header_that_carries_the_key(value: str) -> None:
    assert carries_key(value, "k-1")


@pytest.mark.parametrize("value", ["", "k-12", "Bearer other", basic("u:k"), "Basic !"])
def test_a_header_that_does_not_carry_the_key(value: str) -> None:
    assert not carries_key(value, "k-1")
    assert not carries_key(value, "")


def test_the_refusal_asks_for_a_password() -> None:
    """A1: 401 and a challenge; A13: in the form the client wants."""
    json_form = error_response(AuthenticationError(), "")
    html_form = error_response(AuthenticationError(), "text/html")

    for form in (json_form, html_form):
        assert form.status == 401
        assert ("WWW-Authenticate", 'Basic realm="swapper"') in form.headers
    assert b'"code":"unauthorized"' in b"".join(json_form.body)
    assert b"<h1>swapper</h1>" in b"".join(html_form.body)
