"""Which measures and programs an invocation chooses, and what is sent."""

import argparse
import json
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path

import pytest

from benchmarks import wire
from benchmarks.__main__ import contenders_of, main, parse, peer
from benchmarks.build import Tools
from benchmarks.catalog import CATALOG, choose
from benchmarks.programs import Kind, configuration
from swapper.config import parse_config

COMPLETE = Tools(Path("load"), Path("upstream"), Path("reverse_proxy"))
NO_GO = Tools(Path("load"), Path("upstream"), None)
PEER = "old=env A=b python -m swapper --config {config} --listen {listen}"


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (["small-1"], ["small-1"]),
        (["small"], ["small-1", "small-8", "small-64"]),
        (["streams-64", "small-8"], ["small-8", "streams-64x100"]),
        (["streams-256"], ["streams-256x50", "streams-256x150"]),
        (["streams-256x50"], ["streams-256x50"]),
        ([], [measure.name for measure in CATALOG]),
    ],
    ids=str,
)
def test_measures_are_chosen_by_the_beginning_of_their_name(
    given: list[str], chosen: list[str]
) -> None:
    assert [measure.name for measure in choose(given)] == chosen


def test_unknown_measure_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["smal-1"]) == 2
    assert "no measure 'smal-1'; there are small-1, " in capsys.readouterr().err


def test_every_target_is_of_a_figure_of_its_measure() -> None:
    for measure in CATALOG:
        figures = {figure.name for figure in measure.figures}
        assert {target.figure for target in measure.targets} <= figures


def test_programs_and_their_order() -> None:
    options = parse(["--peer", PEER, "--swapper-cmd", "s {config} {listen}"])

    everybody = contenders_of(options, COMPLETE)

    assert [c.name for c in everybody] == ["direct", "go", "swapper", "old"]
    assert everybody[2].command == "s {config} {listen}"
    assert everybody[3].kind is Kind.MODELS
    assert [c.name for c in contenders_of(options, NO_GO)] == [
        *("direct", "swapper", "old"),
    ]
    options.only = ["old", "go"]
    assert [c.name for c in contenders_of(options, COMPLETE)] == ["go", "old"]
    with pytest.raises(ValueError, match="no program 'go'"):
        contenders_of(options, NO_GO)


def test_two_programs_with_one_name_are_refused() -> None:
    options = parse(["--peer", PEER.replace("old", "swapper")])

    with pytest.raises(ValueError, match="one name"):
        contenders_of(options, COMPLETE)


@pytest.mark.parametrize("text", ["a", "a=b", "=b {config} {listen}", "a=b {config}"])
def test_peer_without_name_or_places_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not NAME=COMMAND"):
        peer(text)


def test_configuration_is_accepted_without_a_complaint() -> None:
    config = parse_config(configuration(Path("/a folder/upstream"), 5800), environ={})

    assert config.api_keys == (wire.API_KEY,)
    assert list(config.models) == [wire.MODEL]


@pytest.mark.parametrize(
    ("request_bytes", "body_bytes"),
    [
        (wire.chat(), 200),
        (wire.chat("stream 10"), 200),
        (wire.chat_with_image(40_000), 40_000),
        (wire.transcription(30_000), 30_000),
        (wire.speech(5), 20),
    ],
    ids=["chat", "stream", "image", "transcription", "speech"],
)
def test_request_has_the_length_it_says_and_names_the_model(
    request_bytes: bytes, body_bytes: int
) -> None:
    line, _, rest = request_bytes.partition(b"\r\n")
    head, _, body = rest.partition(b"\r\n\r\n")
    headers = message_from_bytes(head + b"\r\n\r\n", policy=HTTP)

    assert line.startswith(b"POST /v1/")
    assert int(headers["Content-Length"]) == len(body) >= body_bytes
    assert headers["Authorization"] == f"Bearer {wire.API_KEY}"
    if headers.get_content_type() == "application/json":
        assert json.loads(body)["model"] == wire.MODEL
    else:
        form = message_from_bytes(rest, policy=HTTP)
        names = [
            part.get_param("name", header="Content-Disposition")
            for part in form.iter_parts()
        ]
        assert names == ["model", "file"]
