"""What the relay costs: one small JSON round trip, against bare sockets.

    python -m benchmarks.relay_cost

A server in a child process answers every request at once. Variants alternate in one
run; the median and the best of the rounds are printed as microseconds per round trip,
elapsed and as CPU time of this process alone.
"""

import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

import requests

from swapper.relay import Upstream, UpstreamRequest
from swapper.sync import CancelToken

ROUNDS = 15
TRIPS = 2000
BODY = b'{"model":"tiny","messages":[{"role":"user","content":"Hello"}]}'
ANSWER_BODY = b'{"choices":[{"message":{"content":"' + b"x" * 400 + b'"}}]}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/json\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: %d\r\n\r\n%b"
) % (len(ANSWER_BODY), ANSWER_BODY)
HEADERS = (
    ("Host", "127.0.0.1:8080"),
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("User-Agent", "bench/1"),
    ("Authorization", "Bearer none"),
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(BODY))),
)


def serve(tell: Connection) -> None:
    """Answer every request on every connection, one at a time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tell.send(listener.getsockname()[1])
        while True:
            sock, _ = listener.accept()
            multiprocessing.Process(target=answer, args=(sock,), daemon=False).start()
            sock.close()


def answer(sock: socket.socket) -> None:
    """Answer each request of one connection; they come whole."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := sock.recv(65536):
        while not data.endswith(BODY):
            data += sock.recv(65536)
        sock.sendall(ANSWER)


def bare(port: int) -> Callable[[], object]:
    """Return a round trip that does the least one can do."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = "".join(f"{name}: {value}\r\n" for name, value in HEADERS)
    wire = f"POST /v1/chat/completions HTTP/1.1\r\n{lines}\r\n".encode() + BODY

    def trip() -> object:
        sock.sendall(wire)
        got = 0
        while got < len(ANSWER):
            got += len(sock.recv(65536))
        return got

    return trip


def relay(port: int) -> Callable[[], object]:
    """Return a round trip through the relay, as a request thread would make it."""
    upstream = Upstream(f"http://127.0.0.1:{port}", "model bench")

    def trip() -> object:
        request = UpstreamRequest(
            method="POST",
            target="/v1/chat/completions",
            headers=HEADERS,
            body=BODY,
            client_ip="127.0.0.1",
        )
        response = upstream.forward(request, CancelToken())
        return sum(map(len, response))

    return trip


def stock_requests(port: int) -> Callable[[], object]:
    """Return a round trip through an untouched ``requests`` session."""
    session = requests.Session()
    url = urlsplit(f"http://127.0.0.1:{port}/v1/chat/completions").geturl()

    def trip() -> object:
        return len(session.post(url, data=BODY, headers=dict(HEADERS)).content)

    return trip


def measure(trip: Callable[[], object], count: int) -> tuple[float, float]:
    """Return microseconds per trip: elapsed, and CPU of this process."""
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        trip()
    elapsed_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    return elapsed_s / count * 1e6, cpu_s / count * 1e6


def main() -> None:
    """Run all variants in turn and print their medians."""
    told, tell = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(tell,))
    server.start()
    port = told.recv()
    try:
        trips = {
            "bare sockets": bare(port),
            "swapper relay": relay(port),
            "stock requests": stock_requests(port),
        }
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in trips}
        for _ in range(ROUNDS):
            for name, trip in trips.items():
                count = TRIPS // 10 if name == "stock requests" else TRIPS
                results[name].append(measure(trip, count))
    finally:
        server.terminate()
        server.join()
    print(f"{'us per round trip':18}{'elapsed':>18}{'CPU':>18}")
    print(f"{'':18}{'median':>10}{'best':>8}{'median':>10}{'best':>8}")
    for name, rounds in results.items():
        columns = [
            f"{statistics.median(column):10.1f}{min(column):8.1f}"
            for column in zip(*rounds, strict=True)
        ]
        print(f"{name:18}{''.join(columns)}")


if __name__ == "__main__":
    main()
