"""The top level of a JSON body, with the place of each value. Pure.

``json.loads`` and ``dumps`` would change bytes nobody asked to change (number
spelling, duplicate keys, spacing), so a value is replaced in the text.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swapper.core.errors import BadRequestError, InvalidJsonError
from swapper.core.json import JsonValue

_BLANKS: Final = " \t\r\n"
_BOM: Final = "\ufeff"
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the top-level object: its value and where that stands."""

    value: JsonValue
    start: int
    end: int


class JsonBody:
    """A parsed JSON text.

    Attributes:
        members: of the top-level object, first of equal keys; empty if the text is
            not an object.
    """

    __slots__ = ("_text", "members")

    def __init__(self, raw: bytes) -> None:
        """Parse *raw*.

        Raises:
            InvalidJsonError: not UTF-8, not JSON, or nested too deeply.
            BadRequestError: the key ``model`` is there twice, so that two readers
                would disagree about it.
        """
        self.members: Mapping[str, Member] = {}
        try:
            self._text = raw.decode("utf-8")
            self.members = _parse(self._text)
        except UnicodeDecodeError as exc:
            raise InvalidJsonError(
                f"body is not UTF-8: byte {exc.start}: {exc.reason}"
            ) from exc
        except json.JSONDecodeError as exc:
            raise InvalidJsonError(
                f"body is not valid JSON: line {exc.lineno} column {exc.colno}: "
                f"{exc.msg}"
            ) from exc
        except ValueError as exc:  # an integer longer than Python converts
            raise InvalidJsonError(f"body is not valid JSON: {exc}") from exc
        except RecursionError:
            raise InvalidJsonError("body is nested too deeply") from None

    def source(self, member: Member) -> str:
        """Return the JSON text of a member's value."""
        return self._text[member.start : member.end]

    def replacing(self, member: Member, value: JsonValue) -> bytes:
        """Return the body with one value replaced and every other byte kept."""
        new = json.dumps(value, ensure_ascii=False)
        return f"{self._text[: member.start]}{new}{self._text[member.end :]}".encode()


def _parse(text: str) -> dict[str, Member]:
    start = len(_BOM) if text.startswith(_BOM) else 0
    members, end = _scan(text, _skip(text, start))
    end = _skip(text, end)
    if end != len(text):
        raise json.JSONDecodeError("extra data", text, end)
    return members


def _scan(text: str, at: int) -> tuple[dict[str, Member], int]:
    """Return the members of the object at *at* and the end of the value there."""
    if text[at : at + 1] != "{":
        _, end = _decoder.raw_decode(text, at)
        return {}, end
    members: dict[str, Member] = {}
    at = _skip(text, at + 1)
    if text[at : at + 1] == "}":
        return members, at + 1
    while True:
        key, start = _key(text, at)
        value, end = _decoder.raw_decode(text, start)
        if key == "model" and key in members:
            raise BadRequestError('the key "model" is in the body twice')
        members.setdefault(key, Member(value, start, end))
        at = _skip(text, end)
        if text[at : at + 1] == "}":
            return members, at + 1
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("expected ',' or '}'", text, at)
        at = _skip(text, at + 1)


def _key(text: str, at: int) -> tuple[str, int]:
    """Return the key at *at* and where its value starts."""
    if text[at : at + 1] != '"':
        raise json.JSONDecodeError("expected a key in double quotes", text, at)
    key, end = _decoder.raw_decode(text, at)
    end = _skip(text, end)
    if text[end : end + 1] != ":":
        raise json.JSONDecodeError("expected ':'", text, end)
    return key, _skip(text, end + 1)


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in _BLANKS and at < len(text):
        at += 1
    return at
