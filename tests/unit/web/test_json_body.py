"""Finding and replacing top-level members of a JSON text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.core.errors import BadRequestError, InvalidJsonError
from swapper.web.json_body import JsonBody


def test_x1_only_the_replaced_bytes_change() -> None:
    body = JsonBody(b'{ "x": 1.50, "model" :"m1","y":[{"model":2}] }\n')

    assert body.replacing(body.members["model"], "real") == (
        b'{ "x": 1.50, "model" :"real","y":[{"model":2}] }\n'
    )


def test_values_know_their_source_text() -> None:
    body = JsonBody(b'{"a": 1E400, "b": [1 ,2]}')

    assert body.source(body.members["a"]) == "1E400"
    assert body.source(body.members["b"]) == "[1 ,2]"


def test_a_byte_order_mark_and_blanks_are_tolerated() -> None:
    body = JsonBody(b'\xef\xbb\xbf \n{"model": "m"}\r\n')

    assert body.members["model"].value == "m"


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"", "line 1 column 1"),
        (b"not json", "line 1 column 1"),
        (b'{"model": "m"', "line 1 column 14"),
        (b'{\n"model" "m"}', "line 2 column 9"),
        (b'{"model": "m"} x', "line 1 column 16"),
        (b'{"a": 1,}', "line 1 column 9"),
        (b"\xff{}", "byte 0"),
        (b"[" * 100_000, "nested"),
        (b'{"n": ' + b"9" * 5000 + b"}", "limit"),
    ],
)
def test_what_does_not_parse_is_refused_with_its_place(raw: bytes, where: str) -> None:
    with pytest.raises(InvalidJsonError, match=where):
        JsonBody(raw)


def test_a_doubled_model_key_is_refused() -> None:
    with pytest.raises(BadRequestError, match="twice"):
        JsonBody(b'{"model": "a", "model": "b"}')


def test_something_else_than_an_object_has_no_members() -> None:
    assert JsonBody(b'[{"model": "m1"}]').members == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(deadline=None, derandomize=True)
@given(
    document=st.dictionaries(st.text(), json_values),
    ascii_only=st.booleans(),
    indent=st.none() | st.integers(0, 3),
)
def test_members_agree_with_the_json_module(
    document: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    raw = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    body = JsonBody(
        raw.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
    )

    assert len(body.members) <= len(document)
    for key, member in body.members.items():
        replaced = json.loads(body.replacing(member, "new"))
        assert replaced[key] == "new"
        assert len(replaced) == len(body.members)
