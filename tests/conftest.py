"""What holds for every kind of test."""

import gc
from collections.abc import Generator
from typing import Any

import pytest


def pytest_collection_finish() -> None:
    """Keep thousands of collected tests out of each later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Let a report leave its process, whatever text was logged or compared."""
    return _encodable((yield))


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {key: _encodable(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(map(_encodable, value))
        case _:
            return value
