"""config.md section 9.1: which texts are base URLs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapper.config.decode.base_url import fault_of_base_url, is_usable_base_url


@pytest.mark.parametrize(
    "text",
    [
        *("http://127.0.0.1:9000", "https://h", "http://[::1]:80/v1", "HTTP://h/a%20b"),
        *("http://user:p%40ss@h:1/x", "http://h:", "http://hé", "http://h?q=%zz#%zz"),
    ],
)
def test_usable_url_has_no_fault(text: str) -> None:
    assert fault_of_base_url(text) == ""
    assert is_usable_base_url(text)


@pytest.mark.parametrize(
    "text",
    ["", "not a url", "localhost:8080", "/path", "//host/x", "http:///x", "ftp://h"],
)
def test_readable_but_useless_url_has_no_fault(text: str) -> None:
    assert fault_of_base_url(text) == ""
    assert not is_usable_base_url(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("://x", "colon"),
        ("http://h:abc", "port"),
        ("http://[::1", "bracket"),
        ("http://[::1]x", "port"),
        ("http://h/%zz", "escape"),
        ("http://h h/", "host"),
        ("http://h%41/", "host"),
        ("127.0.0.1:8080", "scheme"),
        ("http://h\n", "control"),
        ("a b:c/d", "scheme"),
    ],
)
def test_unreadable_url_is_explained(text: str, reason: str) -> None:
    assert reason in fault_of_base_url(text)


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    assert isinstance(fault_of_base_url(text), str)
