"""Choosing among a selector's targets (http-api.md section 10, cases S*)."""

import pytest

from swapper.config import Config, PeerModel, SelectorConfig, Strategy, parse_config
from swapper.core.errors import UnavailableError
from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.web.model_name import ModelRequest
from swapper.web.request import Request
from swapper.web.selectors import (
    Selectors,
    SpilloverCounts,
    Target,
    TargetFacts,
    spill,
    warmest,
)
from tests.fakes.requests import make_request

STOPPED, STARTING, READY = (
    ProcessState.STOPPED,
    ProcessState.STARTING,
    ProcessState.READY,
)
STOPPING, SHUTDOWN = ProcessState.STOPPING, ProcessState.SHUTDOWN

A, B, C = ModelId("a"), ModelId("b"), ModelId("c")


def selector(spillover: int, name: str = "s") -> SelectorConfig:
    return SelectorConfig(
        id=name,
        strategy=Strategy.SPILLOVER,
        targets=("a", "b", "c"),
        spillover=spillover,
    )


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        ((STOPPED, STARTING, READY), 2),
        ((STOPPED, READY, READY), 1),
        ((STARTING, STARTING, STOPPED), 0),
        ((STOPPED, STARTING, STOPPING), 1),
        ((STOPPED, STOPPED, STOPPED), 0),
        ((STOPPING, STOPPED, SHUTDOWN), 0),
    ],
)
def test_s3_warm_takes_what_is_up(
    states: tuple[ProcessState, ...], chosen: int
) -> None:
    assert warmest(states) == chosen


@pytest.mark.parametrize(
    ("facts", "turn", "expected"),
    [
        pytest.param([(STOPPED, 0), (STOPPED, 0)], 0, (0, False), id="none-active"),
        pytest.param([(STOPPING, 0), (STOPPED, 0)], 0, (1, False), id="skip-stopping"),
        pytest.param([(STOPPING, 3), (SHUTDOWN, 0)], 0, None, id="S6"),
        pytest.param([(READY, 1), (STARTING, 0)], 5, (1, True), id="fewest"),
        pytest.param([(READY, 2), (STOPPED, 0)], 0, (1, False), id="full-start-cold"),
        pytest.param([(READY, 3), (READY, 2)], 0, (1, True), id="full-no-cold"),
        pytest.param([(READY, 1), (STOPPED, 0)], 0, (0, True), id="not-full"),
        pytest.param([(STOPPED, 1), (READY, 1)], 1, (1, True), id="counted-is-active"),
        pytest.param([(None, 0), (None, 0)], 0, (0, False), id="cold-peers"),
        pytest.param([(None, 1), (None, 0)], 0, (0, True), id="active-peer-not-full"),
        pytest.param([(None, 2), (None, 0)], 0, (1, False), id="active-peer-full"),
        pytest.param([(READY, 0)] * 3, 7, (1, True), id="turn"),
    ],
)
def test_spillover_rules(
    facts: list[tuple[ProcessState | None, int]],
    turn: int,
    expected: tuple[int, bool] | None,
) -> None:
    targets = [TargetFacts(state, count) for state, count in facts]

    assert spill(targets, 2, turn) == expected


def take(
    counts: SpilloverCounts,
    config: SelectorConfig,
    *targets: tuple[Target, ProcessState | None],
) -> Target | None:
    index = counts.take(config, targets)
    return None if index is None else targets[index][0]


def test_s4_a_target_is_filled_before_the_next_one_starts() -> None:
    counts = SpilloverCounts()
    cold = [(model, STOPPED) for model in (A, B, C)]

    assert [take(counts, selector(2), *cold) for _ in range(7)] == [
        *(A, A, B, B, C, C),
        A,  # all are full: the least busy, by turn
    ]


def test_s5_ready_targets_get_one_each() -> None:
    counts = SpilloverCounts()
    ready = [(model, READY) for model in (A, B, C)]

    assert {take(counts, selector(1), *ready) for _ in range(3)} == {A, B, C}


def test_s5_idle_targets_take_turns() -> None:
    counts = SpilloverCounts()
    ready = [(model, READY) for model in (A, B)]
    chosen = []
    for _ in range(4):
        target = take(counts, selector(1), *ready)
        assert target is not None
        counts.release(selector(1), target)
        chosen.append(target)

    assert chosen == [A, B, A, B]


def test_s6_nothing_can_be_taken() -> None:
    counts = SpilloverCounts()

    assert take(counts, selector(1), (A, STOPPING), (B, SHUTDOWN)) is None


def test_s7_peers_are_used_one_after_the_other() -> None:
    counts = SpilloverCounts()
    first, second = PeerModel("p", "m"), PeerModel("q", "m")
    peers = [(first, None), (second, None)]

    assert [take(counts, selector(1), *peers) for _ in range(2)] == [first, second]


def test_what_has_ended_does_not_count() -> None:
    counts = SpilloverCounts()
    cold = [(model, STOPPED) for model in (A, B)]
    assert take(counts, selector(1), *cold) == A
    counts.release(selector(1), A)

    assert take(counts, selector(1), *cold) == A


def test_selectors_count_apart() -> None:
    counts = SpilloverCounts()
    cold = [(model, STOPPED) for model in (A, B)]

    assert take(counts, selector(1, "s"), *cold) == A
    assert take(counts, selector(1, "t"), *cold) == A


CONFIG = parse_config("""
models:
  a: {cmd: "x ${PORT}", aliases: [al]}
  b: {cmd: "x ${PORT}", compat: {ignoreWebsockets: true}}
groups: {g: {swap: false, members: [a, b]}}
peers: {p: {proxy: "http://h", models: [m]}}
selectors:
  pin: {strategy: pin, targets: [al, p/m]}
  warm: {strategy: warm, targets: [a, b]}
  spill: {strategy: spillover, targets: [al, b]}
  far: {strategy: spillover, targets: [p/m, b], settings: {spillover: 5}}
""")
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


class Requests:
    """Makes requests for selectors, each in turn, and ends them on demand."""

    def __init__(
        self, states: dict[ModelId, ProcessState], config: Config = CONFIG
    ) -> None:
        self._selectors = Selectors(config, lambda: states, SpilloverCounts())
        self.last: Request

    def ask(self, name: str, headers: dict[str, str] | None = None) -> str:
        """Return the name that takes the place of *name*."""
        self.last = make_request("GET", "/props", headers=headers)
        wanted = ModelRequest(name)
        self._selectors.apply(self.last, wanted)
        return wanted.name

    def end(self) -> None:
        """Let the last request's response end."""
        for close in self.last.closers:
            close()


def test_s1_pin_takes_the_first_as_it_is_spelled() -> None:
    requests = Requests({A: STOPPING})

    assert requests.ask("pin") == "al"
    assert requests.last.metadata == {"selector": "pin"}


def test_other_names_stay() -> None:
    requests = Requests({})

    assert requests.ask("a") == "a"
    assert requests.last.metadata == {}


def test_s3_warm_looks_at_the_states() -> None:
    assert Requests({A: STOPPED, B: STARTING}).ask("warm") == "b"
    assert Requests({}).ask("warm") == "a"


def test_a_request_counts_until_its_response_has_ended() -> None:
    requests = Requests({A: STOPPED, B: STOPPED})

    assert requests.ask("spill") == "al"
    requests.end()
    assert [requests.ask("spill") for _ in range(2)] == ["al", "b"]


def test_a_websocket_that_bypasses_scheduling_does_not_count() -> None:
    requests = Requests({A: STOPPING, B: READY})
    for _ in range(2):
        assert requests.ask("spill", UPGRADE) == "b"
        assert requests.last.closers == []
    assert requests.ask("spill") == "b"
    assert len(requests.last.closers) == 1


def test_a_websocket_of_another_model_or_a_peer_counts() -> None:
    requests = Requests({A: READY, B: STOPPING})
    for name in ("spill", "far"):
        requests.ask(name, UPGRADE)
        assert len(requests.last.closers) == 1


def test_s6_there_is_no_target_left() -> None:
    message = '^selector "spill" has no available spillover targets$'
    with pytest.raises(UnavailableError, match=message) as error:
        Requests({A: STOPPING, B: SHUTDOWN}).ask("spill")

    assert error.value.status == 503


def test_a_selector_made_without_targets() -> None:
    empty = SelectorConfig(id="s", strategy=Strategy.PIN, targets=())
    with pytest.raises(UnavailableError, match="selector has no targets"):
        Requests({}, Config(selectors={"s": empty})).ask("s")
