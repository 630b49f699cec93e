import sys

import pytest

from swapper.net.http1 import ProtocolError, parse_request_head
from swapper.server.environ import add_request, connection_environ


def environ(*lines: bytes, line: bytes = b"GET / HTTP/1.1") -> dict[str, object]:
    raw = b"".join(part + b"\r\n" for part in (line, b"Host: a:1", *lines, b""))
    made = connection_environ(
        scheme="http", server=("127.0.0.1", 8080), client=("10.0.0.1", 1234)
    )
    add_request(made, parse_request_head(raw))
    return made


def test_what_wsgi_wants_is_there() -> None:
    made = environ(line=b"PUT /a?b=c HTTP/1.0")

    assert made["REQUEST_METHOD"] == "PUT"
    assert made["SCRIPT_NAME"] == ""
    assert made["PATH_INFO"] == "/a"
    assert made["QUERY_STRING"] == "b=c"
    assert made["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert (made["SERVER_NAME"], made["SERVER_PORT"]) == ("127.0.0.1", "8080")
    assert (made["REMOTE_ADDR"], made["REMOTE_PORT"]) == ("10.0.0.1", 1234)
    assert made["wsgi.url_scheme"] == "http"
    assert made["wsgi.version"] == (1, 0)
    assert made["wsgi.errors"] is sys.stderr
    assert made["wsgi.multithread"] is True
    assert made["wsgi.input_terminated"] is True


def test_the_raw_target_keeps_its_encoding_and_the_path_is_decoded() -> None:
    made = environ(line=b"GET /a%2Fb%C3%A9/\xe9?q=%20 HTTP/1.1")

    assert made["REQUEST_URI"] == made["RAW_URI"] == "/a%2Fb%C3%A9/é?q=%20"
    assert made["PATH_INFO"] == "/a/bÃ©/é"
    assert made["QUERY_STRING"] == "q=%20"


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        (b"http://other:1/a%20b?c", "/a%20b?c"),
        (b"https://other", "/"),
        (b"http://other?c=d", "/?c=d"),
        (b"http://user@other/a//b", "/a//b"),
        (b"//a/b", "//a/b"),
        (b"/http://a/", "/http://a/"),
    ],
)
def test_the_host_of_an_absolute_target_is_ignored(target: bytes, uri: str) -> None:
    made = environ(line=b"GET " + target + b" HTTP/1.1")

    assert made["REQUEST_URI"] == uri
    assert made["HTTP_HOST"] == "a:1"


def test_options_may_ask_about_the_whole_server() -> None:
    assert environ(line=b"OPTIONS * HTTP/1.1")["PATH_INFO"] == "*"


@pytest.mark.parametrize("target", [b"*", b"a/b", b"host:80", b"/a#b", b"http:/a"])
def test_other_targets_are_refused(target: bytes) -> None:
    with pytest.raises(ProtocolError):
        environ(line=b"GET " + target + b" HTTP/1.1")


@pytest.mark.parametrize("target", [b"host:443", b"/a", b"http://host/"])
def test_connect_is_refused(target: bytes) -> None:
    with pytest.raises(ProtocolError, match="CONNECT"):
        environ(line=b"CONNECT " + target + b" HTTP/1.1")


def test_headers_become_keys_and_repeated_ones_are_joined() -> None:
    made = environ(
        b"X-A: 1",
        b"x-a: 2",
        b"Cookie: a=1",
        b"Cookie: b=2",
        b"Content-Type: text/plain",
        b"Content-Length: 0",
    )

    assert made["HTTP_X_A"] == "1,2"
    assert made["HTTP_COOKIE"] == "a=1; b=2"
    assert made["CONTENT_TYPE"] == "text/plain"
    assert made["CONTENT_LENGTH"] == "0"
    assert "HTTP_CONTENT_TYPE" not in made
    assert "HTTP_CONTENT_LENGTH" not in made


def test_underscores_cannot_pass_for_hyphens() -> None:
    made = environ(
        b"X_Forwarded_For: evil", b"Content_Length: 7", b"X-Forwarded-For: good"
    )

    assert made["HTTP_X_FORWARDED_FOR"] == "good"
    assert "CONTENT_LENGTH" not in made
    assert made["swapper.raw_headers"] == (
        ("Host", "a:1"),
        ("X_Forwarded_For", "evil"),
        ("Content_Length", "7"),
        ("X-Forwarded-For", "good"),
    )


def test_an_ipv4_client_of_a_socket_for_both_families_keeps_its_address() -> None:
    made = connection_environ(
        scheme="http", server=("::", 80), client=("::ffff:10.0.0.1", 1)
    )

    assert made["REMOTE_ADDR"] == "10.0.0.1"
