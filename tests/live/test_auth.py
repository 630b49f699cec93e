"""API keys over real sockets (http-api.md section 5, cases A*)."""

from base64 import b64encode
from collections.abc import Iterator

import pytest

from swapper.web.routes.inference import BODY_PATHS, QUERY_PATHS
from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

KEY = "secret-of-the-owner"
WITH_KEY = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    config = config_text({"m1": "--default echo=1"}, f"apiKeys: [other, {KEY}]")
    with SwapperProgram(tmp_path_factory.mktemp("auth"), config, server=server) as made:
        yield made


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("key", "other", "status"),
    [
        pytest.param(None, None, 401, id="A1"),
        pytest.param(f"Bearer {KEY}", None, 200, id="A2"),
        pytest.param("bearer other", None, 200, id="A2 lower case"),
        pytest.param(f"Bearer  {KEY}", None, 401, id="A3"),
        pytest.param(KEY, None, 401, id="A4"),
        pytest.param(basic(f"u:{KEY}"), None, 200, id="A5"),
        pytest.param(basic(f":{KEY}"), None, 200, id="A5 no user"),
        pytest.param(basic(f"{KEY}:"), None, 401, id="A6"),
        pytest.param(basic(KEY), None, 401, id="A6 no colon"),
        pytest.param(basic(f"u:{KEY}:x"), None, 401, id="A6 two colons"),
        pytest.param(None, KEY, 200, id="A7"),
        pytest.param(None, KEY.upper(), 401, id="A8"),
        pytest.param("Bearer bad", KEY, 401, id="A9"),
        pytest.param("Basic !!!", KEY, 200, id="A10"),
        pytest.param("Token zz", KEY, 200, id="A10 scheme"),
        pytest.param(basic("u:"), KEY, 200, id="A10 no password"),
        pytest.param("Bearer", KEY, 200, id="A10 no key"),
    ],
)
def test_which_key_counts(
    program: SwapperProgram, key: str | None, other: str | None, status: int
) -> None:
    given = {"Authorization": key, "X-API-KEY": other}
    headers = {name: value for name, value in given.items() if value is not None}

    assert program.call("/v1/models", headers=headers).status == status


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/wol-health", 200),
        ("GET", "/", 302),
        ("GET", "/ui", 307),
        ("GET", "/favicon.ico", 404),
        ("GET", "/upstream", 302),
        ("POST", "/upstream", 307),
        ("OPTIONS", "/v1/models", 204),
        ("GET", "/no/such/path", 404),
        ("DELETE", "/running", 405),
        ("GET", "/v1//models", 307),
    ],
)
def test_a11_what_needs_no_key(
    program: SwapperProgram, method: str, target: str, status: int
) -> None:
    assert program.call(target, method=method).status == status


@pytest.mark.parametrize(
    "target",
    [
        "/ui/",
        "/ui/models",
        "/v1/models",
        "/models",
        "/running",
        "/unload",
        "/logs",
        "/logs/stream/proxy",
        "/upstream/",
        "/upstream/m1",
        "/upstream/m1/x",
        "/%75nload",
        *QUERY_PATHS,
    ],
)
def test_a12_what_needs_one(program: SwapperProgram, target: str) -> None:
    answer = program.call(target)

    assert answer.status == 401
    assert answer.header("WWW-Authenticate") == 'Basic realm="swapper"'
    assert answer.json()["error"]["message"] == (
        "unauthorized: invalid or missing API key"
    )


@pytest.mark.parametrize(
    "target", ["/api/models/unload", "/api/models/unload/m1", *BODY_PATHS]
)
def test_a12_what_needs_one_to_post(program: SwapperProgram, target: str) -> None:
    assert program.call(target, {"model": "m1"}).status == 401


def test_a13_a_browser_sees_a_page(program: SwapperProgram) -> None:
    answer = program.call("/unload", headers={"Accept": "text/html"})

    assert (answer.status, answer.header("Content-Type")) == (401, "text/html")


def test_a2_a14_the_key_opens_and_goes_on_to_the_model(program: SwapperProgram) -> None:
    assert program.call("/v1/models", headers=WITH_KEY).status == 200
    answer = program.call("/v1/chat/completions", {"model": "m1"}, headers=WITH_KEY)
    seen = dict(answer.json()["headers"])

    assert seen["Authorization"] == f"Bearer {KEY}"


def test_no_key_is_written_down(program: SwapperProgram) -> None:
    refused = {"x-api-key": "wrong-guess"}
    assert program.call(f"/running?k={KEY}", headers=refused).status == 401
    shown = [
        program.call(target, headers=WITH_KEY).body.decode()
        for target in ("/logs", "/running", "/v1/models")
    ]
    text = "\n".join([*shown, *program.lines])

    assert '"GET /running HTTP/1.1" 401' in text
    assert KEY not in text
    assert "wrong-guess" not in text
