"""A process that does nothing but write an activity log, to be killed while it does.

    python -m tests.fakes.store_writer

Each line on its standard input is a path: a writer is forked for it, which spares the
imports. It says ``pid N``, then ``stored N`` for each row that it was told is stored (the
last one of a batch), and when it was killed ``ended``.
"""

import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from swapper.record.store import Store, Stored
from tests.fakes.activity import finished

_WAITING_ROWS = 500


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())  # at once, and whole


def _write_for_ever(path: str) -> NoReturn:
    stored = threading.Semaphore(_WAITING_ROWS)

    def tell(rows: Sequence[Stored]) -> None:
        _say(f"stored {rows[-1].id}")
        stored.release(len(rows))

    store = Store(path, 1000, [tell])
    store.start()
    row = finished(error_msg="x" * 200)
    while True:
        stored.acquire()
        store.add(row)


def main() -> None:
    """Fork a writer for each line, one at a time."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                _say(f"pid {os.getpid()}")
                _write_for_ever(line.rstrip("\n"))
            finally:
                os._exit(1)
        os.waitpid(pid, 0)
        _say("ended")


if __name__ == "__main__":
    main()
