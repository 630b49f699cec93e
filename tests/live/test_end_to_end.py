"""Several parts at once, over the whole program (http-api.md section 27)."""

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.event_client import EventClient
from tests.fakes.model_server import fake_release, fake_state
from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

TOGETHER = "groups: {g: {swap: false, members: [a, slow]}}"


def test_ee11_the_end_lets_requests_finish_and_streams_not(tmp_path: Path) -> None:
    config = config_text({"a": "", "slow": "--ready-after 2"}, TOGETHER)
    with SwapperProgram(tmp_path, config) as program:
        assert program.chat("a").status == 200
        url = program.upstream_url("a")
        with ThreadPoolExecutor(2) as pool, EventClient(program.url) as listener:
            listener.in_flight("snapshot")
            served = pool.submit(program.call, "/upstream/a/x?hold=ee11")
            fake_state(url, min_held=1)
            waiting = pool.submit(program.chat, "slow")
            listener.in_flight("upsert")
            program.process.send_signal(signal.SIGTERM)
            with pytest.raises(EOFError):
                listener.until(lambda _: False)
            host, _, port = program.url.partition("//")[2].partition(":")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, int(port)), 5).close()
            fake_release(url, "ee11")

            assert (served.result().status, waiting.result().status) == (200, 200)
        assert program.process.wait(20) == 0


def test_ee12_a_model_that_starts_is_running_and_loaded(tmp_path: Path) -> None:
    config = config_text({"slow": "--ready-after 1"})
    with (
        SwapperProgram(tmp_path, config) as program,
        ThreadPoolExecutor(1) as pool,
        EventClient(program.url) as listener,
    ):
        listener.in_flight("snapshot")
        asked = pool.submit(program.chat, "slow")
        listener.until(
            lambda told: (
                told.type == "modelStatus" and told.data[0]["state"] == "starting"
            )
        )
        assert program.running() == {"slow": "starting"}
        (listed,) = program.call("/v1/models").json()["data"]
        assert listed["status"] == {"value": "loaded"}
        assert asked.result().status == 200
