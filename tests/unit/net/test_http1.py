import contextlib
import email.errors
import http.client
import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapper.net import http1
from swapper.net.http1 import (
    Fields,
    Framing,
    ProtocolError,
    check_field,
    list_items,
    parse_request_head,
    parse_response_head,
    remembered,
    render_head,
)


def request(*lines: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"".join(part + b"\r\n" for part in (line, b"Host: a", *lines, b""))


def response(*lines: bytes, line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"".join(part + b"\r\n" for part in (line, *lines, b""))


def test_headers_keep_order_spelling_and_duplicates() -> None:
    head = parse_request_head(
        request(b"X-b: 2", b"x-B:  1 \t", b"Empty:", b"Bytes: \xe9", b"Colons: a:b")
    )

    assert head.headers.get_all("x-b") == ["2", "1"]
    assert head.headers == (
        ("Host", "a"),
        ("X-b", "2"),
        ("x-B", "1"),
        ("Empty", ""),
        ("Bytes", "é"),
        ("Colons", "a:b"),
    )


def test_target_is_left_as_sent() -> None:
    head = parse_request_head(
        request(line=b"GET /a%2Fb/../c?x=%20&y=\xc3\xa9 HTTP/1.1")
    )

    assert head.target == "/a%2Fb/../c?x=%20&y=Ã©"
    assert head.method == "GET"


def test_body_framing_of_requests() -> None:
    def framing(*lines: bytes) -> tuple[Framing, int]:
        head = parse_request_head(request(*lines))
        return head.framing, head.length

    assert framing() == (Framing.NONE, 0)
    assert framing(b"Content-Length: 0") == (Framing.LENGTH, 0)
    assert framing(b"content-length: 12") == (Framing.LENGTH, 12)
    assert framing(b"Transfer-Encoding: chunked") == (Framing.CHUNKED, 0)
    assert framing(b"TRANSFER-ENCODING: , Chunked ,") == (Framing.CHUNKED, 0)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((b"Content-Length: 5", b"Transfer-Encoding: chunked"), 400),
        ((b"Transfer-Encoding: chunked", b"Content-Length: 5"), 400),
        ((b"Content-Length: 5", b"Content-Length: 5"), 400),
        ((b"Content-Length: 5, 5",), 400),
        ((b"Content-Length: +5",), 400),
        ((b"Content-Length: -5",), 400),
        ((b"Content-Length: 0x5",), 400),
        ((b"Content-Length: 5 5",), 400),
        ((b"Content-Length: 5_0",), 400),
        ((b"Content-Length: \xb2",), 400),
        ((b"Content-Length:",), 400),
        ((b"Content-Length: 99999999999999999999",), 400),
        ((b"Transfer-Encoding: gzip, chunked",), 501),
        ((b"Transfer-Encoding: chunked, identity",), 501),
        ((b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 501),
        ((b"Transfer-Encoding: xchunked",), 501),
        ((b"Transfer-Encoding: \x0bchunked",), 400),
        ((b"Transfer-Encoding : chunked",), 400),
        ((b" Transfer-Encoding: chunked",), 400),
        ((b"X: a", b" folded"), 400),
        ((b"X: a", b"\tfolded"), 400),
        ((b": no name",), 400),
        ((b"no colon",), 400),
        ((b"a b: c",), 400),
        ((b"a\xe9: c",), 400),
        ((b"a(b): c",), 400),
        ((b"X: a\x00b",), 400),
        ((b"X: a\rb",), 400),
        ((b"X: a\nb",), 400),
        ((b"X: a\nTransfer-Encoding: chunked",), 400),
        ((b"X: a\x7fb",), 400),
        ((b"Host: b",), 400),
    ],
)
def test_ambiguous_headers_are_refused(lines: tuple[bytes, ...], status: int) -> None:
    with pytest.raises(ProtocolError) as raised:
        parse_request_head(request(*lines))

    assert raised.value.status == status


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET /", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET / http/1.1", 400),
        (b"GET / HTTP/1.10", 400),
        (b"GET / HTTP/\xb9.1", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET /\x01 HTTP/1.1", 400),
        (b"GET /\t HTTP/1.1", 400),
        (b"G@T / HTTP/1.1", 400),
        (b"", 400),
    ],
)
def test_malformed_request_lines_are_refused(line: bytes, status: int) -> None:
    with pytest.raises(ProtocolError) as raised:
        parse_request_head(request(line=line))

    assert raised.value.status == status


@pytest.mark.parametrize(
    "host", [b"a b", b"a/b", b"a,b\xe9", b"a@b", b"http://a", b"a?b", b'a"']
)
def test_malformed_hosts_are_refused(host: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_request_head(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")


@pytest.mark.parametrize("host", [b"", b"a.b-c_d:80", b"[::1]:80", b"127.0.0.1"])
def test_usual_hosts_are_taken(host: bytes) -> None:
    head = parse_request_head(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")

    assert head.headers.get_all("host") == [host.decode()]


def test_a_host_is_needed_from_http_1_1_on() -> None:
    with pytest.raises(ProtocolError):
        parse_request_head(b"GET / HTTP/1.1\r\n\r\n")

    assert parse_request_head(b"GET / HTTP/1.0\r\n\r\n").version == (1, 0)


def test_a_transfer_coding_in_http_1_0_is_refused() -> None:
    with pytest.raises(ProtocolError):
        parse_request_head(
            request(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0")
        )


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n\r\n", b"GET / HTTP/1.0\n\n", b"GET / HTTP/1.0\r\n", b"\r\n"]
)
def test_heads_without_their_empty_line_are_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_request_head(raw)


def test_a_second_head_behind_the_first_is_refused() -> None:
    with pytest.raises(ProtocolError):
        parse_request_head(request() + request())


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Upgrade, Close", False),
        (b"1.1", b"keep-alive", True),
        (b"1.0", b"", False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
        (b"1.7", b"", True),
    ],
)
def test_keep_alive_follows_version_and_connection(
    version: bytes, connection: bytes, keep_alive: bool
) -> None:
    raw = request(b"Connection: " + connection, line=b"GET / HTTP/" + version)

    assert parse_request_head(raw).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("method", "line", "headers", "framing"),
    [
        ("GET", b"HTTP/1.1 200 OK", (), Framing.CLOSE),
        ("GET", b"HTTP/1.1 200 OK", (b"Content-Length: 3",), Framing.LENGTH),
        ("GET", b"HTTP/1.1 200", (b"Transfer-Encoding: chunked",), Framing.CHUNKED),
        ("HEAD", b"HTTP/1.1 200 OK", (b"Content-Length: 3",), Framing.NONE),
        ("GET", b"HTTP/1.1 204 No Content", (), Framing.NONE),
        ("GET", b"HTTP/1.1 304 Not Modified", (b"Content-Length: 3",), Framing.NONE),
        ("GET", b"HTTP/1.1 100 Continue", (), Framing.NONE),
        ("GET", b"HTTP/1.0 200 OK", (b"Content-Length: 3",), Framing.LENGTH),
    ],
)
def test_body_framing_of_responses(
    method: str, line: bytes, headers: tuple[bytes, ...], framing: Framing
) -> None:
    head = parse_response_head(response(*headers, line=line), request_method=method)

    assert head.framing is framing
    assert head.length == (3 if framing is Framing.LENGTH else 0)


def test_a_response_delimited_by_close_ends_the_connection() -> None:
    head = parse_response_head(response(), request_method="GET")

    assert not head.keep_alive


@pytest.mark.parametrize("field", [b"Content-Length: 4", b"Transfer-Encoding: chunked"])
def test_a_204_that_announces_a_body_is_not_trusted_with_another_request(
    field: bytes,
) -> None:
    line = b"HTTP/1.1 204 No Content"
    head = parse_response_head(response(field, line=line), request_method="GET")
    empty = response(b"Content-Length: 0", line=line)

    assert (head.framing, head.keep_alive) == (Framing.NONE, False)
    assert parse_response_head(empty, request_method="GET").keep_alive


def test_reasons_are_kept() -> None:
    head = parse_response_head(
        response(line=b"HTTP/1.1 299 Very  Odd\xe9"), request_method="GET"
    )

    assert (head.status, head.reason) == (299, "Very  Oddé")


@pytest.mark.parametrize(
    "line",
    [b"HTTP/2 200", b"HTTP/1.1 20", b"HTTP/1.1 0200", b"HTTP/1.1 200OK", b"ICY 200 OK"],
)
def test_malformed_status_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_response_head(response(line=line), request_method="GET")


def test_rendering_gives_what_parsing_reads() -> None:
    headers = (("Host", "a"), ("Set-Cookie", "a=1"), ("Set-Cookie", "é"), ("E", ""))

    raw = render_head("GET /x HTTP/1.1", headers)

    assert parse_request_head(raw).headers == headers


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("HTTP/1.1 200 OK", ("A", "b\r\nC: d")),
        ("HTTP/1.1 200 OK", ("A", "b\nC: d")),
        ("HTTP/1.1 200 OK", ("A", "b\rc")),
        ("HTTP/1.1 200 OK", ("A", "\x00")),
        ("HTTP/1.1 200 OK", ("A", "€")),
        ("HTTP/1.1 200 OK", ("A:", "b")),
        ("HTTP/1.1 200 OK", ("A\r\nB", "b")),
        ("HTTP/1.1 200 OK", ("", "b")),
        ("HTTP/1.1 200 OK\r\nA: b", ("C", "d")),
    ],
)
def test_a_head_that_would_break_its_framing_is_not_rendered(
    line: str, header: tuple[str, str]
) -> None:
    with pytest.raises(ProtocolError):
        render_head(line, [("X", "y"), header])


def test_the_refusal_names_the_header() -> None:
    with pytest.raises(ProtocolError, match="'Bad'"):
        render_head("HTTP/1.1 200 OK", [("Good", "a"), ("Bad", "b\r\nc")])


@pytest.mark.parametrize("line", [b"no colon", b": x", b"a: b\x00", b"a : b"])
def test_malformed_fields_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        check_field(line)


def test_a_refusal_does_not_repeat_what_may_be_part_of_a_credential() -> None:
    folded = request(b"Authorization: Bearer", b" secret-key: x")

    with pytest.raises(ProtocolError) as caught:
        parse_request_head(folded)

    assert "secret-key" not in str(caught.value)


def test_list_items_are_trimmed_lower_cased_and_never_blank() -> None:
    assert list_items([" A ,, b", "", ",c\t"]) == ["a", "b", "c"]


heads = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=200).map(lambda raw: raw + b"\r\n\r\n"),
    st.builds(
        lambda parts, end: b"\r\n".join(parts) + end,
        st.lists(
            st.one_of(
                st.sampled_from(
                    [
                        b"GET / HTTP/1.1",
                        b"POST /x HTTP/1.0",
                        b"Host: a",
                        b"Content-Length: 5",
                        b"Transfer-Encoding: chunked",
                        b"Connection: close",
                        b"X: y",
                    ]
                ),
                st.binary(max_size=20),
            ),
            max_size=6,
        ),
        st.sampled_from([b"\r\n\r\n", b"\n\n", b""]),
    ),
)


@given(heads)
def test_anything_is_parsed_or_refused(raw: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        parse_request_head(raw)
    with contextlib.suppress(ProtocolError):
        parse_response_head(raw, request_method="GET")


@given(heads)
def test_what_is_parsed_renders_to_the_same_head(raw: bytes) -> None:
    try:
        head = parse_request_head(raw)
    except ProtocolError:
        return
    line = f"{head.method} {head.target} HTTP/1.{head.version[1]}"

    again = parse_request_head(render_head(line, head.headers))

    assert again == head


@given(heads)
def test_the_standard_library_reads_the_same_headers(raw: bytes) -> None:
    """Whatever we take, a laxer reader must not understand differently."""
    try:
        head = parse_request_head(raw)
    except ProtocolError:
        return
    stream = io.BytesIO(raw.partition(b"\r\n")[2])
    try:
        theirs = http.client.parse_headers(stream)
    except (http.client.HTTPException, email.errors.MessageError):
        return

    assert [(name, value.strip(" \t")) for name, value in theirs.items()] == list(
        head.headers
    )


def memory_of(make: Callable[[str], object]) -> dict[str, object]:
    memory: dict[str, object] = make.__self__  # type: ignore[attr-defined]  # bound
    return memory


def test_a_memory_forgets_rather_than_grow_and_keeps_nothing_long() -> None:
    made: list[str] = []

    def make(text: str) -> str:
        made.append(text)
        return text.upper()

    upper = remembered(make)
    assert [upper("a"), upper("a"), upper("x" * 300), upper("x" * 300)] == [
        *("A", "A"),
        *("X" * 300, "X" * 300),
    ]
    assert made == ["a", "x" * 300, "x" * 300]
    for number in range(10_000):
        assert upper(f"n{number}") == f"N{number}"
        assert len(memory_of(upper)) <= 2048


def test_what_can_be_sent_is_remembered_but_not_without_end() -> None:
    for number in range(5_000):
        render_head("GET / HTTP/1.1", [("X-Number", str(number))])
        assert len(http1._sendable) <= 2048
    with pytest.raises(ProtocolError, match="X-Number"):
        render_head("GET / HTTP/1.1", [("X-Number", "4999"), ("X-Number", "1\r2")])


def test_the_first_field_of_a_name_is_found_and_all_of_them() -> None:
    fields = Fields.of((("A", "1"), ("b", "2"), ("a", "3")))

    assert fields.names == ("a", "b", "a")
    assert fields.first == {"a": "1", "b": "2"}
    assert not fields.is_plain
    assert (fields.get_all("a"), fields.get_all("b"), fields.get_all("c")) == (
        ["1", "3"],
        ["2"],
        [],
    )
    assert Fields.of(fields) is fields


def test_no_credential_is_remembered() -> None:
    secret = b"s3cr3t"
    names = (b"Authorization", b"proxy-authorization", b"Cookie", b"X-Api-Key")
    parse_request_head(request(*(name + b": " + secret for name in names)))
    parse_response_head(response(b"Set-Cookie: " + secret), request_method="GET")

    for name in names:
        render_head("GET / HTTP/1.1", [(name.decode(), secret.decode())])

    assert not [line for line in memory_of(http1._field_of) if "s3cr3t" in line]
    assert not [pair for pair in http1._sendable if "s3cr3t" in pair[1]]
