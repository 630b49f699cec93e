"""Where a request names its model (http-api.md section 7, cases X*)."""

from typing import Any

import pytest

from swapper.core.errors import BadRequestError, InvalidJsonError, NotFoundError
from swapper.web.model_name import ModelRequest, body_with_name, find_model
from swapper.web.request import Request
from tests.fakes.requests import make_request

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=XX"}
MODEL_PART = b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\nm1\r\n'
FILE_PART = (
    b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    + b"\0" * 200_000
    + b"\r\n"
)
UPLOAD = FILE_PART + MODEL_PART + b"--XX--\r\n"


def find(method: str, target: str, **rest: Any) -> ModelRequest:
    return find_model(make_request(method, target, **rest))


def body_of(found: ModelRequest) -> bytes:
    if found.body is None or isinstance(found.body, bytes):
        return found.body or b""
    pieces = iter(lambda: found.body.read1(10_000), b"")  # type: ignore[union-attr]  # checked above
    return b"".join(pieces)


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8"]
)
def test_x1_x2_json_names_the_model_and_stays_byte_identical(kind: str) -> None:
    raw = b'{ "model":"m1", "x": 1.50 }'
    found = find(
        "POST", "/v1/chat/completions", body=raw, headers={"Content-Type": kind}
    )

    assert (found.name, found.body, found.length) == ("m1", raw, len(raw))


@pytest.mark.parametrize("kind", ["text/json", "Application/JSON", None])
def test_x3_other_content_types_are_not_looked_into(kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    with pytest.raises(NotFoundError, match="no model id"):
        find("POST", "/v1/chat/completions", body=b'{"model":"m1"}', headers=headers)


def test_x4_json_sent_as_a_form_names_nothing() -> None:
    with pytest.raises(NotFoundError):
        find("POST", "/v1/chat/completions", body=b'{"model":"m1"}', headers=FORM)


def test_x5_the_query_helps_a_form_without_model() -> None:
    raw = b'{"model":"m1"}'
    found = find("POST", "/v1/chat/completions?model=m1", body=raw, headers=FORM)

    assert (found.name, body_of(found)) == ("m1", raw)


@pytest.mark.parametrize(
    "raw", [b'{"model":null}', b'{"model":""}', b'[{"model":"m1"}]', b"{}"]
)
def test_x6_no_name_in_the_body(raw: bytes) -> None:
    with pytest.raises(NotFoundError, match="no model id"):
        find("POST", "/v1/chat/completions", body=raw, headers=JSON)


@pytest.mark.parametrize("raw", [b"", b"not json"])
def test_x6_a_body_that_is_not_json_is_a_bad_request(raw: bytes) -> None:
    with pytest.raises(InvalidJsonError):
        find("POST", "/v1/chat/completions", body=raw, headers=JSON)


@pytest.mark.parametrize(
    ("raw", "name"),
    [(b"5", "5"), (b"true", "true"), (b'{"a" :1}', '{"a" :1}'), (b"1.50", "1.50")],
)
def test_x7_other_values_become_their_text(raw: bytes, name: str) -> None:
    assert find("POST", "/", body=b'{"model":' + raw + b"}", headers=JSON).name == name


def test_x8_a_multipart_body_stays_byte_identical() -> None:
    request = make_request(
        "POST", "/v1/audio/transcriptions", body=UPLOAD, headers=MULTIPART
    )
    found = find_model(request)

    assert (found.name, found.length) == ("m1", len(UPLOAD))
    assert body_of(found) == UPLOAD
    for close in request.closers:
        close()


def test_a_multipart_body_is_read_only_as_far_as_the_model() -> None:
    raw = MODEL_PART + FILE_PART + b"--XX--\r\n"
    request = make_request("POST", "/", body=raw, headers=MULTIPART)
    found = find_model(request)

    assert found.name == "m1"
    assert request.input.tell() <= 65536
    for close in request.closers:
        close()


def test_renaming_a_multipart_body_changes_only_the_name() -> None:
    request = make_request("POST", "/", body=UPLOAD, headers=MULTIPART)
    found = find_model(request)
    found.rename_in_body("a-longer-name")
    renamed = UPLOAD.replace(b"\r\n\r\nm1\r\n", b"\r\n\r\na-longer-name\r\n")

    assert body_of(found) == renamed
    assert found.length == len(renamed)
    for close in request.closers:
        close()


def test_x9_the_query_wins_over_a_multipart_field() -> None:
    target = "/v1/images/edits?model=hid"
    request = make_request("POST", target, body=UPLOAD, headers=MULTIPART)
    found = find_model(request)

    assert found.name == "hid"
    assert body_of(found) == UPLOAD
    for close in request.closers:
        close()


def test_x10_a_urlencoded_body_wins_over_the_query() -> None:
    found = find("POST", "/x?model=hid", body=b"a=1&model=m1", headers=FORM)

    assert (found.name, found.body) == ("m1", b"a=1&model=m1")


def test_x12_get_takes_the_query() -> None:
    assert find("GET", "/props?model=m%2F1&b=2&model=x").name == "m/1"


def test_x13_get_without_a_model() -> None:
    with pytest.raises(NotFoundError):
        find("GET", "/props")


def test_x14_head_takes_the_query() -> None:
    assert find("HEAD", "/props?model=m1").name == "m1"


def test_x15_forty_megabytes_of_json_are_taken() -> None:
    raw = b'{"pad":"' + b"x" * (40 << 20) + b'","model":"m1"}'

    assert find("POST", "/", body=raw, headers=JSON).name == "m1"


def test_x16_eleven_megabytes_of_form_are_not() -> None:
    raw = b"model=m1&pad=" + b"x" * (11 << 20)
    with pytest.raises(NotFoundError):
        find("POST", "/", body=raw, headers=FORM)


def test_a_multipart_body_without_boundary_names_nothing() -> None:
    with pytest.raises(NotFoundError):
        find("POST", "/", body=UPLOAD, headers={"Content-Type": "multipart/form-data"})


def test_renaming_json() -> None:
    found = find("POST", "/", body=b'{"x":1,"model":"a"}', headers=JSON)
    found.rename('q"uote')

    assert found.name == 'q"uote'
    assert found.body == b'{"x":1,"model":"q\\"uote"}'
    assert found.length == len(found.body)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ("true", True),
        ("1", True),
        ("-0.5", True),
        ('"True"', True),
        ('"T"', True),
        ('"1"', True),
        ("false", False),
        ("0", False),
        ("0.0", False),
        ('"yes"', False),
        ('""', False),
        ("null", False),
        ("[1]", False),
        ('{"a":1}', False),
        ("0e7", False),
        ("1e400", True),
        ('"\\u0074rue"', True),
        ('0,"stream":1', False),
    ],
)
def test_the_streaming_flag_of_a_json_body(stream: str, expected: bool) -> None:
    raw = f'{{"model":"m1","stream":{stream}}}'.encode()
    found = find("POST", "/v1/chat/completions", body=raw, headers=JSON)

    assert found.is_streaming is expected


def test_without_a_flag_nothing_is_streamed() -> None:
    raw = b'{"model":"m1","options":{"stream":true}}'

    assert not find("POST", "/v1/x", body=raw, headers=JSON).is_streaming
    assert not find("GET", "/props?model=m1").is_streaming


@pytest.mark.parametrize(
    ("method", "target", "form", "expected"),
    [
        ("GET", "/props?model=m&stream=true", b"", True),
        ("GET", "/props?model=m&stream=1", b"", False),
        ("GET", "/props?model=m&stream=false&stream=true", b"", False),
        ("POST", "/x", b"model=m&stream=true", True),
        ("POST", "/x?stream=true", b"model=m&stream=false", False),
        ("POST", "/x?stream=true", b"model=m", True),
        ("POST", "/x", b"model=m&stream=True", False),
    ],
)
def test_the_streaming_flag_of_queries_and_urlencoded_bodies(
    method: str, target: str, form: bytes, expected: bool
) -> None:
    headers = FORM if form else {}

    assert find(method, target, body=form, headers=headers).is_streaming is expected


@pytest.mark.parametrize(
    ("query", "field", "expected"),
    [
        ("", b"true", True),
        ("", b"1", False),
        ("?stream=false", b"true", False),
        ("?stream=true", b"false", True),
    ],
)
def test_the_streaming_flag_of_a_multipart_body(
    query: str, field: bytes, expected: bool
) -> None:
    stream = (
        b'--XX\r\nContent-Disposition: form-data; name="stream"\r\n\r\n%b\r\n' % field
    )
    raw = MODEL_PART + stream + b"--XX--\r\n"
    request = make_request("POST", f"/x{query}", body=raw, headers=MULTIPART)
    found = find_model(request)

    assert found.is_streaming is expected
    found.rename("other")
    assert body_of(found) == raw.replace(b"\r\n\r\nm1\r\n", b"\r\n\r\nother\r\n")
    for close in request.closers:
        close()


def test_a_doubled_model_key_is_refused() -> None:
    for raw in (b'{"model":"a","model":"b"}', b'{"model":"a","mod\\u0065l":"a"}'):
        with pytest.raises(BadRequestError, match="twice"):
            find("POST", "/", body=raw, headers=JSON)


def renamed(request: Request) -> ModelRequest:
    """Return *request* as found, then given two new names one after another."""
    found = find_model(request)
    found.rename("first/one")
    found.rename("new/é")
    assert found.name == "new/é"
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_renaming_a_query_sorts_it(method: str) -> None:
    """S2, PR6: one value for all of ``model``; bytes of other values stay."""
    request = make_request(method, "/props?z=%ff+1&model=m1&a=2&model=zz&b")
    renamed(request)

    assert request.target == "/props?a=2&b=&model=new%2F%C3%A9&z=%FF+1"
    assert request.query_value("model") == "new/é"


def test_renaming_a_urlencoded_body_sorts_it() -> None:
    raw = b"z=1&model=m1&a=%ff&model=x"
    request = make_request("POST", "/x?model=other", body=raw, headers=FORM)
    found = renamed(request)

    assert found.body == b"a=%FF&model=new%2F%C3%A9&z=1"
    assert found.length == len(found.body)
    assert request.query == "model=other"  # which was overruled all the time


@pytest.mark.parametrize("headers", [{}, FORM, {"Content-Type": "text/plain"}])
def test_renaming_in_the_query_leaves_the_body(headers: dict[str, str]) -> None:
    raw = b'{"x":1}'
    request = make_request("POST", "/x?model=m1", body=raw, headers=headers)
    found = renamed(request)

    assert (body_of(found), found.length) == (raw, len(raw))
    assert request.target == "/x?model=new%2F%C3%A9"


def test_renaming_a_form_named_in_the_query_changes_both() -> None:
    request = make_request("POST", "/x?model=m1", body=UPLOAD, headers=MULTIPART)
    found = renamed(request)

    new = b"\r\n\r\n" + "new/é".encode() + b"\r\n"
    assert body_of(found) == UPLOAD.replace(b"\r\n\r\nm1\r\n", new)
    assert request.query == "model=new%2F%C3%A9"
    for close in request.closers:
        close()


@pytest.mark.parametrize(
    ("method", "body", "headers"),
    [("GET", b"", {}), ("POST", b"model=m1", FORM), ("POST", b"x", {})],
)
def test_renaming_in_the_body_leaves_query_and_form(
    method: str, body: bytes, headers: dict[str, str]
) -> None:
    request = make_request(method, "/x?b=1&model=m1", body=body, headers=headers)
    found = find_model(request)
    found.rename_in_body("new")

    assert found.name == "m1"
    assert body_of(found) == body
    assert request.query == "b=1&model=m1"


def with_bare_name(
    method: str, target: str, **rest: Any
) -> tuple[bytes, int | None, str]:
    """Return body, length and target after ``p/m`` was to become ``m``."""
    request = make_request(method, target, **rest)
    body, length = body_with_name(request, "p/m", "m")
    sent = body_of(ModelRequest("", body))
    for close in request.closers:
        close()
    return sent, length, request.target


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        pytest.param(b'{"model": "p/m" }', JSON, b'{"model": "m" }', id="U8 JSON"),
        (b'{"model":"p\\/m"}', JSON, b'{"model":"m"}'),
        (b"a=1&model=p%2Fm", FORM, b"a=1&model=m"),
        (UPLOAD.replace(b"m1", b"p/m"), MULTIPART, UPLOAD.replace(b"m1", b"m")),
    ],
)
def test_u8_a_body_with_the_name_gets_the_other(
    body: bytes, headers: dict[str, str], expected: bytes
) -> None:
    got, length, _ = with_bare_name("POST", "/x", body=body, headers=headers)

    assert (got, length) == (expected, len(expected))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"model":"m"}', JSON),
        (b'{"model":"q/p/m"}', JSON),
        (b'{"model":"p/m"', JSON),
        (b'{"model":"p/m","model":"x"}', JSON),
        (b"", JSON),
        (b"model=p/m&x", {"Content-Type": "text/plain"}),
        (b"model=m&x", FORM),
        (b"x" * (10 << 20) + b"&model=p%2Fm", FORM),
        (UPLOAD, MULTIPART),
        (UPLOAD, {"Content-Type": "multipart/form-data"}),
        (b"--XX\r\nbroken", MULTIPART),
    ],
)
def test_u8_any_other_body_goes_on_byte_for_byte(
    body: bytes, headers: dict[str, str]
) -> None:
    got, length, target = with_bare_name(
        "POST", "/x?b=%20&a", body=body, headers=headers
    )

    assert (got, length) == (body, len(body))
    assert target == "/x?b=%20&a"


@pytest.mark.parametrize(
    ("method", "query", "expected"),
    [
        ("GET", "model=p/m&a=1", "a=1&model=m"),
        ("HEAD", "model=p%2Fm", "model=m"),
        ("DELETE", "model=p/m", "model=m"),
        ("GET", "b=1&model=x&a=%20", "b=1&model=x&a=%20"),
        ("GET", "model=x&model=p/m", "model=x&model=p/m"),
    ],
)
def test_u8_so_does_a_query(method: str, query: str, expected: str) -> None:
    assert with_bare_name(method, f"/x?{query}") == (b"", 0, f"/x?{expected}")
