"""What is said at which time, with a clock that is a number."""

import random
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from swapper.core.ids import ModelId
from swapper.scheduler import Standing
from swapper.web.loading_text import REMARKS, SEPARATOR, Heartbeat, Narration, Teller

SLOW = ModelId("slow")
Said = list[tuple[float, str]]


def standing(
    place: Callable[[float], int | Standing | None], now: float
) -> Standing | None:
    at = place(now)
    return Standing(at) if isinstance(at, int) else at


def listen(
    teller: Teller,
    until_s: float,
    place: Callable[[float], int | Standing | None],
    now: float,
) -> Said:
    """Return (time, piece) of everything said before *until_s*."""
    said: Said = []
    while now < until_s:
        pieces = teller.tell(now, partial(standing, place, now))
        assert pieces, "asked for nothing"
        said += [(now, piece) for piece in pieces]
        assert teller.due_s >= now
        now = teller.due_s
    return said


def narration(seed: int = 1, *, now: float = 0.0, is_typed: bool = True) -> Narration:
    return Narration(SLOW, now, random.Random(seed), is_typed=is_typed)  # noqa: S311 - repeatable


def narrate(
    until_s: float,
    place: Callable[[float], int | Standing | None] = lambda _: 0,
    *,
    seed: int = 1,
    is_typed: bool = True,
) -> Said:
    return listen(narration(seed, is_typed=is_typed), until_s, place, 0.0)


def text(said: Said) -> str:
    return "".join(piece for _, piece in said)


def test_ls1_the_model_is_named_at_once() -> None:
    said = narrate(0.7)

    assert [piece for at, piece in said if at == 0] == [SEPARATOR, "\n", "swapp"]
    assert text(said) == f"{SEPARATOR}\nswapper is loading model: slow\n"


def test_ls1_texts_are_typed_in_pieces_of_five_characters() -> None:
    said = narrate(0.7)[2:]
    pieces = [piece for _, piece in said]
    gaps = [b - a for (a, _), (b, _) in pairwise(said)]

    assert pieces == ["swapp", "er is", " load", "ing m", "odel:", " slow", "\n"]
    assert [round(gap, 3) for gap in gaps] == [0.067] * 5 + [0]


def test_the_pause_is_that_of_the_bytes_and_not_of_the_characters() -> None:
    model = ModelId("ü" * 9)
    teller = Narration(model, 0.0, random.Random(1), is_typed=True)  # noqa: S311 - repeatable
    said = listen(teller, 0.7, lambda _: 0, 0.0)
    at = {piece: when for when, piece in said}

    assert round(at["üüüüü"] - at[" üüüü"], 3) == round(9 / 75, 3)


def test_a_tick_is_a_dot_unless_there_is_more_to_say() -> None:
    said = narrate(30, is_typed=False)[4:]

    assert said[0] == (0.75, "\n")  # the first tick is a remark
    assert said[1][1] in REMARKS
    assert said[2:4] == [(0.75, " "), (1.5, ".")]
    assert {at % 0.75 for at, _ in said} == {0}
    assert {piece for _, piece in said} <= {".", " ", "\n", *REMARKS}


def test_remarks_come_after_five_to_nine_seconds_and_none_twice_in_a_round() -> None:
    said = narrate(3600, is_typed=False)
    remarks = [(at, piece) for at, piece in said if piece in REMARKS]
    gaps = {b - a for (a, _), (b, _) in pairwise(remarks)}
    first_round = [piece for _, piece in remarks[: len(REMARKS)]]

    assert gaps == {5.25, 6.0, 7.5, 8.25, 9.0}  # whole seconds, at the next tick
    assert sorted(first_round) == sorted(REMARKS)
    assert first_round == [p for _, p in remarks[len(REMARKS) : 2 * len(REMARKS)]]
    other = narrate(3600, seed=2, is_typed=False)
    assert [p for _, p in other if p in REMARKS][: len(REMARKS)] != first_round


def test_ls5_the_place_is_told_once_and_only_the_newest_one() -> None:
    def place(now: float) -> int | None:
        return 7 if now < 0.5 else 5 if now < 2 else 2 if now < 4 else 0

    said = narrate(6, place, is_typed=False)
    places = [(at, piece) for at, piece in said if "Queue" in piece]
    at = said.index((0.75, "Queue position: #5"))

    assert places == [(0.75, "Queue position: #5"), (2.25, "Queue position: #2")]
    assert [said[at - 1][1], said[at + 1][1]] == ["\n", " "]


def test_a_queue_update_puts_the_next_remark_off() -> None:
    said = narrate(30, lambda now: 1 if now < 1 else 0, is_typed=False)
    first_remark = next(at for at, piece in said if piece in REMARKS)

    assert 0.75 + 5 <= first_remark <= 0.75 + 9


def test_ticks_missed_while_typing_count_as_one() -> None:
    for seed in range(50):
        said = narrate(20, seed=seed)
        dots = [at for at, piece in said if piece == "."]

        assert len(dots) == len(set(dots))
        assert text(said).count("\n") >= 4
        assert [at for at, _ in said] == sorted(at for at, _ in said)


def test_the_place_is_asked_once_a_tick() -> None:
    asked: list[float] = []

    def place(now: float) -> int:
        asked.append(now)
        return 0

    narrate(60, place)

    assert len(asked) <= 60 / 0.75
    assert min(b - a for a, b in pairwise(asked)) > 0.3


def test_nothing_is_said_before_it_is_due() -> None:
    teller = narration(now=5.0)
    teller.tell(5.0, lambda: None)

    assert teller.tell(teller.due_s - 0.001, lambda: None) == []


def test_ls1_the_end_comes_at_once_with_the_rest_of_what_was_being_typed() -> None:
    teller = narration(now=100.0)
    begun = listen(teller, 100.8, lambda _: 0, 100.0)
    rest = teller.end(103.256, has_failed=False)
    whole = text(begun) + "".join(rest)

    assert any(remark in whole for remark in REMARKS)
    assert whole.endswith(f" \nDone! (3.26s)\n{SEPARATOR}\n \n")
    assert max(len(piece) for piece in rest) == 5
    assert teller.end(104.0, has_failed=False)[0] == "\n"  # nothing is said twice


def test_ls4_the_end_of_a_failed_load_says_so() -> None:
    rest = narration().end(1.5, has_failed=True)

    assert "Failed! (1.50s)" in "".join(rest)


def test_a_heartbeat_comes_at_once_and_every_five_seconds() -> None:
    teller = Heartbeat(SLOW, 2.0)
    said = listen(teller, 15.0, lambda now: 2 if now < 6 else 0 if now < 9 else None, 2)

    assert said == [
        (2.0, "loading slow, queue position 2"),
        (7.0, "loading slow"),
        (12.0, "loading slow"),
    ]
    assert teller.end(16.0, has_failed=True) == []


def test_there_are_remarks_enough_and_each_fits_a_line() -> None:
    assert len(set(REMARKS)) >= 20
    assert all(remark.isprintable() and len(remark) < 80 for remark in REMARKS)


def test_ls5_the_estimate_stands_behind_the_place() -> None:
    said = narrate(2, lambda _: Standing(3, 41.2), is_typed=False)

    assert (0.75, "Queue position: #3, about 42 s") in said


def test_a_long_estimate_is_told_in_minutes() -> None:
    said = listen(Heartbeat(SLOW, 0.0), 1, lambda _: Standing(2, 400.0), 0.0)

    assert said == [(0.0, "loading slow, queue position 2, about 7 min")]


def test_a_heartbeat_tells_how_long_the_load_takes() -> None:
    said = listen(Heartbeat(SLOW, 0.0), 1, lambda _: Standing(0, 12.0), 0.0)

    assert said == [(0.0, "loading slow, about 12 s")]
