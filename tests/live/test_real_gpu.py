"""The whole program on a machine with an NVIDIA GPU; skipped on others.

The models are real processes that hold memory of the GPU. Where the tools do not tell
memory by process (some containers and virtual machines) the tests of models say so.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from swapper.hardware.holders import gpu_holders
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

HOLDER = Path(__file__).parents[1] / "fakes" / "gpu_holder.py"
SAMPLES_S = 30.0  # the monitor looks every five seconds
CONTEXT_MIB = 1024  # a program needs some for itself
MIB = 1 << 20


@pytest.fixture(scope="module", autouse=True)
def total_mib() -> int:
    """Return the memory of the first GPU; skip if there is none."""
    if shutil.which("nvidia-smi") is None:
        pytest.skip("no NVIDIA GPU: there is no nvidia-smi")
    answer = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    first = answer.stdout.partition("\n")[0].strip()
    if not first.isdigit():
        pytest.skip(f"no NVIDIA GPU: nvidia-smi says {answer.stdout!r}")
    return int(first)


@pytest.fixture
def without_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing but ``nvidia-smi``, for the program and for this process."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "pynvml.py").write_text("raise ImportError\n", "utf-8")
    paths = (str(tmp_path / "hidden"), *filter(None, sys.path))
    monkeypatch.setenv("PYTHONPATH", ":".join(paths))
    monkeypatch.setitem(sys.modules, "pynvml", None)


def config(held_mib: dict[str, int], extra: str = "") -> str:
    """Return models that hold so much of the GPU each."""
    text = config_text(dict.fromkeys(held_mib, ""), extra)
    for model, mib in held_mib.items():
        start = text.index("      ", text.index(f"  {model}:\n    cmd: |"))
        holder = f"{sys.executable} {HOLDER} {mib} "
        text = f"{text[:start]}      {holder}{text[start:].lstrip()}"
    return text


def gpu_sample(program: SwapperProgram) -> dict[str, object]:
    """Return the newest sample of the first GPU, waiting for one."""

    def look() -> list[dict[str, object]]:
        samples = program.call("/api/performance").json()["gpu_stats"]
        return [sample for sample in samples or () if sample["id"] == 0]

    return wait_until(look, SAMPLES_S)[-1]


def held_by_model(program: SwapperProgram) -> dict[str, float]:
    """Return model -> MiB, as ``/metrics`` has it."""
    lines = program.call("/metrics").body.decode().splitlines()
    name = "swapper_model_gpu_memory_bytes{"
    found = {}
    for line in lines:
        if line.startswith(name):
            labels, _, value = line.removeprefix(name).partition("} ")
            found[labels.split('"')[1]] = float(value) / MIB
    return found


def needs_holders(program: SwapperProgram) -> None:
    """Skip if the tools do not see who holds what, while a model holds something."""
    holders = gpu_holders()
    if not holders or not any(any(m.by_pid.values()) for m in holders.values()):
        assert program.running(), "a model is to run"
        pytest.skip(f"the tools do not tell memory by process: {holders}")


def check_monitor(program: SwapperProgram, source: str, total_mib: int) -> None:
    program.wait_for_line(f"performance monitor started gpu_source={source}")
    sample = gpu_sample(program)
    assert sample["mem_total_mb"] == pytest.approx(total_mib, rel=0.02)
    assert "NVIDIA" in str(sample["name"])
    assert str(sample["uuid"]).startswith("GPU-")
    temperature, power = sample["temp_c"], sample["power_draw_w"]
    assert isinstance(temperature, int | float)
    assert 10 <= temperature <= 110
    assert isinstance(power, int | float)
    assert 5 <= power <= 1500
    page = program.call("/metrics").body.decode()
    assert f'llamaswap_gpu_memory_total_bytes{{id="0",name="{sample["name"]}"' in page
    (device,) = [
        device
        for device in program.call("/api/hardware").json()["accelerators"]
        if device["vendor"] == "NVIDIA" and device["index"] == 0
    ]
    assert device["model"] == sample["name"]
    assert device["memory"]["kind"] == "dedicated"
    assert device["memory"]["capacity_bytes"] == pytest.approx(
        total_mib * MIB, rel=0.02
    )
    assert device["architecture"]
    assert device["driver"]["version"]


def check_model_memory(program: SwapperProgram) -> None:
    assert program.chat("one").status == 200
    needs_holders(program)
    wait_until(lambda: held_by_model(program).get("one", 0) > 0, SAMPLES_S)
    held = held_by_model(program)
    assert 2048 <= held["one"] <= 2048 + CONTEXT_MIB
    assert program.call("/unload").status == 200
    wait_until(lambda: "one" not in held_by_model(program), SAMPLES_S)


def test_the_library_tells_of_the_gpu_and_of_models(
    tmp_path: Path, total_mib: int
) -> None:
    pytest.importorskip("pynvml")
    with SwapperProgram(tmp_path, config({"one": 2048})) as program:
        check_monitor(program, "NVML", total_mib)
        check_model_memory(program)


@pytest.mark.usefixtures("without_library")
def test_the_tool_tells_of_the_gpu_and_of_models(
    tmp_path: Path, total_mib: int
) -> None:
    with SwapperProgram(tmp_path, config({"one": 2048})) as program:
        check_monitor(program, "nvidia-smi", total_mib)
        check_model_memory(program)


BUDGET = """
store: {path: "%s"}
routing:
  router:
    use: budget
    settings: {budget: {resources: {gpu0: %dMiB}}}
"""


def test_what_models_hold_of_the_gpu_is_measured_and_decides(tmp_path: Path) -> None:
    room_mib = 3 * (2048 + CONTEXT_MIB)
    text = config(
        {"one": 2048, "two": 2048, "large": room_mib - CONTEXT_MIB},
        BUDGET % (tmp_path / "activity.db", room_mib),
    )
    with SwapperProgram(tmp_path, text) as program:
        assert program.chat("one").status == 200
        needs_holders(program)
        program.wait_for_log("decided model=one why=holds .* of gpu0, as measured")
        assert program.chat("two").status == 200  # nobody knows yet: alone
        assert program.running() == {"two": "ready"}
        program.wait_for_log("decided model=two why=holds .* of gpu0")
        assert program.chat("one").status == 200
        assert program.running() == {"one": "ready", "two": "ready"}
        assert program.chat("large").status == 200
        assert program.running() == {"large": "ready"}
        program.wait_for_log("decided model=large why=holds .* of gpu0")
        assert program.chat("one").status == 200  # the memory of "large" was back
        log = program.wait_for_log("(?s)model ready model=large.*model ready model=one")
        assert "memory is not back" not in log
    plan = subprocess.run(
        [
            *(sys.executable, "-m", "swapper", "plan"),
            *("--config", str(program.config), "one", "two", "large"),
        ],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert plan.returncode == 0, plan.stderr
    assert "gpu0" in plan.stdout


def test_a_model_that_finds_the_gpu_full_gets_more_room(
    tmp_path: Path, total_mib: int
) -> None:
    """``large`` claims less than it takes, so it is loaded beside ``small``."""
    text = config(
        {"small": 8192, "large": total_mib - 6000},
        BUDGET % (tmp_path / "activity.db", total_mib),
    )
    for model in ("small", "large"):
        text = text.replace(
            f"  {model}:\n", f"  {model}:\n    resources: {{gpu0: 8GiB}}\n"
        )
    with SwapperProgram(tmp_path, text) as program:
        assert program.chat("small").status == 200
        answer = program.chat("large")
        assert answer.status == 200, answer.body
        assert program.running() == {"large": "ready"}
        program.wait_for_log("decided model=large why=lacked memory and is tried once")
