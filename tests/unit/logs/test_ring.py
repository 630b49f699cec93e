"""The last bytes of a stream."""

import random

from hypothesis import given
from hypothesis import strategies as st

from swapper.logs.ring import HISTORY_BYTES, ByteRing


@given(
    limit=st.integers(1, 40_000),
    pieces=st.lists(st.integers(0, 30_000), max_size=30),
    back=st.integers(0, 60_000),
)
def test_the_ring_is_the_end_of_all_that_was_written(
    limit: int, pieces: list[int], back: int
) -> None:
    ring, model = ByteRing(limit), b""
    for number, size in enumerate(pieces):
        piece = bytes([number]) * size
        ring.write(piece)
        model += piece

    assert ring.total == len(model)
    assert ring.since(0) == model[-limit:]
    mark = max(0, len(model) - back)
    assert ring.since(mark) == model[mark:][-limit:]


def test_nothing_is_held_beyond_the_limit_and_one_piece() -> None:
    ring = ByteRing()
    rng = random.Random(1)  # noqa: S311 - repeatable, nothing secret
    for _ in range(2000):
        ring.write(bytes(rng.choice([1, 10, 1000, 9000, 65536])))
        held = sum(map(len, ring._pieces)) + len(ring._tail)
        assert held == ring._held
        assert held < HISTORY_BYTES + 65536


def test_single_bytes_are_merged() -> None:
    ring = ByteRing()
    for _ in range(300_000):
        ring.write(b"x")

    assert len(ring._pieces) < 20
    assert ring.since(0) == b"x" * HISTORY_BYTES


def test_one_piece_larger_than_the_ring_leaves_its_end() -> None:
    ring = ByteRing(10_000)
    ring.write(b"a" * 20_000 + b"b" * 9_999)

    assert ring.since(0) == b"a" + b"b" * 9_999


def test_a_mark_in_the_future_gives_nothing() -> None:
    ring = ByteRing()
    ring.write(b"abc")

    assert ring.since(3) == b""
    assert ring.since(99) == b""
