"""Models of other servers over real sockets (http-api.md section 13)."""

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.fakes.http_client import read_answer
from tests.fakes.model_server import FakeModel, Response
from tests.fakes.ports import free_port
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.raw_client import connect
from tests.fakes.scripted_upstream import Peer, ScriptedUpstream

pytestmark = pytest.mark.live

CHAT = "/v1/chat/completions"
PEER_KEY = secrets.token_hex(8)
OUR_KEY = secrets.token_hex(8)
PASSWORD = secrets.token_hex(8)
FILTERS = "{setParams: {px: 1}, setParamsByID: {pf/fm: {by: name}}}"


class Fixture(NamedTuple):
    """swapper between clients and peers.

    Attributes:
        p1: the peer at ``/base`` that has a key.
        p2: the one without.
    """

    program: SwapperProgram
    p1: FakeModel
    p2: FakeModel

    def echo(self, target: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """Return what the peer saw of a request."""
        answer = self.program.call(target, body, headers=headers)
        assert answer.status == 200, answer.body
        seen: dict[str, Any] = answer.json()
        return seen


def silent(peer: Peer) -> None:
    """Take a request and never answer it."""
    peer.head()
    peer.rest()


def broken(peer: Peer) -> None:
    """Begin an answer and break off."""
    peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")


def peers_text(p1: FakeModel, p2: FakeModel, late: str, cut: str) -> str:
    return f"""\
    aliases: [both]
peers:
  p1:
    proxy: {p1.url}/base
    apiKey: {PEER_KEY}
    models: [pm, org/pm2, shared]
  p2:
    proxy: {p2.url.replace("//", f"//user:{PASSWORD}@")}?fixed={PASSWORD}
    models: [shared, other, both]
  pf:
    proxy: {p2.url}
    models: [fm]
    filters: {FILTERS}
  pdead:
    proxy: http://127.0.0.1:{free_port()}?key={PASSWORD}
    models: [gone]
  pbad:
    proxy: ftp://user:{PASSWORD}@127.0.0.1/
    models: [unusable]
  plate:
    proxy: {late}
    models: [slow]
    timeouts: {{responseHeader: 1}}
  pcut:
    proxy: {cut}
    models: [cut]
selectors:
  sel: {{strategy: pin, targets: [p1/pm, m1]}}
profiles:
  pr: {{pins: {{pinned: p2/other, m1: pm}}}}
"""


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory, server: str) -> Iterator[Fixture]:
    with ExitStack() as stack:
        p1 = stack.enter_context(FakeModel("--default", "echo=1", name="p1"))
        p2 = stack.enter_context(FakeModel("--default", "echo=1", name="p2"))
        late = stack.enter_context(ScriptedUpstream(silent))
        cut = stack.enter_context(ScriptedUpstream(broken))
        text = peers_text(p1, p2, late.url, cut.url)
        config = config_text({"m1": "--default echo=1"}, text)
        folder: Path = tmp_path_factory.mktemp("peers")
        program = stack.enter_context(SwapperProgram(folder, config, server=server))
        yield Fixture(program, p1, p2)
        output = "\n".join(program.lines) + program.call("/logs").body.decode()
        assert PEER_KEY not in output
        assert PASSWORD not in output


def header(seen: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in seen["headers"] if key.lower() == name.lower()]


def message(answer: Response) -> str:
    error: str = answer.json()["error"]["message"]
    return error


def test_pe1_what_a_peer_with_a_key_gets(peers: Fixture) -> None:
    seen = peers.echo(
        CHAT,
        {"model": "p1/pm", "z": 1},
        **{
            "Authorization": "Bearer c",
            "x-api-key": "c2",
            "X-Forwarded-For": "9.9.9.9",
            "X-Forwarded-Proto": "https",
            "Forwarded": "for=1",
            "Connection": "close, Authorization, X-Api-Key",
        },
    )

    assert seen["path"] == f"/base{CHAT}"
    assert header(seen, "Host") == [f"127.0.0.1:{peers.p1.port}"]
    assert header(seen, "Authorization") == [f"Bearer {PEER_KEY}"]
    assert header(seen, "X-Api-Key") == [PEER_KEY]
    assert not [n for n, _ in seen["headers"] if "forwarded" in n.lower()]
    assert json.loads(seen["body"]) == {"model": "pm", "z": 1}


@pytest.mark.parametrize(
    ("asked", "peer", "named"),
    [
        pytest.param("pm", "p1", "pm", id="PE2"),
        pytest.param("p2/shared", "p2", "shared", id="PE3"),
        pytest.param("p1/shared", "p1", "shared", id="the other one"),
        pytest.param("p1/org/pm2", "p1", "org/pm2", id="PE5"),
        pytest.param("org/pm2", "p1", "org/pm2", id="bare, with a slash"),
        pytest.param("other", "p2", "other", id="bare"),
        pytest.param("both", "m1", "both", id="ours goes first"),
        pytest.param("p2/both", "p2", "both", id="qualified"),
    ],
)
def test_who_is_asked_and_by_what_name(
    peers: Fixture, asked: str, peer: str, named: str
) -> None:
    answer = peers.program.call(CHAT, {"model": asked})

    assert answer.header("X-Fake-Model") == peer
    assert json.loads(answer.json()["body"]) == {"model": named}


def test_a_selector_may_lead_to_a_peer(peers: Fixture) -> None:
    answer = peers.program.call(CHAT, {"model": "sel"})

    assert answer.header("X-Fake-Model") == "p1"
    assert json.loads(answer.json()["body"]) == {"model": "pm"}


def test_a_pin_may_lead_to_a_peer(peers: Fixture) -> None:
    def select(profile: str | None) -> None:
        body = json.dumps({"name": profile})
        answer = peers.program.call("/api/profiles/active", body, method="PUT")
        assert answer.status == 200

    select("pr")
    try:
        answer = peers.program.call(CHAT, {"model": "pinned"})
        assert answer.header("X-Fake-Model") == "p2"
        assert json.loads(answer.json()["body"]) == {"model": "other"}
        for target, peer, seen in (
            ("/upstream/pinned/x", "p2", "/x"),
            ("/upstream/m1/a%2Fb", "p1", "/base/a%2Fb"),
        ):
            answer = peers.program.call(target)
            assert answer.header("X-Fake-Model") == peer
            assert answer.json()["path"].partition("?")[0] == seen
    finally:
        select(None)


def test_pe3_without_a_key_the_clients_goes_on(peers: Fixture) -> None:
    seen = peers.echo(CHAT, {"model": "p2/shared"}, Authorization="Bearer c")

    assert header(seen, "Authorization") == ["Bearer c"]
    assert header(seen, "X-Api-Key") == []


def test_pe4_a_bare_name_of_two_peers_is_unknown(peers: Fixture) -> None:
    answer = peers.program.call(CHAT, {"model": "shared"})

    assert answer.status == 404
    assert message(answer) == "no router for requested model"


def test_pe6_a_query_is_rewritten(peers: Fixture) -> None:
    seen = peers.echo("/props?model=p1/pm&b=2&a=1")

    assert seen["target"] == "/base/props?a=1&b=2&model=pm"


def test_a_form_is_rewritten_and_the_file_kept(peers: Fixture) -> None:
    part = b'--Q\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    raw = part % (b"model", b"p1/pm") + part % (b"file", b"RIFF") + b"--Q--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=Q"}
    seen = peers.echo("/v1/audio/transcriptions", raw, **kind)

    assert seen["body"].encode() == raw.replace(b"p1/pm", b"pm")


def test_f4_and_ee7_a_peers_filters_edit_its_requests(peers: Fixture) -> None:
    for name, extra in (("pf/fm", ',"by":"name"'), ("fm", "")):
        seen = peers.echo(
            CHAT, f'{{"model":"{name}","z":1}}', **{"Content-Type": "application/json"}
        )
        assert seen["body"] == f'{{"model":"fm","z":1,"px":1{extra}}}'


def test_pe7_a_dead_peer_is_a_502_that_tells_why(peers: Fixture) -> None:
    answer = peers.program.call(CHAT, {"model": "gone"})

    assert answer.status == 502
    assert answer.json()["error"]["code"] == "bad_gateway"
    assert message(answer).startswith("peer proxy error: peer pdead (http://127.0.0.1:")
    assert "refused" in message(answer)
    plain = {"Accept": "text/plain"}
    text = peers.program.call(CHAT, {"model": "gone"}, headers=plain)
    assert text.body.startswith(b"swapper: peer proxy error: ")


def test_a_peer_that_does_not_answer_in_time_is_a_504(peers: Fixture) -> None:
    answer = peers.program.call(CHAT, {"model": "slow"})

    assert answer.status == 504
    assert answer.json()["error"]["code"] == "gateway_timeout"
    assert message(answer).startswith("peer proxy error: peer plate (")


def test_a_peer_whose_url_is_unusable_keeps_its_password(peers: Fixture) -> None:
    answer = peers.program.call(CHAT, {"model": "unusable"})

    assert answer.status == 502
    assert message(answer).startswith("peer proxy error: peer pbad cannot be reached")
    assert PASSWORD not in message(answer)


def test_a_peer_that_breaks_off_is_passed_on_as_truncated(peers: Fixture) -> None:
    port = int(peers.program.url.rpartition(":")[2])
    with connect(port) as sock:
        sock.sendall(b"GET /upstream/cut/x HTTP/1.1\r\nHost: h\r\n\r\n")
        with pytest.raises(ConnectionError, match=r"closed after b''"):
            read_answer(sock)


@pytest.mark.parametrize(
    ("asked", "peer", "target"),
    [
        pytest.param("/upstream/p1/pm/v1/x", "p1", "/base/v1/x", id="U7"),
        ("/upstream/pm/a%2Fb?x=%2F", "p1", "/base/a%2Fb?x=%2F"),
        ("/upstream/p1%2Forg%2Fpm2/y", "p1", "/base/y"),
        ("/upstream/p1/pm/y?model=p1/pm&a=1", "p1", "/base/y?a=1&model=pm"),
        ("/upstream/p1/pm/y?model=xx&a=%20", "p1", "/base/y?model=xx&a=%20"),
    ],
)
def test_upstream_reaches_peers(
    peers: Fixture, asked: str, peer: str, target: str
) -> None:
    answer = peers.program.call(asked)

    assert answer.header("X-Fake-Model") == peer
    assert answer.json()["target"] == target


@pytest.mark.parametrize("rest", ["y", "y.js"])
def test_upstream_of_a_peer_needs_no_loading(peers: Fixture, rest: str) -> None:
    """``ignorePaths`` is about processes, and a peer's is not ours."""
    assert peers.echo(f"/upstream/p1/pm/{rest}")["path"] == f"/base/{rest}"


def test_upstream_without_a_path_redirects_for_peers_too(peers: Fixture) -> None:
    answer = peers.program.call("/upstream/p1/pm?x=1")

    assert (answer.status, answer.header("Location")) == (301, "/upstream/p1/pm/?x=1")


def test_u6_upstream_knows_no_ambiguous_name(peers: Fixture) -> None:
    answer = peers.program.call("/upstream/shared/x")

    assert (answer.status, message(answer)) == (404, "model not found")


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        pytest.param('{"model":"p1/pm"}', '{"model":"pm"}', id="U8 qualified"),
        pytest.param('{"model":"pm"}', '{"model":"pm"}', id="U8 bare"),
        pytest.param('{"model":"xx"}', '{"model":"xx"}', id="U8 other"),
        ('{"model": }', '{"model": }'),
        ('{"model":"p1/pm","model":"x"}', '{"model":"p1/pm","model":"x"}'),
        ("[1]", "[1]"),
        ("", ""),
    ],
)
def test_u8_a_body_with_the_qualified_name_is_rewritten(
    peers: Fixture, body: str, seen: str
) -> None:
    kind = {"Content-Type": "application/json"}
    got = peers.echo(f"/upstream/p1/pm{CHAT}", body, **kind)

    assert got["body"] == seen
    assert header(got, "Content-Length") == [str(len(seen))]


@pytest.mark.parametrize(
    "target",
    [
        "/upstream/p1/pm//evil.example/x",
        "/upstream/p1/pm/@evil.example/x",
        "/upstream/p1/pm/.evil.example",
        "/upstream/p1/pm/%2F%2Fevil.example/x",
        "/upstream/p1/pm/%2e%2e/%2e%2e/x",
        "/upstream/p1/pm/..%2f..%2fx",
        "/upstream/p1/pm/../../../x",
        "/upstream/p1/pm/\\\\evil.example\\x",
        "/upstream/p1/pm/..\\..\\x",
        "/upstream/p1/pm/http://evil.example/x",
        "/upstream/p1/pm/:80@evil.example/",
        "http://evil.example/upstream/p1/pm/x",
        "http://user@evil.example:1/upstream/p1/pm/x",
        "/upstream/m1//evil.example/x",
        "/upstream/m1/@evil.example/x",
        "/upstream/m1/\\\\evil.example/x",
        "/v1/audio/voices?model=p1/pm&x=http://evil.example",
    ],
)
def test_no_path_leads_to_another_host(peers: Fixture, target: str) -> None:
    """The peer's key goes to the peer, below its base URL, or nowhere."""
    port = int(peers.program.url.rpartition(":")[2])
    with connect(port) as sock:
        head = f"GET {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n"
        sock.sendall(head.encode())
        answer = read_answer(sock)

    if answer.status == 307:  # to a path of ours, cleaned
        assert answer["location"].startswith("/")
        assert not answer["location"].startswith(("//", "/\\"))
        assert ".." not in answer["location"]
        return
    assert answer.status in {200, 400, 404}
    if answer.status == 200:
        seen = json.loads(answer.body)
        is_peer = answer["x-fake-model"] == "p1"
        assert is_peer or answer["x-fake-model"] == "m1"
        if is_peer:
            assert seen["target"].startswith("/base/")
            assert header(seen, "Host") == [f"127.0.0.1:{peers.p1.port}"]


def test_q4_a_key_of_ours_never_goes_to_a_peer(
    peers: Fixture, tmp_path: Path, server: str
) -> None:
    config = f"""\
apiKeys: [{OUR_KEY}]
peers:
  open: {{proxy: "{peers.p2.url}", models: [a]}}
  closed: {{proxy: "{peers.p1.url}", models: [b], apiKey: {PEER_KEY}}}
"""
    with SwapperProgram(tmp_path, config, server=server) as program:
        for name, value in (
            ("Authorization", f"Bearer {OUR_KEY}"),
            ("x-api-key", OUR_KEY),
        ):
            headers = {name: value, "Cookie": "c=1"}
            answer = program.call(CHAT, {"model": "a"}, headers=headers)
            seen = answer.json()["headers"]
            assert answer.status == 200
            assert OUR_KEY not in json.dumps(seen)
            assert ["Cookie", "c=1"] in seen
        theirs = {"Authorization": f"Bearer {OUR_KEY}", "x-api-key": "theirs"}
        answer = program.call(CHAT, {"model": "a"}, headers=theirs)
        assert header(answer.json(), "x-api-key") == ["theirs"]
        assert header(answer.json(), "Authorization") == []
        answer = program.call(CHAT, {"model": "b"}, headers=theirs)
        assert header(answer.json(), "x-api-key") == [PEER_KEY]
        assert program.call(CHAT, {"model": "a"}).status == 401
