"""The trace format, as its module describes it."""

import json
from pathlib import Path

import pytest

from swapper.core.ids import ModelId
from swapper.sim import Client, Step, TraceError, read_trace
from swapper.sim.trace import ModelTimes, parse_trace

A, B = ModelId("a"), ModelId("b")
HEAD = '{"models": {"a": {"load": 8, "stop": 2}, "b": {}}}\n'


def clients(line: str) -> list[Client]:
    return list(parse_trace(HEAD + line).clients)


def test_first_line_has_times_and_the_rest_is_configuration() -> None:
    trace = parse_trace('{"models": {"a": {"load": 8, "ttl": 5}}, "globalTTL": 9}')

    assert trace.times == {A: ModelTimes(8.0, 1.0)}
    assert trace.settings["globalTTL"] == 9
    assert trace.clients == []


def test_single_request_is_a_chain_of_one() -> None:
    assert clients('{"time": 1.5, "client": "ann", "model": "a", "duration": 2}') == [
        Client("ann", 1.5, (Step(A, 2.0),))
    ]


def test_chain_repeats_and_its_items_may_have_times_of_their_own() -> None:
    [agent] = clients(
        '{"client": "x", "chain": ["a", {"model": "b", "duration": 9, "think": 0}],'
        ' "duration": 2, "think": 0.3, "count": 2}'
    )

    assert agent.steps == [Step(A, 2.0, 0.3), Step(B, 9.0, 0.0)] * 2


def test_evenly_spaced_requests_take_models_and_clients_by_turns() -> None:
    made = clients(
        '{"time": 1, "client": "c", "clients": 2, "model": ["a", "b", "a"],'
        ' "count": 4, "every": 0.5}'
    )

    assert [(c.name, c.begins_s, c.steps[0].model) for c in made] == [
        ("c-1", 1.0, A),
        ("c-2", 1.5, B),
        ("c-1", 2.0, A),
        ("c-2", 2.5, A),
    ]


def test_random_requests_have_the_mean_asked_for_and_are_the_same_each_time() -> None:
    line = '{"client": "c", "model": ["a", "b"], "count": 4000, "every": 2, "seed": 1}'
    made = clients(line)

    assert made == clients(line)
    assert made != clients(line.replace('"seed": 1', '"seed": 2'))
    assert made[-1].begins_s == pytest.approx(8000, rel=0.05)
    assert 1800 < sum(c.steps[0].model == A for c in made) < 2200


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "trace:2: is not JSON: "),
        ("[]", "trace:2: must be a mapping"),
        ('{"client": "c"}', "trace:2: model must be a text or a list of texts"),
        ('{"model": ["a", 1]}', "trace:2: model must be a text or a list of texts"),
        ('{"model": "a"}', "trace:2: client must be a text"),
        ('{"client": "c", "model": "a", "think": 1}', "trace:2: think is not one of "),
        ('{"client": "c", "model": "a", "time": -1}', "trace:2: time must be a number"),
        ('{"client": "c", "model": "a", "time": true}', "trace:2: time must be a nu"),
        ('{"client": "c", "model": "a", "count": 1.5}', "count must be a whole number"),
        ('{"client": "c", "model": "a", "clients": 0}', "clients must be 1 or more"),
        ('{"client": "c", "chain": []}', "trace:2: chain must be a list of models"),
        ('{"client": "c", "chain": [3]}', "trace:2: item 1 of chain must be a model"),
        ('{"client": "c", "chain": [{"load": 1}]}', "chain item 1: load is not one of"),
    ],
)
def test_mistake_is_told_with_its_line(line: str, complaint: str) -> None:
    with pytest.raises(TraceError) as caught:
        parse_trace(HEAD + line)

    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        ("", "trace:1: the first line must have models"),
        ('{"client": "c", "model": "a"}', "trace:1: the first line must have models"),
        ('{"models": ["a"]}', "trace:1: models must be a mapping"),
        ('{"models": {"a": 1}}', "trace:1: models.a must be a mapping"),
        ('{"models": {"a": {"load": "x"}}}', "trace:1 models.a: load must be a number"),
    ],
)
def test_mistake_in_the_first_line_is_told(head: str, complaint: str) -> None:
    with pytest.raises(TraceError) as caught:
        parse_trace(head)

    assert str(caught.value).startswith(complaint)


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="nothing"):
        read_trace(tmp_path / "nothing.jsonl")


def test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(HEAD + json.dumps({"client": "c", "model": "b"}), encoding="utf-8")

    assert read_trace(path).clients == [Client("c", 0.0, (Step(B, 1.0),))]
