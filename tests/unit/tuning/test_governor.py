import pytest

from swapper.sync.affinity import AFFINITY
from swapper.tuning.governor import Decider, Usage, parse_cpu_affinity

BUSY, CALM = 0.9, 0.1


class Machine:
    """Two CPUs; passes time in quarters of a second."""

    def __init__(self) -> None:
        self.decider = Decider()
        self._usage = Usage(100.0, 0.0, {0: 50.0, 1: 70.0}, 8)

    def use(self, own: float, *busy: float, in_flight: int = 8) -> int | None:
        """Return the decision after so many cores were used: by us, on each CPU."""
        before = self._usage
        self._usage = Usage(
            before.at_s + 0.25,
            before.own_s + own / 4,
            {cpu: before.busy_s[cpu] + share / 4 for cpu, share in enumerate(busy)},
            in_flight,
        )
        return self.decider.decide(before, self._usage)


def test_a_busy_swapper_goes_to_the_cpu_that_is_used_least() -> None:
    machine = Machine()

    assert machine.use(CALM, 0.1, 0.1) is None
    assert machine.use(BUSY, 0.8, 0.5) == 1


def test_a_calm_one_gets_all_of_them_back_after_a_second() -> None:
    machine = Machine()
    machine.use(BUSY, 0.8, 0.5)

    assert [machine.use(CALM, 0.0, 0.1) for _ in range(6)] == [1] * 4 + [None] * 2


def test_few_requests_need_no_cpu_of_their_own_however_busy_they_are() -> None:
    machine = Machine()

    assert machine.use(BUSY, 0.8, 0.5, in_flight=2) is None
    assert machine.use(BUSY, 0.8, 0.5, in_flight=3) == 1
    decisions = [machine.use(BUSY, 0.1, 0.9, in_flight=2) for _ in range(6)]
    assert decisions == [1] * 4 + [None] * 2


def test_a_short_pause_does_not_count() -> None:
    machine = Machine()
    machine.use(BUSY, 0.8, 0.5)
    for _ in range(4):
        assert machine.use(CALM, 0.0, 0.1) == 1
        assert machine.use(BUSY, 0.0, 0.9) == 1


def test_somebody_elses_need_ends_it_and_keeps_it_from_coming_back_at_once() -> None:
    machine = Machine()
    machine.use(BUSY, 0.8, 0.5)

    assert [machine.use(0.5, 0.0, 1.0) for _ in range(5)] == [1] * 4 + [None]
    decisions = [machine.use(BUSY, 0.8, 0.5) for _ in range(50)]
    assert decisions[:39] == [None] * 39
    assert decisions[-1] == 1


def test_who_uses_the_cpu_of_a_calm_one_does_not_keep_it_from_coming_back() -> None:
    machine = Machine()
    machine.use(BUSY, 0.8, 0.5)

    assert [machine.use(0.0, 0.9, 0.9, in_flight=0) for _ in range(5)][-1] is None
    assert machine.use(BUSY, 0.8, 0.5) == 1


def test_somebody_who_comes_by_is_not_in_the_way() -> None:
    machine = Machine()
    machine.use(BUSY, 0.8, 0.5)
    for _ in range(8):
        assert machine.use(0.5, 0.0, 1.0) == 1
        assert machine.use(BUSY, 0.0, 1.0) == 1


def test_what_swapper_uses_itself_is_nobody_elses_need() -> None:
    machine = Machine()
    machine.use(BUSY, 0.8, 0.5)

    assert machine.use(0.98, 0.2, 1.0) == 1


def test_a_list_of_cpus_is_parsed() -> None:
    first = min(AFFINITY.all_cpus)

    assert parse_cpu_affinity(str(first)) == frozenset({first})
    assert parse_cpu_affinity(f"{first}-{first}, {first}") == frozenset({first})
    assert parse_cpu_affinity("off") == AFFINITY.all_cpus
    assert parse_cpu_affinity("auto") is None


@pytest.mark.parametrize(
    "text", ["", "on", "1-", "-1", "0,", "0;1", "99999", "1-0", "٣"]
)
def test_what_names_no_cpu_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^'"):
        parse_cpu_affinity(text)
