"""Profiles, selectors and name resolution over real sockets.

http-api.md sections 8 to 10 and 19, config.md section 19.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from swapper import __version__
from tests.fakes.model_server import (
    Response,
    fake_model_command,
    fake_release,
    fake_state,
)
from tests.fakes.ports import free_ports
from tests.fakes.program import SwapperProgram

pytestmark = pytest.mark.live

CONFIG = """\
startPort: %d
healthCheckTimeout: 15
includeAliasesInList: true
macros:
  fake: |
    %s --name ${MODEL_ID}
models:
  m1: {cmd: "${fake}", aliases: [alias1], name: " M One "}
  prio: {cmd: "${fake}"}
  hid: {cmd: "${fake}", unlisted: true}
  author/model: {cmd: "${fake}"}
  a: {cmd: "${fake}", aliases: [al, m]}
  org/a: {cmd: "${fake}"}
  org: {cmd: "${fake}"}
  s-a: {cmd: "${fake}"}
  s-b: {cmd: "${fake}"}
groups:
  g: {swap: false, members: [m1, prio, hid, author/model, a, org/a, org, s-a, s-b]}
peers:
  p: {proxy: "http://127.0.0.1:1", models: [m, u, sel]}
selectors:
  sel-pin: {strategy: pin, targets: [alias1, p/m]}
  sel-warm: {strategy: warm, targets: [m1, author/model]}
  spill: {strategy: spillover, targets: [s-a, s-b], settings: {spillover: 2}}
  sel: {strategy: pin, targets: [a]}
  s2: {strategy: pin, targets: [al]}
profiles:
  pr: {pins: {a: org, newpin: s2, "off": ~, al: ~}}
  coding:
    description: Coding
    pins: {public: alias1, blocked: ~, m1: prio, viasel: sel-warm, author: hid}
"""
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=Q"}
UPLOAD = (
    b'--Q\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n--Q\r\n'
    b'Content-Disposition: form-data; name="file"; filename="f"\r\n'
    b"Content-Type: audio/wav\r\nX-Kept: 1\r\n\r\n12345\r\n--Q--\r\n"
)


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    command = fake_model_command("--default", "echo=1")
    config = CONFIG % (free_ports(9), command)
    with SwapperProgram(
        tmp_path_factory.mktemp("names"), config, server=server
    ) as made:
        yield made


def select(program: SwapperProgram, body: str) -> Response:
    return program.call("/api/profiles/active", body, method="PUT")


@contextmanager
def profile(program: SwapperProgram, name: str) -> Iterator[None]:
    """Have a profile active for a while."""
    assert select(program, f'{{"name":"{name}"}}').json() == {"active": name}
    try:
        yield
    finally:
        assert select(program, '{"name":null}').json() == {"active": None}


def served(answer: Response) -> tuple[str | None, Any]:
    """Return who answered and what it was sent."""
    assert answer.status == 200, answer.body
    return answer.header("X-Fake-Model"), answer.json()


def ask(program: SwapperProgram, name: str) -> tuple[str | None, str] | int:
    """Return the model that serves *name* and the name it was sent, or the status."""
    raw = f'{{"x":1,"model":"{name}","y":2}}'
    answer = program.call("/v1/embeddings", raw, headers=JSON)
    if answer.status != 200:
        return answer.status
    model, seen = served(answer)
    sent = seen["body"].removeprefix('{"x":1,"model":"').removesuffix('","y":2}')
    return model, sent


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("public", ("m1", "alias1"), id="PR1"),
        pytest.param("m1", ("prio", "prio"), id="PR3"),
        pytest.param("alias1", ("m1", "alias1"), id="PR4"),
        pytest.param("viasel", ("m1", "m1"), id="PR5"),
    ],
)
def test_pins_change_who_serves(
    program: SwapperProgram, name: str, expected: tuple[str, str]
) -> None:
    with profile(program, "coding"):
        assert ask(program, name) == expected


def test_pr2_a_blocked_name_names_no_model(program: SwapperProgram) -> None:
    with profile(program, "coding"):
        answer = program.chat("blocked")

    assert answer.status == 404
    message = answer.json()["error"]["message"]
    assert message == "no model id could be identified"


def test_pr6_a_pinned_query_is_sorted(program: SwapperProgram) -> None:
    with profile(program, "coding"):
        model, seen = served(program.call("/props?model=public&z=1&a=2"))

    assert (model, seen["target"]) == ("m1", "/props?a=2&model=alias1&z=1")


def test_a_pinned_upload_changes_only_the_name(program: SwapperProgram) -> None:
    target = "/v1/audio/transcriptions"
    with profile(program, "coding"):
        model, seen = served(
            program.call(target, UPLOAD % b"public", headers=MULTIPART)
        )

    assert (model, seen["body"]) == ("m1", (UPLOAD % b"alias1").decode())


@pytest.mark.parametrize(
    ("query", "body", "headers", "seen_query", "seen_body"),
    [
        ("", b"z=1&model=public", FORM, "", "model=alias1&z=1"),
        ("?model=public&b=1", b"raw", {}, "?b=1&model=alias1", "raw"),
        ("?model=public", b"z=1", FORM, "?model=alias1", "z=1"),
    ],
    ids=["urlencoded", "query", "query-and-form"],
)
def test_pins_of_other_forms_count_for_routing(
    program: SwapperProgram,
    query: str,
    body: bytes,
    headers: dict[str, str],
    seen_query: str,
    seen_body: str,
) -> None:
    target = "/v1/audio/transcriptions"
    with profile(program, "coding"):
        model, seen = served(program.call(target + query, body, headers=headers))

    assert (model, seen["target"]) == ("m1", target + seen_query)
    assert seen["body"] == seen_body


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("/upstream/public/a%2Fb?q=1", ("m1", "/a%2Fb?q=1"), id="PR7"),
        pytest.param("/upstream/author/model/x", ("hid", "/model/x"), id="longest-pin"),
        pytest.param("/upstream/m1/x", ("prio", "/x"), id="pin-of-a-model"),
        pytest.param("/upstream/alias1/x", ("m1", "/x"), id="alias-of-a-pin"),
    ],
)
def test_pins_below_upstream(
    program: SwapperProgram, target: str, expected: tuple[str, str]
) -> None:
    with profile(program, "coding"):
        model, seen = served(program.call(target))

    assert (model, seen["target"]) == expected


@pytest.mark.parametrize("name", ["blocked", "viasel"])
def test_pr8_pins_that_lead_nowhere_below_upstream(
    program: SwapperProgram, name: str
) -> None:
    with profile(program, "coding"):
        answer = program.call(f"/upstream/{name}/x")

    assert answer.status == 404
    assert answer.json()["error"]["message"] == "model not found"


def test_pr9_the_redirect_shows_the_pinned_name(program: SwapperProgram) -> None:
    with profile(program, "coding"):
        answer = program.call("/upstream/m1?x=1")

    assert (answer.status, answer.header("Location")) == (301, "/upstream/prio/?x=1")


@pytest.mark.parametrize("name", ["public", "viasel", "sel-pin", "p/m"])
def test_pr10_only_models_can_be_unloaded(program: SwapperProgram, name: str) -> None:
    with profile(program, "coding"):
        answer = program.call(f"/api/models/unload/{name}", b"")

    assert answer.status == 404
    assert answer.json()["error"]["message"] == "model not found"


def listed(program: SwapperProgram) -> dict[str, Any]:
    """Return the kind of each name of the model list."""
    rows = program.call("/v1/models").json()["data"]
    return {row["id"]: row["meta"]["llamaswap"]["type"] for row in rows}


def test_pr11_the_list_has_the_pins(program: SwapperProgram) -> None:
    before = listed(program)
    with profile(program, "coding"):
        during = listed(program)

    assert list(during) == sorted(during)
    assert before["m1"] == "model"
    assert before["sel-warm"] == "selector"
    assert before["p/m"] == "peer"
    assert "hid" not in before
    pins = dict.fromkeys(("author", "public", "viasel"), "profile")
    assert during == {**before, **pins}


def test_running_shows_the_name_as_written(program: SwapperProgram) -> None:
    assert ask(program, "m1") == ("m1", "m1")
    rows = program.call("/running").json()["running"]

    assert [row["name"] for row in rows if row["model"] == "m1"] == [" M One "]


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ('{"name":"coding"}', 200, "coding"),
        ('{"name":null}', 200, None),
        ('{"name":"pr"} trailing', 200, "pr"),
        ('{"name":""}', 200, None),
        ('{"name":"nope"}', 404, 'profile "nope" not found'),
        ('{"name":5}', 400, "profile name must be a string or null"),
        ("{}", 400, "profile name is required"),
        ("[]", 400, "invalid profile request"),
        ("", 400, "invalid profile request"),
    ],
)
def test_choosing_a_profile(
    program: SwapperProgram, body: str, status: int, expected: str | None
) -> None:
    with profile(program, "coding"):
        answer = select(program, body)
        now = program.call("/api/profiles").json()["active"]

    assert answer.status == status
    if status == 200:
        assert answer.json() == {"active": expected}
        assert now == expected
    else:
        assert answer.json()["error"]["message"] == expected
        assert now == "coding"


def test_profiles_are_listed(program: SwapperProgram) -> None:
    found = program.call("/api/profiles").json()

    assert found["active"] is None
    assert [one["id"] for one in found["profiles"]] == ["coding", "pr"]
    assert found["profiles"][1] == {
        "id": "pr",
        "description": "",
        "pins": {"a": "org", "al": "", "newpin": "s2", "off": ""},
    }
    refused = program.call("/api/profiles/active", b"{}")
    assert (refused.status, refused.header("Allow")) == (405, "PUT")


def test_pages_of_other_sites_cannot_choose_a_profile(program: SwapperProgram) -> None:
    headers = {"Origin": "http://elsewhere.example"}
    answer = program.call(
        "/api/profiles/active", '{"name":"pr"}', method="PUT", headers=headers
    )

    assert answer.status == 403
    assert program.call("/api/profiles").json()["active"] is None


def test_the_version_is_told(program: SwapperProgram) -> None:
    found = program.call("/api/version").json()

    assert found.keys() == {"version", "commit", "build_date"}
    assert found["version"] == __version__
    assert all(isinstance(value, str) for value in found.values())


@pytest.mark.parametrize(
    ("name", "without", "with_profile"),
    [
        pytest.param("a", ("a", "a"), ("org", "org"), id="RES-1"),
        pytest.param("al", ("a", "al"), 404, id="RES-2"),
        pytest.param("m", ("a", "m"), ("a", "m"), id="RES-3"),
        pytest.param("sel", ("a", "a"), ("a", "a"), id="RES-6"),
        pytest.param("s2", ("a", "al"), ("a", "al"), id="RES-7"),
        pytest.param("newpin", 404, ("a", "al"), id="RES-8"),
        pytest.param("off", 404, 404, id="RES-9"),
        pytest.param("unknown", 404, 404, id="RES-9 unknown"),
        pytest.param("A", 404, 404, id="RES-9 case"),
    ],
)
def test_how_names_resolve(
    program: SwapperProgram, name: str, without: object, with_profile: object
) -> None:
    assert ask(program, name) == without
    with profile(program, "pr"):
        assert ask(program, name) == with_profile


@pytest.mark.parametrize(
    ("path", "without", "with_profile"),
    [
        pytest.param("org/a/test", "org/a", "org/a", id="RES-10"),
        pytest.param("org/test", "org", "org", id="RES-11"),
        pytest.param("a/test", "a", "org", id="RES-12"),
        pytest.param("newpin/test", None, None, id="RES-15"),
    ],
)
def test_how_paths_resolve(
    program: SwapperProgram, path: str, without: str | None, with_profile: str | None
) -> None:
    def model_of_path() -> str | None:
        answer = program.call(f"/upstream/{path}")
        if answer.status == 404:
            return None
        model, seen = served(answer)
        assert seen["target"] == "/test"
        return model

    assert model_of_path() == without
    with profile(program, "pr"):
        assert model_of_path() == with_profile


def test_s1_a_selector_is_a_name_for_its_target(program: SwapperProgram) -> None:
    assert ask(program, "sel-pin") == ("m1", "alias1")


def test_s2_the_query_names_the_target_once(program: SwapperProgram) -> None:
    model, seen = served(program.call("/props?model=sel-pin&model=zz"))

    assert (model, seen["target"]) == ("m1", "/props?model=alias1")


def test_s3_warm_takes_the_model_that_runs(program: SwapperProgram) -> None:
    program.call("/unload")
    assert program.call("/upstream/author/model/x").status == 200

    assert ask(program, "sel-warm") == ("author/model", "author/model")


def test_s4_spillover_fills_one_target_before_the_next_starts(
    program: SwapperProgram,
) -> None:
    with ThreadPoolExecutor(3) as pool:
        held = []
        for model, count in (("s-a", 1), ("s-a", 2), ("s-b", 1)):
            held.append(
                pool.submit(program.call, "/v1/embeddings?hold=k", {"model": "spill"})
            )
            fake_state(program.upstream_url(model), min_held=count)
        fake_release(program.upstream_url("s-a"), "k", 2)
        fake_release(program.upstream_url("s-b"), "k", 1)

        assert [served(one.result())[0] for one in held] == ["s-a", "s-a", "s-b"]


def test_selectors_are_nothing_below_upstream(program: SwapperProgram) -> None:
    assert program.call("/upstream/sel-pin/x").status == 404
