"""The program: a listener and signals around the application."""

import logging
import os
import queue
import signal
import socket
import time
from dataclasses import dataclass
from typing import BinaryIO, Final, Self

from swapper.config import Config
from swapper.process import raise_open_files
from swapper.reloader import ConfigFiles, Reloader
from swapper.runtime import SHUTDOWN_BUDGET_S, App, warm_up
from swapper.server import SwapperServer
from swapper.sync import CancelToken, OwnerThread
from swapper.sync.affinity import AFFINITY
from swapper.tuning import CpuGovernor, settle, tune

logger = logging.getLogger(__name__)

_BACKSTOP_S: Final = 35.0


@dataclass(frozen=True, slots=True)
class Listen:
    """Where and how the program listens.

    Attributes:
        address: ``host:port``.
        tls_cert_file: PEM certificate; "" for plain HTTP.
        tls_key_file: PEM private key.
    """

    address: str
    tls_cert_file: str = ""
    tls_key_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How the program runs, whatever it serves.

    Attributes:
        is_json: log lines are JSON, not text.
        cpus: the CPUs to stay on; None leaves that to a ``CpuGovernor``.
    """

    is_json: bool = False
    cpus: frozenset[int] | None


def serve(
    config: Config,
    files: ConfigFiles,
    listen: Listen,
    stdout: BinaryIO,
    running: Running,
) -> int:
    """Run the program until SIGTERM or SIGINT; return its exit status.

    Main thread only: it installs signal handlers. *files* are what *config* came from
    and what SIGHUP reloads.

    Raises:
        OSError: the address cannot be bound or a TLS file cannot be used.
        ValueError: the address makes no sense.
    """
    server = SwapperServer.bind(
        listen.address,
        tls_cert_file=listen.tls_cert_file,
        tls_key_file=listen.tls_key_file,
    )
    tune()
    raise_open_files()
    with _Signals(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        try:
            app = App(
                config, stdout=stdout, log_format="json" if running.is_json else "text"
            )
        except BaseException:
            server.close()
            raise
        acceptor = OwnerThread(
            "accept",
            lambda: server.serve_forever(app),
            on_failure=lambda _: signals.pretend(signal.SIGTERM),
        )
        acceptor.start()
        _announce(server)
        reloader = Reloader(app, files)
        reloader.start()
        governor = CpuGovernor(lambda: server.connections.busy_count)
        if running.cpus is None:
            governor.start()
        elif running.cpus != AFFINITY.all_cpus:
            AFFINITY.confine(running.cpus)
        warm_up()
        settle()
        while signals.wait() == signal.SIGHUP:
            reloader.reload("SIGHUP")
        governor.close()
        _stop(server, app, reloader)
    acceptor.join()
    return 0 if acceptor.failure is None else 1


class _Signals:
    """Signals as numbers to wait for; main thread, but for ``pretend``.

    The interpreter's own handler writes them to a socket. A Python-level handler
    would not do: one that has to interrupt a thread waiting for a lock can come just
    before the wait begins, and would then not run until the next signal.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = {n: signal.signal(n, lambda *_: None) for n in numbers}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Restore what was there before."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()

    def wait(self) -> int:
        """Return the next signal's number."""
        number = 0
        while number not in self._before:
            number = self._reader.recv(1)[0]
        return number

    def pretend(self, number: int) -> None:
        """Act as if a signal had come. Any thread."""
        self._writer.send(bytes([number]))


def _stop(server: SwapperServer, app: App, reloader: Reloader) -> None:
    """Stop accepting, let requests finish, stop the models: 30 s for all of it."""
    logger.info("shutting down")
    deadline = time.monotonic() + SHUTDOWN_BUDGET_S
    backstop = CancelToken()
    _start_backstop(backstop)
    reloader.close()
    server.stop_accepting()
    app.end_streams()
    if not server.wait_idle(SHUTDOWN_BUDGET_S):
        logger.warning("requests still running after %.0f s", SHUTDOWN_BUDGET_S)
    app.close(max(1.0, deadline - time.monotonic()))
    server.close()
    backstop.cancel()


def _start_backstop(done: CancelToken) -> None:
    """End the process the hard way if shutting down hangs."""
    over: queue.SimpleQueue[None] = queue.SimpleQueue()
    done.bind(lambda: over.put(None))

    def wait() -> None:
        try:
            over.get(timeout=_BACKSTOP_S)
        except queue.Empty:
            os._exit(1)

    OwnerThread("backstop", wait).start()


def _announce(server: SwapperServer) -> None:
    logger.info("listening on %s", server.url)
    if server.is_loopback:
        logger.info(
            "only this machine can connect; --listen :%d opens it to others",
            server.port,
        )
    else:
        logger.info(
            "other hosts can connect; --listen 127.0.0.1:%d restricts it to this one",
            server.port,
        )
