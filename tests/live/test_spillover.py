"""Spillover selectors over real sockets (http-api.md section 10)."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes.model_server import FakeModel, Response, fake_release, fake_state
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.live

EMBED = "/v1/embeddings"
NAMES = """\
groups: {g: {swap: false, members: [a, b, c]}}
peers:
  p1: {proxy: "P1", models: [pm]}
  p2: {proxy: "P2", models: [pm]}
selectors:
  local: {strategy: spillover, targets: [a, b, c], settings: {spillover: 1}}
  only-c: {strategy: spillover, targets: [c]}
  mixed: {strategy: spillover, targets: [a, b, p2/pm], settings: {spillover: 1}}
  far: {strategy: spillover, targets: [p1/pm, p2/pm], settings: {spillover: 1}}
"""


class Fixture(NamedTuple):
    program: SwapperProgram
    p1: FakeModel
    p2: FakeModel


@pytest.fixture(scope="module")
def spill(tmp_path_factory: pytest.TempPathFactory, server: str) -> Iterator[Fixture]:
    with ExitStack() as stack:
        p1, p2 = (stack.enter_context(FakeModel(name=name)) for name in ("p1", "p2"))
        names = NAMES.replace("P1", p1.url).replace("P2", p2.url)
        config = config_text({"a": "", "b": "", "c": "--term-delay 5"}, names)
        folder: Path = tmp_path_factory.mktemp("spillover")
        program = SwapperProgram(folder, config, server=server)
        yield Fixture(stack.enter_context(program), p1, p2)


def test_s5_ready_targets_get_one_each(spill: Fixture) -> None:
    program = spill.program
    for model in "abc":
        assert program.chat(model).status == 200
    urls = [program.upstream_url(model) for model in "abc"]
    with ThreadPoolExecutor(3) as pool:
        target = f"{EMBED}?hold=s5"
        held = [pool.submit(program.call, target, {"model": "local"}) for _ in urls]
        for url in urls:
            fake_state(url, min_held=1)
        for url in urls:
            fake_release(url, "s5")
        answers = [one.result() for one in held]

    assert {answer.status for answer in answers} == {200}
    assert {answer.header("X-Fake-Model") for answer in answers} == {"a", "b", "c"}


def test_s6_a_target_that_stops_is_not_taken(spill: Fixture) -> None:
    program = spill.program
    program.chat("c")
    with ThreadPoolExecutor(1) as pool:
        unloading = pool.submit(program.call, "/api/models/unload/c", b"")
        wait_until(lambda: program.running().get("c") == "stopping")
        answer = program.call(EMBED, {"model": "only-c"})
        assert unloading.result().status == 200

    assert answer.status == 503
    message = answer.json()["error"]["message"]
    assert message == 'selector "only-c" has no available spillover targets'


def test_s7_peers_are_used_one_after_the_other(spill: Fixture) -> None:
    with ThreadPoolExecutor(2) as pool:
        held = []
        for peer in (spill.p1, spill.p2):
            target = f"{EMBED}?hold=s7"
            held.append(pool.submit(spill.program.call, target, {"model": "far"}))
            peer.state(min_held=1)
        for peer in (spill.p1, spill.p2):
            peer.release("s7")

        names = [one.result().header("X-Fake-Model") for one in held]
    assert names == ["p1", "p2"]


def test_ee6_a_full_target_gives_way_to_the_next_then_all_share(spill: Fixture) -> None:
    program = spill.program
    for model in "ab":
        assert program.chat(model).status == 200
    urls = [*(program.upstream_url(model) for model in "ab"), spill.p2.url]
    with ThreadPoolExecutor(5) as pool:

        def ask() -> Future[Response]:
            return pool.submit(program.call, f"{EMBED}?hold=ee6", {"model": "mixed"})

        def held_by_each() -> list[int]:
            return [fake_state(url)["held"] for url in urls]

        held = []
        for url in urls:
            held.append(ask())
            fake_state(url, min_held=1)
        held += [ask(), ask()]
        wait_until(lambda: sum(held_by_each()) == 5)
        counts = held_by_each()
        for url, count in zip(urls, counts, strict=True):
            fake_release(url, "ee6", count)
        answers = [one.result() for one in held]

    assert [answer.status for answer in answers] == [200] * 5
    names = [answer.header("X-Fake-Model") for answer in answers]
    assert names[:3] == ["a", "b", "p2"]
