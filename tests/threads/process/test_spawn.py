"""What a model process is given, and how its end is learnt."""

import os
import signal

from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId
from swapper.logs import Monitor
from tests.threads.process.bench import Bench, is_alive, python


def test_the_process_sees_our_environment_and_its_own(bench: Bench) -> None:
    text = "import os; e = os.environ; print(e['F'], 'PATH' in e, e['SWAPPER_PROCESS'])"
    model = bench.command(
        python("-c", text), env=("F=1", "FOO", "=x", "F=2"), check_endpoint="none"
    )

    model.ensure_ready(1)
    model.stopped(1)

    assert model.text().startswith(f"2 True bench:{os.getpid()}:")


def test_the_process_has_its_own_session_and_nothing_to_read(bench: Bench) -> None:
    text = (
        "import os, sys; print(os.getsid(0) == os.getpid(), sys.stdin.read() == '',"
        "flush=True); print('e', file=sys.stderr)"
    )
    model = bench.command(python("-c", text), check_endpoint="none")

    model.ensure_ready(1)
    model.stopped(1)

    assert model.text().splitlines() == ["True True", "e"]


def test_a_model_gets_no_descriptor_of_ours(bench: Bench) -> None:
    bench.model().run_until_ready(1)  # the guard's pipe exists by now
    text = "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"
    model = bench.command(python("-c", text), check_endpoint="none")

    model.ensure_ready(1)
    model.stopped(1)

    assert model.text().strip() == "[0, 1, 2, 3]"  # 3 is the listing itself


def test_the_program_is_found_in_our_path_not_in_the_models(bench: Bench) -> None:
    model = bench.command("true", env=("PATH=/nowhere",), check_endpoint="none")

    model.ensure_ready(1)

    assert model.started(1).error is None


def test_a_process_that_ended_keeps_its_ids_until_it_is_buried(bench: Bench) -> None:
    """Else a signal could reach a stranger that got the same process group."""
    config = ModelConfig(id=ModelId("m"), proxy="http://127.0.0.1:1")
    spawner = bench.host.spawner(config, Monitor())
    child = spawner.spawn(python("-c", "import sys; sys.exit(5)"))

    assert spawner.wait(child) == 5
    os.killpg(child.pid, 0)  # still there, as a zombie
    assert not is_alive(child.pid)
    spawner.bury(child)

    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return
    raise AssertionError("the zombie is still there")


def test_a_signal_is_told_as_a_negative_number(bench: Bench) -> None:
    config = ModelConfig(id=ModelId("m"), proxy="http://127.0.0.1:1")
    spawner = bench.host.spawner(config, Monitor())
    child = spawner.spawn("sleep 60")

    os.killpg(child.pid, signal.SIGTERM)

    assert spawner.wait(child) == -signal.SIGTERM
    spawner.bury(child)
