#!/usr/bin/env python3
"""A model server without a model that misbehaves on demand, to try and test swapper.

    python examples/fake_model.py --port 9001 --name tiny --ready-after 2

It answers GET /health and /v1/models; POST /v1/chat/completions, /v1/completions,
/v1/messages and /v1/responses (plain or streamed), /v1/messages/count_tokens,
/v1/embeddings, /rerank, /v1/audio/speech and transcriptions, /v1/images/generations
and edits; and echoes websocket frames on /ws and wherever else an upgrade is asked
for. Anything else gets a JSON description of the request exactly as it arrived. Generated text begins with --name, so one can tell who answered; so do
the response headers X-Fake-Model and X-Fake-Connection (number of the connection).
Until ready everything is answered 503.

These work at any time and are not counted:

  GET  /fake/state    counters, as JSON. min_NAME=N and max_NAME=N wait until a
                      counter is so, within=S (default 10) seconds, else status 504
  POST /fake/release  let the requests held under key=KEY go on, all without a key;
                      waits until count=N (default 1) of them are held
"""

import argparse
import mmap
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import count
from typing import NoReturn

from fake_server import script
from fake_server.answers import adapted, answer_to
from fake_server.board import Board
from fake_server.message import (
    Answer,
    Request,
    json_answer,
    parse_request,
    render,
    render_head,
)
from fake_server.wire import ClientGoneError, Wire, accept_key


class DropError(Exception):
    """The connection, or the process, is to end here."""


class Model:
    """The server; ``converse`` runs in a thread for each connection."""

    def __init__(self, options: argparse.Namespace, board: Board) -> None:
        self._options = options
        self._board = board

    def converse(self, wire: Wire) -> None:
        """Serve one connection to its end."""
        with suppress(ClientGoneError):
            while self._serve(wire):
                pass
        wire.close()

    def _serve(self, wire: Wire) -> bool:
        """Serve one request; return whether the connection goes on."""
        head = wire.take_to(b"\r\n\r\n").decode("latin-1")
        request = parse_request(head, self._options.default)
        if request.path.startswith("/fake/"):
            return self._steer(wire, request)
        self._board.begin(request.path)
        try:
            return self._answer(wire, request)
        except ClientGoneError:
            self._board.count("hangups")
            raise
        except DropError:
            if "crash" in request.controls:
                end(self._options, request.controls.count("crash"))
            if "reset" in request.controls:
                wire.reset()
            return False
        finally:
            self._board.count("in_progress", -1)

    def _steer(self, wire: Wire, request: Request) -> bool:
        wire.take_body(request)
        is_release = request.path == "/fake/release"
        act = self._board.release if is_release else self._board.state
        wire.send(render(act(request.controls)))
        return True

    def _answer(self, wire: Wire, request: Request) -> bool:
        is_unread = "unread" in request.controls
        if not is_unread:
            request = request._replace(body=wire.take_body(request))
        self._perform(wire, script.opening(request))
        if request.is_upgrade:
            self._upgrade(wire, request)
            return False
        answer = self._content(request)
        name = ("X-Fake-Model", self._options.name)
        number = ("X-Fake-Connection", str(wire.number))
        head = script.head_of(request, answer, name, number)
        self._perform(wire, script.response(request, answer, head))
        if is_unread:
            wire.drain()
        return script.keeps_open(request, script.framing_of(request, answer))

    def _perform(self, wire: Wire, steps: Iterable[script.Step]) -> None:
        due_s = time.monotonic()
        for step in steps:
            if isinstance(step, bytes):
                wire.send(step)
            elif isinstance(step, float):  # paces from the start, so it cannot drift
                due_s += step
                wire.pause(due_s - time.monotonic())
            elif isinstance(step, str):
                wire.hold(step, self._board)
                due_s = time.monotonic()
            else:
                raise DropError

    def _content(self, request: Request) -> Answer:
        is_health = request.path == "/health"
        if is_health and self._options.no_health:
            return json_answer({"error": "no such route"}, 404)
        if time.monotonic() < self._board.about["ready_s"]:
            return json_answer({"error": {"code": 503, "message": "loading"}}, 503)
        if is_health:
            health = json_answer({"status": "ok", **self._board.about})
            return adapted(health, request.controls)
        return answer_to(request, self._options.name)

    def _upgrade(self, wire: Wire, request: Request) -> None:
        protocol = request.header("upgrade")
        headers = [("Upgrade", protocol), ("Connection", "Upgrade")]
        if key := request.header("sec-websocket-key"):
            headers.append(("Sec-WebSocket-Accept", accept_key(key)))
        if offered := request.header("sec-websocket-protocol"):
            headers.append(("Sec-WebSocket-Protocol", offered.partition(",")[0]))
        greeting = request.controls.text("greet").encode()
        wire.send(render_head(101, headers) + greeting)
        if protocol.lower() == "websocket" and "raw" not in request.controls:
            wire.echo_frames()
        else:
            wire.echo_bytes()


def parse_options(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options; see --help."""
    about, _, steering = (__doc__ or "").partition("\n\nThese")
    controls = (script.__doc__ or "").partition("\n\n")[2]
    # a fixed width, because asking the terminal imports a tenth of all we import
    layout = partial(argparse.RawDescriptionHelpFormatter, width=88)
    parser = argparse.ArgumentParser(
        description=about,
        epilog=f"{controls}\nThese{steering}",
        formatter_class=layout,
    )
    add = parser.add_argument
    add("--port", type=int, required=True, help="0 chooses one and prints it")
    add("--host", default="127.0.0.1")
    add("--name", default="fake", help="told in every answer (default: fake)")
    add("--default", default="", metavar="QUERY", help="controls of every request")

    def add_seconds(name: str, text: str, default: float | None = 0.0) -> None:
        add(name, type=float, default=default, metavar="S", help=text)

    add_seconds("--ready-after", "answer 503 until then")
    add_seconds("--listen-after", "open the port that late")
    add("--no-health", action="store_true", help="/health is answered 404")
    add("--hang", action="store_true", help="accept connections, never answer")
    add_seconds("--exit-after", "end by itself; 0 is before listening", None)
    add("--exit-code", type=int, default=1, help="of --exit-after (default: 1)")
    add("--say", default="", metavar="TEXT", help="last words, written to stderr")
    add("--ignore-term", action="store_true", help="SIGTERM is counted, no more")
    add_seconds("--term-delay", "time from SIGTERM to the end")
    add("--fork", type=int, default=0, metavar="N", help="children that sleep")
    add("--daemon", action="store_true", help="an orphan in a session of its own")
    add("--flood", type=int, default=0, metavar="MB", help="to stdout, once it listens")
    add("--flood-lines", type=int, default=0, metavar="N", help="lines, at start")
    add("--hold", type=int, default=0, metavar="MB", help="of memory, from the start")
    add("--hold-in", default="", metavar="FILE", help="share it, and leave it behind")
    add("--pid-file", metavar="FILE", help="all pids, one a line")
    return parser.parse_args(argv)


# --- the process -------------------------------------------------------------------


def end(options: argparse.Namespace, code: int) -> NoReturn:
    """End the process at once, in whatever thread."""
    if options.say:
        os.write(2, f"{options.say}\n".encode())
    os._exit(code)


def make_family(options: argparse.Namespace) -> list[int]:
    """Start the processes asked for and return their pids; before any thread."""
    # inherited, so that no child is ever without it
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN if options.ignore_term else signal.SIG_DFL
    )
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    children = [_sleeper() for _ in range(options.fork)]
    if options.daemon:
        readable, writable = os.pipe()
        if not (middle := os.fork()):
            os.setsid()
            os.write(writable, str(_sleeper()).encode())
            os._exit(0)
        os.waitpid(middle, 0)
        children.append(int(os.read(readable, 20)))
        os.close(readable)
        os.close(writable)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # killed children leave no zombie
    return children


def _sleeper() -> int:
    if child := os.fork():
        return child
    while True:
        signal.pause()


def take_memory(options: argparse.Namespace) -> bytes | mmap.mmap:
    """Return the memory to hold, all of it in use."""
    size: int = options.hold << 20
    if not options.hold_in:
        return b"-" * size
    descriptor = os.open(options.hold_in, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(descriptor, size)
    shared = mmap.mmap(descriptor, size)
    os.close(descriptor)
    for page in range(0, size, mmap.PAGESIZE):
        shared[page] = 1
    return shared


def write_pids(path: str, pids: list[int]) -> None:
    """Write them in one step: who waits for the file finds it empty or complete."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(descriptor, "".join(f"{pid}\n" for pid in pids).encode())
    os.close(descriptor)


def obey_signals(options: argparse.Namespace, board: Board) -> None:
    """End on SIGTERM, late or not at all if the options say so."""

    def on_term(_signal: int, _frame: object) -> None:
        board.count("terms")
        if options.ignore_term or signal.getitimer(signal.ITIMER_REAL)[0]:
            return
        if not options.term_delay:
            end(options, 0)
        signal.setitimer(signal.ITIMER_REAL, options.term_delay)

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, on_term)
    signal.signal(signal.SIGALRM, lambda *_: end(options, 0))


def say_lines(name: str, number: int) -> None:
    """Write numbered lines to stdout."""
    for first in range(1, number + 1, 1000):
        lines = range(first, min(first + 1000, number + 1))
        sys.stdout.write("".join(f"{name} line {n}\n" for n in lines))
    sys.stdout.flush()


def flood(megabytes: int, board: Board) -> None:
    """Write that much to stdout as fast as it is taken; the state tells how fast."""
    block = (b"-" * 99 + b"\n") * 10_000
    began_s = time.monotonic()
    for _ in range(megabytes):
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
        board.count("flood_bytes", len(block))
    board.about["flood_s"] = time.monotonic() - began_s


def in_background(work: threading.Thread) -> None:
    """Run without being waited for."""
    work.daemon = True
    work.start()


def wake_on_signals() -> Callable[[socket.socket], None]:
    """Return what waits for a client, or for a signal and lets its handler run.

    A blocked ``accept`` would do but for a signal that comes just before it blocks:
    the handler would run only after the next client.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)

    def wait_for_client(listener: socket.socket) -> None:
        descriptor = listener.fileno()
        while descriptor not in select.select([descriptor, readable], [], [])[0]:
            os.read(readable, 64)

    return wait_for_client


def serve(options: argparse.Namespace, board: Board) -> NoReturn:
    """Accept connections for ever."""
    listener = socket.create_server((options.host, options.port), backlog=1024)
    board.listens()
    pids = " ".join(map(str, [os.getpid(), *board.about["children"]]))
    port = listener.getsockname()[1]
    print(f"{options.name} listens on port {port}, pids {pids}", flush=True)
    if options.flood:
        in_background(threading.Thread(target=flood, args=(options.flood, board)))
    model = Model(options, board)
    wait_for_client = wake_on_signals()
    kept = []
    for number in count(1):
        wait_for_client(listener)
        sock, _ = listener.accept()
        if options.hang:
            kept.append(sock)
            continue
        wire = Wire(sock, number)
        in_background(threading.Thread(target=model.converse, args=(wire,)))
    raise AssertionError


def main() -> NoReturn:
    """Run until a signal or an option ends the process."""
    options = parse_options()
    board = Board(options.name, options.ready_after)
    pids = [os.getpid(), *make_family(options)]
    _ballast = take_memory(options)  # for as long as the process lives
    obey_signals(options, board)
    board.about["children"] = pids[1:]
    if options.pid_file:
        write_pids(options.pid_file, pids)
    say_lines(options.name, options.flood_lines)
    if options.exit_after == 0:
        end(options, options.exit_code)
    if options.exit_after:
        ending = (options, options.exit_code)
        in_background(threading.Timer(options.exit_after, end, ending))
    time.sleep(options.listen_after)
    serve(options, board)


if __name__ == "__main__":
    main()
