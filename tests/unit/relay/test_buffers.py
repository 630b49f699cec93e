"""A body in several places is the same as one in one place."""

from hypothesis import given
from hypothesis import strategies as st

from swapper.relay import Buffers

LONG = 1 << 16


def _view(text: bytes) -> memoryview:
    return memoryview(text)


texts = st.lists(
    st.one_of(
        st.binary(max_size=9),
        st.integers(LONG - 1, LONG + 1).map(lambda count: b"x" * count),
        st.binary(max_size=9).map(_view),
    ),
    max_size=6,
)


@given(texts)
def test_buffers_are_their_texts_in_order(
    given_texts: list[bytes | memoryview],
) -> None:
    whole = b"".join(given_texts)
    buffers = Buffers(given_texts)

    assert len(buffers) == len(whole)
    assert buffers.joined() == whole
    for _ in range(2):  # to be sent again
        assert b"".join(buffers) == whole
    assert b"".join(iter(lambda: buffers.read1(LONG // 3), b"")) == whole


def test_short_neighbours_are_sent_together_and_long_ones_are_not_copied() -> None:
    long = b"x" * LONG
    sent = list(Buffers([b"{", b'"a":', long, b",", b'"b":1', b"}"]))

    assert sent == [b'{"a":', long, b',"b":1}']
    assert sent[1].obj is long
