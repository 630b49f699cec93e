"""The last lines a process wrote, as text fit for an error message."""

import re
from typing import Final

MAX_LINES: Final = 20
MAX_BYTES: Final = 4096

_ESCAPES: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])"
)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def tail_lines(output: bytes) -> tuple[str, ...]:
    """Return the last lines of *output*, oldest first, without empty ones.

    At most ``MAX_LINES`` lines of together ``MAX_BYTES`` bytes; terminal colours and
    control characters are removed; of a line that was redrawn with carriage returns
    only the last version is kept; bytes that are not UTF-8 become U+FFFD.
    """
    text = output[-MAX_BYTES:].decode("utf-8", "replace")
    if len(output) > MAX_BYTES:
        text = text.lstrip("\ufffd")  # of a character that was cut
    lines = [_clean(line) for line in text.split("\n")]
    return tuple(line for line in lines if line)[-MAX_LINES:]


def _clean(line: str) -> str:
    shown = [part for part in line.split("\r") if part.strip()]
    plain = _ESCAPES.sub("", shown[-1]) if shown else ""
    return _CONTROLS.sub("", plain).rstrip()
