"""A model server for tests: answers 200, after whatever it is told to do first.

Run as a script, on the standard library alone.
"""

import argparse
import os
import signal
import socket
import sys
import time
from pathlib import Path

CRLF = b"\r\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--say", default="")
    parser.add_argument("--listen-after", type=float, default=0.0)
    parser.add_argument("--ready-after", type=float, default=0.0)
    parser.add_argument("--hang-first", action="store_true")
    parser.add_argument("--hang-always", action="store_true")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--count-term", default="")
    parser.add_argument("--exit-on-term", type=int)
    parser.add_argument("--child", default="")
    parser.add_argument("--daemon", default="")
    parser.add_argument("--exit", type=int)
    parser.add_argument("--kill-self", action="store_true")
    parser.add_argument("--exit-after-ready", type=int)
    parser.add_argument("--exit-on-request", type=int, help="of /exit")
    parser.add_argument("--flood", action="store_true")
    options = parser.parse_args()
    set_signals(options)
    began = time.monotonic()
    if options.say:
        say(options.say)
    if options.child:
        spawn_child(options.child)
    if options.daemon:
        spawn_daemon(options.daemon)
    if options.exit is not None:
        sys.exit(options.exit)
    if options.kill_self:
        os.kill(os.getpid(), signal.SIGKILL)
    if options.flood:
        flood()
    if options.port is None:
        sleep_for_ever()
    time.sleep(max(0.0, options.listen_after))
    serve(options, began)


def set_signals(options: argparse.Namespace) -> None:
    # a shell has what it runs in the background ignore it
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if options.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.exit_on_term is not None:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(options.exit_on_term))
    if options.count_term:

        def count(*_: object) -> None:
            with Path(options.count_term).open("a", encoding="ascii") as file:
                file.write("T")

        signal.signal(signal.SIGTERM, count)


def spawn_child(pid_file: str) -> None:
    """A child in our group that ignores SIGTERM and keeps our output open."""
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note_pid(pid_file)
        sleep_for_ever()


def spawn_daemon(pid_file: str) -> None:
    """A daemon by the book: own session, no parent; it ignores SIGTERM.

    Returns when it has noted its pid: who ends before may never see it do so.
    """
    is_up, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            note_pid(pid_file)
            os.write(tell, b"x")
            sleep_for_ever()
        os._exit(0)
    os.read(is_up, 1)
    os.close(is_up)
    os.close(tell)


def note_pid(pid_file: str) -> None:
    new = Path(pid_file + ".new")
    new.write_text(str(os.getpid()), encoding="ascii")
    new.rename(pid_file)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def sleep_for_ever() -> None:
    while True:
        time.sleep(60)


def flood() -> None:
    line = b"x" * 1023 + b"\n"
    if os.fork() == 0:
        while True:
            os.write(1, line * 64)


def serve(options: argparse.Namespace, began: float) -> None:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", options.port))
    server.listen(16)
    held = []
    while True:
        client, _ = server.accept()
        if options.hang_first or options.hang_always:
            options.hang_first = False
            held.append(client)
            continue
        request = client.recv(65536)
        is_ready = time.monotonic() - began >= options.ready_after
        status = "200 OK" if is_ready else "503 Loading"
        say(f"{request.partition(CRLF)[0].decode()} {status}")
        client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        client.close()
        code = options.exit_after_ready if is_ready else None
        if request.startswith(b"GET /exit "):
            code = options.exit_on_request
        if code is not None:
            say("giving up")
            os._exit(code)


if __name__ == "__main__":
    main()
