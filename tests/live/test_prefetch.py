"""The files of the model that goes next are read while it waits."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.cold_file import cold
from tests.fakes.model_server import fake_release, fake_state
from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live


def test_weights_are_read_while_another_model_is_busy(tmp_path: Path) -> None:
    weights = cold(tmp_path / "weights.gguf", bytes(4 << 20))
    text = config_text({"busy": "", "next": ""})
    text = text.replace("  next:\n", f"  next:\n    prefetch: [{weights}]\n")
    with SwapperProgram(tmp_path, text) as program, ThreadPoolExecutor(2) as pool:
        assert program.chat("busy").status == 200
        held = pool.submit(program.call, "/upstream/busy/x?hold=here")
        url = program.upstream_url("busy")
        fake_state(url, min_held=1)
        waiting = pool.submit(program.chat, "next")

        log = program.wait_for_log("read ahead model=next mib=4")

        assert "start model=next" not in log
        fake_release(url, "here")
        assert held.result().status == 200
        assert waiting.result().status == 200
