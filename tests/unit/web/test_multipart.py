"""Finding fields in a multipart body that comes in pieces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.web.multipart import MultipartScanner


def part(disposition: str, data: bytes) -> bytes:
    head = f"--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + data + b"\r\n"


MODEL = part('name="model"', b"m1")
FILE = part('name="file"; filename="a.wav"', b"\r\n--XY\r\n\0--XX" * 50)
END = b"--XX--\r\n"


def scan(body: bytes, size: int) -> MultipartScanner:
    scanner = MultipartScanner("XX")
    for at in range(0, len(body), size):
        scanner.feed(body[at : at + size])
    return scanner


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
@pytest.mark.parametrize("body", [MODEL + FILE + END, FILE + MODEL + END])
def test_the_field_is_found_wherever_the_pieces_break(body: bytes, size: int) -> None:
    (field,) = scan(body, size).fields

    assert field.value == "m1"
    assert body[field.start : field.end] == b"m1"


def test_every_model_field_is_noted() -> None:
    body = MODEL + FILE + part("name=model", b"m2") + END

    assert [field.value for field in scan(body, 10).fields] == ["m1", "m2"]


@pytest.mark.parametrize(
    "body",
    [
        part('name="model"; filename="m"', b"a file"),
        part('name="Model"', b"x"),
        b"no delimiter at all",
        b"",
        b"--XX\r\n\r\nno headers\r\n" + END,
    ],
)
def test_anything_else_is_not_a_model_field(body: bytes) -> None:
    assert scan(body + END, 5).fields == []


def test_an_endless_header_block_is_malformed() -> None:
    assert scan(b"--XX\r\n" + b"a" * 70_000, 1000).is_malformed


def test_a_preamble_and_an_empty_model_are_fine() -> None:
    (field,) = scan(b"preamble\r\n" + part('name="model"', b"") + END, 4).fields

    assert field.value == ""


@settings(deadline=None, derandomize=True)
@given(body=st.binary(max_size=300), cuts=st.integers(1, 20))
def test_no_input_breaks_the_scanner(body: bytes, cuts: int) -> None:
    scanner = scan(b"--XX\r\n" + body, cuts)

    assert all(field.start <= field.end for field in scanner.fields)
