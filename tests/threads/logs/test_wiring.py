"""Which log flows into which."""

import io
import threading

import pytest

from swapper.core.ids import ModelId
from swapper.logs import Logs

M = ModelId("m")


@pytest.mark.parametrize(
    ("to_stdout", "combined"),
    [
        ("proxy", b"[INFO] p\n"),
        ("upstream", b"model output\n"),
        ("both", b"[INFO] p\nmodel output\n"),
        ("none", b""),
    ],
)
def test_the_combined_log_and_stdout_hold_what_is_routed_there(
    to_stdout: str, combined: bytes
) -> None:
    stdout = io.BytesIO()
    logs = Logs(to_stdout, stdout)
    logs.proxy.write(b"[INFO] p\n")
    logs.model(M).write(b"model output\n")
    logs.close()

    assert logs.combined.history() == combined
    assert stdout.getvalue() == combined
    assert logs.proxy.history() == b"[INFO] p\n"
    assert logs.upstream.history() == b"model output\n"
    assert logs.model(M).history() == b"model output\n"


def test_a_model_keeps_its_monitor() -> None:
    logs = Logs("none", None)

    assert logs.model(M) is logs.model(M)
    assert logs.model(M) is not logs.model(ModelId("other"))


def test_closing_ends_every_subscription_also_later_ones() -> None:
    logs = Logs("both", None)
    monitors = [logs.model(M), logs.upstream, logs.proxy, logs.combined]
    subscriptions = [monitor.subscribe() for monitor in monitors]

    logs.close()

    assert [subscription.read(5.0) for subscription in subscriptions] == [b""] * 4
    assert logs.model(M).subscribe().read(5.0) == b""
    assert logs.model(ModelId("new")).subscribe().read(5.0) == b""


def test_without_stdout_there_is_no_thread() -> None:
    logs = Logs("proxy", None)

    assert "stdout" not in {thread.name for thread in threading.enumerate()}
    logs.close()
