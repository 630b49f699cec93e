"""CORS preflight and the cross-site rule."""

import pytest

from swapper.core.errors import ForbiddenError
from swapper.web.browser import preflight, refuse_cross_site
from tests.fakes.requests import make_request

HOST = {"Host": "127.0.0.1:8080"}
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (None, "Content-Type, Authorization, Accept, X-Requested-With"),
        ("", "Content-Type, Authorization, Accept, X-Requested-With"),
        ("X-A, bad header, x-b;c,Y", "X-A, Y"),
        ("(", ""),
    ],
)
def test_g9_preflight_allows_what_is_asked_for(asked: str | None, allowed: str) -> None:
    headers = {} if asked is None else {"Access-Control-Request-Headers": asked}
    response = preflight(make_request("OPTIONS", "/no/such/path", headers=headers))

    assert response.status == 204
    assert dict(response.headers) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": allowed,
        "Access-Control-Max-Age": "86400",
    }


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/unload", {"Sec-Fetch-Site": "cross-site"}),
        ("GET", "/unl%6Fad", {"Sec-Fetch-Site": "cross-site"}),
        ("POST", "/api/models/unload", {"Origin": "http://evil.example"}),
        ("POST", "/api/models/unload", {"Origin": "null"}),
        ("POST", "/api/models/unload", {"Origin": "http://[::1"}),
        ("PUT", "/api/profiles/active", {"Origin": "http://evil.example"}),
        ("POST", "/api/inflight/1/cancel", {"Sec-Fetch-Site": "cross-site"}),
        ("GET", "/%61pi/events", {"Sec-Fetch-Site": "cross-site"}),
        ("POST", "/upstream/m/x", {"Origin": "http://127.0.0.1:9"}),
        ("DELETE", "/upstream/m/x", {"Sec-Fetch-Site": "cross-site"}),
        ("GET", "/upstream/m/ws", {**UPGRADE, "Origin": "http://evil.example"}),
        ("POST", "/comfyui/prompt", {"Origin": "http://evil.example"}),
        ("GET", "/comfyui/ws", {**UPGRADE, "Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_pages_of_other_sites_cannot_drive_the_proxy(
    method: str, path: str, headers: dict[str, str]
) -> None:
    with pytest.raises(ForbiddenError):
        refuse_cross_site(make_request(method, path, headers={**HOST, **headers}))


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/unload", {}),
        ("POST", "/api/models/unload", {"Origin": "http://127.0.0.1:8080"}),
        ("POST", "/api/models/unload", {"Sec-Fetch-Site": "same-origin"}),
        ("GET", "/upstream/m/x", {"Sec-Fetch-Site": "cross-site"}),
        ("GET", "/upstream/m/ws", {**UPGRADE, "Origin": "http://127.0.0.1:8080"}),
        ("GET", "/upstream/m/ws", UPGRADE),
        ("GET", "/comfyui/", {"Sec-Fetch-Site": "cross-site"}),
        ("POST", "/v1/chat/completions", {"Origin": "http://app.example"}),
    ],
)
def test_own_pages_scripts_and_inference_pass(
    method: str, path: str, headers: dict[str, str]
) -> None:
    refuse_cross_site(make_request(method, path, headers={**HOST, **headers}))
