"""Running the load generator and reading what it says."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.build import Tools

_OVERTIME_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the generator is to do.

    Attributes:
        requests: ends after so many answers; 0 means after *seconds*.
        every_ms: one request of each connection in so many milliseconds; 0 means the
            next one as soon as the last one is answered.
    """

    request: bytes
    connections: int = 1
    seconds: float = 1.0
    warm_up_s: float = 0.0
    requests: int = 0
    every_ms: int = 0


class Driving:
    """A generator at work."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def wait_until_it_counts(self) -> None:
        """Return when the warm-up is over.

        Raises:
            RuntimeError: the generator gave up.
        """
        if self._line() != "begin\n":
            raise RuntimeError("the load generator does not speak as it should")

    def result(self) -> dict[str, Any]:
        """Return what it saw, when it is through: see ``finish`` in ``load.c``.

        Raises:
            RuntimeError: the generator gave up.
        """
        told: dict[str, Any] = json.loads(self._line())
        return told

    def _line(self) -> str:
        out = self._process.stdout
        line = out.readline() if out else ""
        if not line:
            status = self._process.wait(_OVERTIME_S)
            raise RuntimeError(f"the load generator ended with status {status}")
        return line


@contextmanager
def driving(tools: Tools, port: int, load: Load) -> Iterator[Driving]:
    """Run the generator against a port of this machine until the block ends."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(load.request)
        file.flush()
        command = [
            *(str(tools.load), "-p", str(port), "-f", str(Path(file.name))),
            *("-c", str(load.connections), "-s", str(load.seconds)),
            *("-w", str(load.warm_up_s), "-n", str(load.requests)),
            *("-e", str(load.every_ms)),
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, encoding="ascii"
        ) as process:
            try:
                yield Driving(process)
            finally:
                process.kill()
