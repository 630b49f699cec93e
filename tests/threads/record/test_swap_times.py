"""What a scheduler has learned of swaps outlives a restart."""

from pathlib import Path

import pytest

from swapper.core.ids import ModelId
from swapper.record.store import Store
from swapper.runtime import _StoredSwapTimes
from swapper.scheduler import SwapTime, SwapTimes

A, B = ModelId("a"), ModelId("b")


def test_what_is_put_is_there_at_once_and_in_the_next_run(tmp_path: Path) -> None:
    path = str(tmp_path / "activity.db")
    store = Store(path, 1000)
    store.start()
    times: SwapTimes = _StoredSwapTimes(store)
    assert times.get(A) == SwapTime()
    times.put(A, SwapTime(load_s=12.5))
    times.put(A, SwapTime(load_s=12.5, stop_s=0.5))
    times.put(B, SwapTime(stop_s=1.0))

    assert times.get(A) == SwapTime(12.5, 0.5)
    store.close()
    later = Store(path, 1000)
    known = _StoredSwapTimes(later)
    later.close()
    assert (known.get(A), known.get(B)) == (SwapTime(12.5, 0.5), SwapTime(None, 1.0))


def test_what_cannot_be_read_is_not_known(caplog: pytest.LogCaptureFixture) -> None:
    store = Store("", 1000)
    store.close()

    assert _StoredSwapTimes(store).get(A) == SwapTime()
    assert "what is known of swaps cannot be read" in caplog.text
