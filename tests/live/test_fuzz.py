"""Malformed requests and lying upstreams, thousands of them, against the program.

``SWAPPER_FUZZ_ROUNDS`` and ``SWAPPER_FUZZ_SEED`` run more or others. A failure prints
seed, round and bytes; the same seed with the same round makes the same bytes again.
"""

import itertools
import os
import re
import select
import socket
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import psutil
import pytest

from tests.fakes.bad_answers import DraftAnswer, damaged_answer, valid_answer
from tests.fakes.bad_requests import KEY, damaged_request, split, valid_request
from tests.fakes.bad_switches import Switch, planned_switch
from tests.fakes.http_verdicts import (
    PEER_KEY,
    FindingError,
    check_answers,
    check_relayed,
    check_served,
    finals_of,
    suffixes,
)
from tests.fakes.ports import free_ports
from tests.fakes.program import SwapperProgram
from tests.fakes.raw_client import connect, read_all
from tests.fakes.scripted_upstream import Peer, ScriptedUpstream
from tests.fakes.strict_http import End, Message, Reading, read_answers, read_requests

ROUNDS = int(os.environ.get("SWAPPER_FUZZ_ROUNDS", "10000"))
SEED = os.environ.get("SWAPPER_FUZZ_SEED", "1")
BATCH = 1000
CLIENTS = 24
DEADLINE_S = 20.0
IDLE_S = 0.1
LOCAL = ("local", "edited", "liar_local")
LIARS = ("/upstream/lm", "/upstream/liar_local")
WITH_KEY = {"X-Api-Key": KEY}

pytestmark = [pytest.mark.live, pytest.mark.timeout(120 + ROUNDS // 20)]

CONFIG = """
logLevel: debug
captureBuffer: 5
startPort: {port}
apiKeys: [{key}]
models:
  local: &model
    cmd: {python} -c "import signal; signal.pause()"
    proxy: {url}
    checkEndpoint: none
    concurrencyLimit: 1000
    timeouts: {{idleConn: 1}}
  edited:
    <<: *model
    useModelName: other
    filters:
      stripParams: "temperature, a.b"
      setParams: {{top_p: 0.5, nested.x: [1]}}
      setParamsByID: {{edited: {{top_p: 0.9}}}}
  liar_local: *model
groups:
  all: {{swap: false, members: [local, edited, liar_local]}}
peers:
  good: {{proxy: {url}, apiKey: {peer_key}, models: [pm], timeouts: {{idleConn: 1}}}}
  liar: {{proxy: {url}, apiKey: {peer_key}, models: [lm], timeouts: {{idleConn: 1}}}}
"""


class Upstream:
    """Everybody swapper forwards to: checks what arrives, echoes it or lies.

    Attributes:
        findings: what arrived and should not have.
    """

    def __init__(self) -> None:
        self.findings: list[str] = []
        # method and target -> bodies that may come with them; None: any
        self._legit: dict[tuple[bytes, bytes], set[bytes | None]] = defaultdict(set)

    def expect(self, message: Message, body: bytes | None) -> None:
        """Let a request, and what swapper may make of its target, pass."""
        method, target, _ = message.start
        for suffix in suffixes(target):
            self._legit[method, suffix].add(body)

    def serve(self, peer: Peer) -> None:
        """Answer the requests of one connection."""
        received, is_answered = b"", False
        while True:
            reading = read_requests(received, limit=1)
            is_bad = reading.end in {End.BAD_HEAD, End.BAD_BODY}
            # the next request may be there only if this one has been answered early
            if is_bad or (reading.messages and reading.rest and not is_answered):
                self.findings.append(f"the upstream was sent {reading}"[:3000])
                return
            request = next(iter(reading.messages), reading.begun)
            if request and b"?switch=" in request.start[1]:
                self._switch(peer, int(request.start[1].rpartition(b"=")[2]))
                return
            if request and b"?lie=" in request.start[1] and not is_answered:
                answer = answer_of(request)
                is_answered = answer.is_early or bool(reading.messages)
                if is_answered and not lie(peer, answer, request.start[0]):
                    return
            if reading.messages:
                if not is_answered:
                    self._echo(peer, reading.messages[0])
                received, is_answered = reading.rest, False
                continue
            data = peer.sock.recv(65536)
            if not data:
                return
            received += data

    def _switch(self, peer: Peer, number: int) -> None:
        plan = switch_of(number)
        peer.send(plan.head + (plan.down if plan.status == 101 else b""))
        peer.end()
        if plan.status == 101 and (got := peer.rest()) != plan.up:
            self.findings.append(f"tunnel {number} brought {got[:1000]!r}")

    def _echo(self, peer: Peer, request: Message) -> None:
        method, target, _ = request.start
        bodies = self._legit.get((method, target), set())
        if not bodies & {None, request.body}:
            self.findings.append(f"nobody sent {request}")
        body = b"" if method == b"HEAD" else b"echo " + target
        peer.send(
            b"HTTP/1.1 200 OK\r\nX-Echo: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (target, len(target) + 5, body)
        )


def switch_of(number: int) -> Switch:
    return planned_switch(Random(f"{SEED}/switch/{number}"))  # noqa: S311 - reproducible


def answer_of(request: Message) -> DraftAnswer:
    number = int(re.findall(rb"\?lie=(\d+)$", request.start[1])[0])
    return planned_answer(number)


def planned_answer(number: int) -> DraftAnswer:
    """Return what the upstream says in that round."""
    dice = Random(f"{SEED}/answer/{number}")  # noqa: S311 - reproducible on purpose
    make = valid_answer if dice.random() < 0.1 else damaged_answer
    return make(dice, f"{SEED}.a{number}".encode())


def lie(peer: Peer, answer: DraftAnswer, method: bytes) -> bool:
    """Send an answer to *method*; return whether the connection goes on."""
    raw = answer.to_bytes()
    step = len(raw) if len(raw) > 2000 else answer.step_bytes
    extra = read_answers(raw, [method], is_closed=True, limit=1, skips_blank=True).rest
    if extra:
        # it comes along with the answer's last byte: later it could be anybody's
        step = len(raw) - len(extra) - 1
        peer.send(raw[:step])
        select.select([peer.sock], [], [], 0.002)
        raw = raw[step:]
        step = len(raw)
    for at in range(0, len(raw), step):
        peer.send(raw[at : at + step])
    if answer.ending == "reset":
        peer.reset()
    if answer.ending != "keep":
        return False
    # an answer that is not whole is waited for in vain: end that soon
    peer.sock.settimeout(1)
    return bool(select.select([peer.sock], [], [], 0.3)[0])


class Fuzz:
    """One program, its upstream, and the rounds played against them."""

    def __init__(self, program: SwapperProgram, upstream: Upstream) -> None:
        self.program = program
        self.upstream = upstream
        self.findings: list[str] = []
        self._port = urlsplit(program.url).port or 0

    def play(self, rounds: Sequence[tuple[Callable[[int], None], int]]) -> None:
        """Play *rounds* in parallel; findings are collected."""
        left = iter(rounds)
        lock = threading.Lock()

        def work() -> None:
            while not self.findings:
                with lock:
                    game, number = next(left, (None, 0))
                if game is None:
                    return
                try:
                    game(number)
                except (FindingError, OSError) as exc:
                    self.findings.append(
                        f"seed {SEED} {game.__name__} {number}: {exc!r}"
                    )

        threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # --- what clients do ----------------------------------------------------------

    def bad_request(self, number: int) -> None:
        dice = Random(f"{SEED}/request/{number}")  # noqa: S311 - reproducible on purpose
        name = f"{SEED}.r{number}"
        is_valid = dice.random() < 0.1
        drafts = [
            valid_request(dice, f"{name}.{k}") for k in range(dice.choice((1, 1, 2)))
        ]
        raw = b"".join(draft.to_bytes() for draft in drafts)
        if not is_valid:
            before, after = (raw, b"") if dice.random() < 0.2 else (b"", raw)
            after = after if dice.random() < 0.3 else b""
            raw = before + damaged_request(dice, f"{name}.x") + after
        reading = read_requests(raw)
        for message in reading.messages:
            said = message.start[1] + message.body
            is_edited = b"edited" in said or b"good" in said
            self.upstream.expect(message, None if is_edited else message.body)
        received, took_s = self._talk(split(dice, raw), reading)
        try:
            finals = check_answers(received, reading, raw, took_s)
            if is_valid:
                check_served(finals, [draft.is_forwarded for draft in drafts])
        except FindingError as exc:
            raise FindingError(
                f"{exc}\nsent {raw[:3000]!r}\nreceived {received[:3000]!r}"
            ) from exc

    def bad_answer(self, number: int) -> None:
        dice = Random(f"{SEED}/client/{number}")  # noqa: S311 - reproducible on purpose
        liar = dice.choice(LIARS)
        method = dice.choice((b"GET", b"HEAD", b"POST", b"POST"))
        path = dice.choice(("lie", "v1/chat/completions"))
        target = f"{liar}/{path}?lie={number}".encode()
        size = dice.choice((0, 10, 10, 100_000)) if method == b"POST" else 0
        body = bytes(size)
        raw = request_bytes(method, target, body)
        answer = planned_answer(number)
        # half an answer, then an unread request: that is no way to end in peace
        received, _ = self._talk([raw], read_requests(raw), may_reset=answer.is_early)
        try:
            check_relayed(received, answer, method)
        except FindingError as exc:
            sent = answer.to_bytes()
            raise FindingError(
                f"{exc}\n{method!r} answered {sent[:3000]!r} then {answer.ending}, "
                f"early {answer.is_early}\nreceived {received[:3000]!r}"
            ) from exc
        if dice.random() < 0.3:
            self.good_request(f"{liar}/good?t={number}")

    def tunnel(self, number: int) -> None:
        plan = switch_of(number)
        liar = LIARS[number % 2]
        raw = request_bytes(b"GET", f"{liar}/ws?switch={number}".encode(), b"")
        upgrade = b"\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
        received = b""
        with connect(self._port) as sock:
            sock.sendall(raw[:-4] + upgrade + plan.up[: plan.early_bytes])
            while b"\r\n\r\n" not in received and (data := sock.recv(65536)):
                received += data
            if plan.status == 101:
                sock.sendall(plan.up[plan.early_bytes :])
            sock.shutdown(socket.SHUT_WR)
            received += read_all(sock)
        reading = read_answers(received, [b"GET"], is_closed=True)
        (answer,) = reading.messages or (None,)
        expected = plan.down if plan.status == 101 else b""
        if not answer or answer.status != plan.status or reading.rest != expected:
            raise FindingError(f"{plan}"[:3000] + f" came as {received[:3000]!r}")
        if answer.status < 200 and answer.framing_count:
            raise FindingError(f"a body was announced: {answer.headers}")

    def good_request(self, target: str) -> None:
        raw = request_bytes(b"GET", target.encode(), b"")
        reading = read_requests(raw)
        self.upstream.expect(reading.messages[0], b"")
        received, took_s = self._talk([raw], reading)
        finals = check_answers(received, reading, raw, took_s)
        if finals[0].status != 200 or finals[0].all(b"x-echo") == []:
            raise FindingError(f"{target} got {received[:3000]!r}")

    def _talk(
        self, pieces: Sequence[bytes], reading: Reading, *, may_reset: bool = False
    ) -> tuple[bytes, float]:
        """Send, receive what comes, half-close once that seems to be all.

        Returns:
            What was received, and the seconds all of it took.

        Raises:
            FindingError: the connection does not end.
        """
        wanted = len(reading.messages) + (reading.end is End.BAD_HEAD)
        methods = [message.start[0] for message in reading.messages]
        # whoever was told that the connection ends may find it ended
        may_reset |= any(message.closes for message in reading.messages[:-1])
        is_sure = reading.end in {End.CLEAN, End.BAD_HEAD} and wanted
        received, is_ended = b"", False
        began = time.monotonic()
        deadline = began + DEADLINE_S
        with connect(self._port) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                try:
                    sock.sendall(piece)
                    select.select([sock], [], [], 0.001 * (len(pieces) > 1))
                except ConnectionError:
                    break  # refused before all of it was sent
            while time.monotonic() < deadline:
                patience = DEADLINE_S if is_sure or is_ended else IDLE_S
                if select.select([sock], [], [], patience)[0]:
                    try:
                        data = sock.recv(1 << 18)
                    except ConnectionResetError as exc:
                        if may_reset:
                            return received, time.monotonic() - began
                        sent = b"".join(pieces)[:3000]
                        what = f"reset after {received[:3000]!r}, sent {sent!r}"
                        raise FindingError(what) from exc
                    if not data:
                        return received, time.monotonic() - began
                    received += data
                    got = read_answers(received, methods, is_closed=False)
                    if not is_sure or len(finals_of(got)) < wanted:
                        continue
                if not is_ended:
                    is_ended = True
                    sock.shutdown(socket.SHUT_WR)
        sent = b"".join(pieces)[:3000]
        raise FindingError(f"no end after {received[:3000]!r}, sent {sent!r}")

    # --- what must be true between batches ----------------------------------------------

    def check_health(self, batch: int) -> None:
        """Raise the findings there are; look whether everything still works."""
        for name in ("pm", "local", "edited", "lm", "liar_local"):
            self.good_request(f"/upstream/{name}/good?batch={batch}")
        lines = [
            line
            for line in self.program.lines
            if "[ERROR]" in line or "Traceback" in line
        ]
        log = "\n".join(self.program.lines)
        self.program.lines.clear()
        found = [*self.findings, *self.upstream.findings, *lines]
        if found:
            raise FindingError("\n\n".join(found[:5]))
        for secret in (KEY, PEER_KEY):
            assert secret not in log


def request_bytes(method: bytes, target: bytes, body: bytes) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body) if method == b"POST" else b""
    return b"%b %b HTTP/1.1\r\nHost: fuzz.example\r\nX-Api-Key: %b\r\n%b\r\n%b" % (
        method,
        target,
        KEY.encode(),
        length,
        body,
    )


def load(program: SwapperProgram) -> tuple[int, int, dict[str, str]]:
    """Return threads, descriptors and models of the program."""
    process = psutil.Process(program.process.pid)
    rows = program.call("/running", headers=WITH_KEY).json()["running"]
    states = {row["model"]: row["state"] for row in rows}
    return process.num_threads(), process.num_fds(), states


def test_nothing_malformed_confuses_leaks_or_passes(tmp_path: Path) -> None:
    upstream, port = Upstream(), free_ports(1)
    config = CONFIG.format(
        python=sys.executable,
        url=f"http://127.0.0.1:{port}",
        port=port,
        key=KEY,
        peer_key=PEER_KEY,
    )
    with SwapperProgram(tmp_path, config) as program:
        fuzz = Fuzz(program, upstream)
        for model in LOCAL:  # their port must be free when they start
            assert program.call(f"/upstream/{model}/", headers=WITH_KEY).status == 502
        with ScriptedUpstream(upstream.serve, port=port):
            games = (fuzz.bad_request, fuzz.bad_answer)
            tunnels = [(fuzz.tunnel, number) for number in range(ROUNDS // 20)]
            # what starts with the first need for it, and workers for a rush, is no leak
            fuzz.play(list(itertools.product(games, range(ROUNDS, ROUNDS + 100))))
            for number in range(10):
                fuzz.check_health(-number)
            threads, descriptors, states = load(program)
            assert states == dict.fromkeys(LOCAL, "ready")
            fuzz.play(tunnels)
            for first in range(0, ROUNDS, BATCH):
                numbers = range(first // 2, (first + BATCH) // 2)
                fuzz.play(list(itertools.product(games, numbers)))
                fuzz.check_health(first)
            deadline = time.monotonic() + DEADLINE_S
            while True:
                fuzz.check_health(ROUNDS)
                now = load(program)
                # Workers beyond eight free ones end, pools keep some connections, and a
                # relay loop starts with its first flow; a leak of one in a hundred
                # rounds would be several times that.
                if now[0] <= threads + 12 and now[1] <= descriptors + 16:
                    break
                assert time.monotonic() < deadline, (now, threads, descriptors)
            assert now[2] == states
