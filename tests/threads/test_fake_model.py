"""The fake model does what a request's controls say; other tests stand on this."""

import base64
import gzip
import hashlib
import io
import json
import os
import select
import time
import wave
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.fakes.model_server import FakeModel, call
from tests.fakes.raw_client import DEADLINE_S, connect, read_all, read_until


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with FakeModel(name="tiny") as running:
        yield running


def ask(
    model: FakeModel, target: str, method: str = "GET", version: str = "1.1"
) -> bytes:
    """Return everything the model sends until it closes the connection."""
    with connect(model.port) as sock:
        sock.sendall(f"{method} {target} HTTP/{version}\r\nHost: h\r\n\r\n".encode())
        return read_all(sock)


def test_health_tells_who_it_is_and_when_it_became_ready(model: FakeModel) -> None:
    health = model.call("/health").json()
    assert health["name"] == "tiny"
    assert health["pid"] == model.process.pid
    assert health["started_s"] <= health["ready_s"] <= time.monotonic()


def test_an_unknown_path_describes_the_request_as_it_arrived(model: FakeModel) -> None:
    with connect(model.port) as sock:
        sock.sendall(
            b"PUT /a%20b//c?x=1&x=2 HTTP/1.1\r\nhost: h\r\nX-A: 1\r\nx-a:  2\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            b"3;note=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
        )
        echo = json.loads(read_all(sock).partition(b"\r\n\r\n")[2])
    assert (echo["method"], echo["path"]) == ("PUT", "/a%20b//c?x=1&x=2")
    assert echo["headers"][:3] == [["host", "h"], ["X-A", "1"], ["x-a", "2"]]
    assert echo["body"] == "abcde"
    assert echo["name"] == "tiny"


def test_a_large_body_is_told_by_its_length_and_digest(model: FakeModel) -> None:
    body = os.urandom(200_000)
    echo = model.call("/v1/chat/completions?echo", body).json()
    assert echo["body"] is None
    assert echo["body_bytes"] == len(body)
    assert echo["body_sha256"] == hashlib.sha256(body).hexdigest()


def test_a_chat_answer_names_the_model_and_counts_tokens(model: FakeModel) -> None:
    asked = {"model": "m", "messages": []}
    answer = model.call("/v1/chat/completions?tokens=4", asked).json()
    assert answer["choices"][0]["message"]["content"] == "tiny 1 2 3"
    assert answer["usage"]["completion_tokens"] == 4
    assert answer["model"] == "m"


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("/v1/chat/completions", "[DONE]"),
        ("/v1/completions", "[DONE]"),
        ("/v1/messages", '{"type": "message_stop"}'),
        ("/v1/responses", None),
    ],
)
def test_every_text_api_streams_its_tokens(
    model: FakeModel, path: str, last: str | None
) -> None:
    answer = model.call(f"{path}?tokens=3", {"stream": True})
    lines = answer.body.decode().splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert answer.header("Content-Type") == "text/event-stream"
    assert answer.header("Transfer-Encoding") == "chunked"
    assert all(
        any(token in line for line in data) for token in ("tiny", '" 1"', '" 2"')
    )
    assert any('_tokens": 7' in line for line in data)
    assert last in {data[-1], None}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/v1/completions"])
def test_every_text_api_answers_in_one_piece_as_well(
    model: FakeModel, path: str
) -> None:
    answer = model.call(path, {"model": "m"})
    assert "tiny 1 2" in answer.body.decode()
    assert answer.json()["model"] == "m"


def test_embeddings_and_rerank_give_one_result_for_each_input(model: FakeModel) -> None:
    embeddings = model.call("/v1/embeddings", {"input": ["a", "b"]}).json()
    ranks = model.call("/rerank", {"query": "q", "documents": ["a", "b", "c"]}).json()
    assert [item["index"] for item in embeddings["data"]] == [0, 1]
    assert embeddings["data"][0]["embedding"] != embeddings["data"][1]["embedding"]
    assert len(ranks["results"]) == 3


def test_a_transcription_tells_the_form_it_got(model: FakeModel) -> None:
    form = (
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        b"Content-Type: audio/wav\r\n\r\n\x00\r\n\x01\r\n"
        b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nw\r\n--B--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    url = f"{model.url}/v1/audio/transcriptions"
    fields = call(url, form, headers=headers).json()["fields"]
    assert fields["model"] == "w"
    assert fields["file"]["filename"] == "a.wav"
    assert fields["file"]["body_bytes"] == 4


def test_tokens_are_counted(model: FakeModel) -> None:
    answer = model.call("/v1/messages/count_tokens", {"model": "m", "messages": []})
    assert answer.json() == {"input_tokens": 7}


def test_speech_is_a_second_of_silence(model: FakeModel) -> None:
    answer = model.call("/v1/audio/speech", {"model": "m", "input": "hello"})
    assert answer.header("Content-Type") == "audio/wav"
    with wave.open(io.BytesIO(answer.body)) as sound:
        assert sound.getnframes() == sound.getframerate() == 8000
        assert set(sound.readframes(8000)) == {0x80}


def test_pictures_are_png_and_as_many_as_wanted(model: FakeModel) -> None:
    made = model.call("/v1/images/generations", {"prompt": "p", "n": 2}).json()["data"]
    edited = model.call("/v1/images/edits", b"--B--").json()["data"]
    picture = base64.b64decode(made[0]["b64_json"])
    assert picture.startswith(b"\x89PNG\r\n")
    assert picture[16:24] == b"\0\0\0\1\0\0\0\1"  # 1 x 1
    assert [len(made), len(edited)] == [2, 1]


def test_controls_come_from_headers_too(model: FakeModel) -> None:
    headers = {"X-Fake-Status": "418", "X-Fake-Header": "X-B: 2"}
    answer = call(f"{model.url}/x?header=X-A:1", headers=headers)
    assert answer.status == 418
    assert (answer.header("X-A"), answer.header("X-B")) == ("1", "2")


def test_default_controls_hold_for_everything_but_health() -> None:
    with FakeModel("--default", "status=500") as model:
        assert model.call("/x").status == 500
        assert model.call("/x?status=201").status == 201
        assert model.call("/health").status == 200


def test_a_header_can_be_sent_twice(model: FakeModel) -> None:
    answer = model.call("/x?header=Set-Cookie:a%3D1&header=Set-Cookie:b%3D2")
    cookies = [value for name, value in answer.headers if name == "Set-Cookie"]
    assert cookies == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("framing", "sign"),
    [
        ("chunked", b"Transfer-Encoding: chunked"),
        ("length", b"Content-Length: 10"),
        ("close", b"Connection: close"),
    ],
)
def test_the_framing_is_chosen_by_the_request(
    model: FakeModel, framing: str, sign: bytes
) -> None:
    target = f"/x?size=10&framing={framing}"
    with connect(model.port) as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        head, _, body = read_all(sock).partition(b"\r\n\r\n")
    assert sign in head
    plain = bytes(range(10))
    assert body == (
        b"a\r\n" + plain + b"\r\n0\r\n\r\n" if framing == "chunked" else plain
    )
    assert model.call(target).body == plain


def test_an_old_client_gets_no_chunks(model: FakeModel) -> None:
    head, _, body = ask(model, "/x?size=3&framing=chunked", version="1.0").partition(
        b"\r\n\r\n"
    )
    assert b"chunked" not in head
    assert body == b"\x00\x01\x02"


def test_a_connection_serves_many_requests_pipelined_too(model: FakeModel) -> None:
    with connect(model.port) as sock:
        one = b"GET /x?size=2 HTTP/1.1\r\n\r\n"
        last = b"HEAD /x?size=2 HTTP/1.1\r\nConnection: close\r\n\r\n"
        sock.sendall(one * 3 + last)
        received = read_all(sock)
    assert received.count(b"HTTP/1.1 200 OK") == 4
    assert received.count(b"\x00\x01") == 3
    numbers = {line for line in received.split(b"\r\n") if b"X-Fake-Connection" in line}
    assert len(numbers) == 1


def test_a_body_can_be_compressed_and_sliced(model: FakeModel) -> None:
    answer = model.call("/x?size=1000&slice=100&gzip&framing=chunked")
    assert answer.header("Content-Encoding") == "gzip"
    assert gzip.decompress(answer.body) == (bytes(range(256)) * 4)[:1000]


def test_an_expecting_client_is_told_to_go_on(model: FakeModel) -> None:
    with connect(model.port) as sock:
        sock.sendall(
            b"POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hi")
        assert b'"body": "hi"' in read_all(sock)


def test_an_answer_may_come_without_the_body_being_read(model: FakeModel) -> None:
    with connect(model.port) as sock:
        sock.sendall(b"POST /x?unread&status=413 HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 413")


def test_pauses_last_as_long_as_asked(model: FakeModel) -> None:
    began_s = time.monotonic()
    answer = model.call(
        "/x?size=3&slice=1&framing=chunked&delay=.05&first=.05&interval=.1"
    )
    assert answer.body == b"\x00\x01\x02"
    assert time.monotonic() - began_s >= 0.3


def test_a_held_request_waits_for_its_release(model: FakeModel) -> None:
    with connect(model.port) as sock:
        sock.sendall(b"GET /x?size=1&hold=head HTTP/1.1\r\n\r\n")
        model.state(min_held=1)
        assert not select.select([sock], [], [], 0)[0]
        assert model.release("head") == 1
        assert read_until(sock, b"\x00").startswith(b"HTTP/1.1 200")


def test_a_stream_can_be_held_before_any_piece(model: FakeModel) -> None:
    with connect(model.port) as sock:
        sock.sendall(b"GET /x?size=4&slice=1&hold=mid&hold_at=2 HTTP/1.1\r\n\r\n")
        read_until(sock, b"\r\n\r\n\x00\x01")
        model.state(min_held=1)
        assert not select.select([sock], [], [], 0)[0]
        model.release("mid")
        read_until(sock, b"\x02\x03")


def test_a_hold_between_head_and_body_lets_the_head_go(model: FakeModel) -> None:
    with connect(model.port) as sock:
        sock.sendall(b"GET /x?size=1&hold=body&hold_at=0 HTTP/1.1\r\n\r\n")
        read_until(sock, b"\r\n\r\n")
        model.release("body")
        read_until(sock, b"\x00")


def test_a_release_of_another_key_changes_nothing(model: FakeModel) -> None:
    with connect(model.port) as sock:
        sock.sendall(b"GET /x?size=1&hold=mine HTTP/1.1\r\n\r\n")
        model.state(min_held=1)
        assert model.call("/fake/release?key=yours&within=0", b"").status == 504
        assert model.state()["held"] == 1
        model.release()
        read_until(sock, b"\x00")


@pytest.mark.parametrize(
    "where",
    ["delay=60", "hold=never", "first=60", "size=9&slice=1&interval=60", "size=1e9"],
)
def test_a_client_that_hangs_up_is_noticed_at_once(
    model: FakeModel, where: str
) -> None:
    target = where.replace("1e9", str(10**9))
    before = model.state(max_in_progress=0)["hangups"]
    with connect(model.port) as sock:
        sock.sendall(f"GET /x?{target} HTTP/1.1\r\n\r\n".encode())
        model.state(min_in_progress=1)
    after = model.state(min_hangups=before + 1, max_in_progress=0)
    assert after["hangups"] == before + 1
    assert after["held"] == 0


def test_a_client_that_leaves_with_pipelined_bytes_is_noticed(model: FakeModel) -> None:
    before = model.state(max_in_progress=0)["hangups"]
    with connect(model.port) as sock:
        sock.sendall(b"GET /x?hold=never HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\n\r\n")
        model.state(min_held=1)
    assert model.state(min_hangups=before + 1)["hangups"] == before + 1


def test_a_finished_response_is_no_hang_up(model: FakeModel) -> None:
    before = model.state(max_in_progress=0)["hangups"]
    model.call("/v1/chat/completions?tokens=200", {"stream": True})
    assert model.state(max_in_progress=0)["hangups"] == before


def test_the_state_counts_requests_by_path(model: FakeModel) -> None:
    before = model.state()
    model.call("/counted%20path?x=1")
    after = model.state(max_in_progress=0)
    assert after["by_path"]["/counted path"] == 1
    assert after["total"] == before["total"] + 1


@pytest.mark.parametrize(
    ("drop", "expected"),
    [
        ("head", b""),
        ("body", b"\x00\x01\x02\x03\x04"),
        ("0", b""),
        ("7", bytes(range(7))),
    ],
)
def test_a_connection_is_dropped_where_asked(
    model: FakeModel, drop: str, expected: bytes
) -> None:
    received = ask(model, f"/x?size=10&drop={drop}")
    head, _, body = received.partition(b"\r\n\r\n")
    assert bool(head) == (drop != "head")
    assert body == expected


def test_a_dropped_chunk_is_cut_in_its_middle(model: FakeModel) -> None:
    received = ask(model, "/x?size=10&framing=chunked&drop=3")
    assert received.endswith(b"\r\n\r\na\r\n\x00\x01\x02")


def test_a_connection_can_be_reset(model: FakeModel) -> None:
    with pytest.raises(ConnectionResetError):
        ask(model, "/x?drop=head&reset")


def test_raw_bytes_are_sent_as_they_are(model: FakeModel) -> None:
    lie = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n+/"
    encoded = quote(base64.b64encode(lie))
    assert ask(model, f"/x?raw={encoded}") == lie


@pytest.mark.parametrize("where", ["", "&size=10&drop=5"])
def test_the_process_can_die_in_mid_request(where: str) -> None:
    with FakeModel() as model:
        received = ask(model, f"/x?crash=7{where}")
        assert model.process.wait(DEADLINE_S) == 7
    assert received.endswith(bytes(range(5))) == bool(where)
