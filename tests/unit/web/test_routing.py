"""Paths to handlers (http-api.md 2.2, 2.3, cases G*)."""

import pytest

from swapper.web.request import Request
from swapper.web.response import Response, redirect, text_response
from swapper.web.routing import ANY, Routes, clean_path
from tests.fakes.requests import make_request


def echo(name: str, request: Request) -> Response:
    return text_response(f"{name}:{request.rest}")


ROUTES = Routes(
    fixed={
        "/health": {"GET": lambda r: echo("health", r)},
        "/v1/models": {"GET": lambda r: echo("models", r)},
        "/v1/chat/completions": {"POST": lambda r: echo("chat", r)},
        "/v1/audio/voices": {
            "GET": lambda r: echo("voices", r),
            "POST": lambda r: echo("voices", r),
        },
        "/upstream": {"GET": lambda _: redirect("/ui/models", 302)},
        "/api/models/unload": {"POST": lambda r: echo("unload", r)},
    },
    subtrees={
        "/upstream/": {ANY: lambda r: echo("upstream", r)},
        "/api/models/unload/": {"POST": lambda r: echo("unload one", r)},
    },
)


def answer(method: str, target: str) -> tuple[int, str, str]:
    """Return status, Location or Allow, and body."""
    response = ROUTES.dispatch(make_request(method, target))
    headers = dict(response.headers)
    body = b"".join(response.body).decode()
    return response.status, headers.get("Location") or headers.get("Allow", ""), body


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/health", (200, "", "health:")),
        ("HEAD", "/health", (200, "", "health:")),
        ("POST", "/health", (405, "GET, HEAD", "Method Not Allowed\n")),
        ("GET", "/v1/chat/completions", (405, "POST", "Method Not Allowed\n")),
        (
            "DELETE",
            "/v1/audio/voices",
            (405, "GET, HEAD, POST", "Method Not Allowed\n"),
        ),
        ("GET", "/nope", (404, "", "404 page not found\n")),
        ("GET", "/health/", (404, "", "404 page not found\n")),
        ("GET", "/Health", (404, "", "404 page not found\n")),
        ("GET", "/%68ealth", (200, "", "health:")),
        ("GET", "/v1%2Fmodels", (404, "", "404 page not found\n")),
        ("GET", "/v1//models", (307, "/v1/models", "")),
        ("GET", "/v1/./models?a=1", (307, "/v1/models?a=1", "")),
        ("GET", "/x/../v1/models", (307, "/v1/models", "")),
        ("GET", "//evil.example/", (307, "/evil.example/", "")),
        ("GET", "/.//evil.example", (307, "/evil.example", "")),
        ("GET", "/./\\evil.example", (307, "/%5Cevil.example", "")),
        ("GET", "/upstream", (302, "/ui/models", "")),
        ("POST", "/upstream?a=1", (307, "/upstream/?a=1", "")),
        ("PUT", "/upstream/m1/a%2Fb", (200, "", "upstream:m1/a%2Fb")),
        (
            "GET",
            "/upstream/m1/a//b%2Fc?k=1",
            (307, "/upstream/m1/a/b%2Fc?k=1", ""),
        ),
        ("POST", "/api/models/unload", (200, "", "unload:")),
        ("GET", "/api/models/unload", (405, "POST", "Method Not Allowed\n")),
        ("POST", "/api/models/unload/a/b", (200, "", "unload one:a/b")),
        ("GET", "/api/models/unload/a", (405, "POST", "Method Not Allowed\n")),
    ],
)
def test_routing(method: str, target: str, expected: tuple[int, str, str]) -> None:
    assert answer(method, target) == expected


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("//a", "/a"),
        ("/a/./b/.", "/a/b/"),
        ("/a/../../b", "/b"),
        ("/..", "/"),
        ("/a/.hidden", "/a/.hidden"),
        ("/a%2F..", "/a%2F.."),
    ],
)
def test_clean_path(path: str, clean: str) -> None:
    assert clean_path(path) == clean
    assert clean_path(clean) == clean
