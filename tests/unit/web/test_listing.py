"""The records of the model list (http-api.md 19.1, cases L*; config.md RES-14)."""

from collections.abc import Mapping
from typing import Any

import pytest

from swapper.config import CapabilitiesConfig, parse_config
from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.web.listing import model_list, render_capabilities

M1 = """
models:
  m1:
    cmd: server ${PORT}
    aliases: [alias1, " ", m1, " padded "]
    name: " M One "
    description: d1
    metadata: {foo: bar, type: mine, context_length: 7}
    capabilities: {in: [text, image], out: [text, audio], tools: true, context: 4096}
    filters: {setParamsByID: {variant: {x: 1}}}
"""
NAMES = """
includeAliasesInList: true
models:
  a: {cmd: "x ${PORT}", aliases: [al, m]}
  org/a: {cmd: "x ${PORT}"}
  org: {cmd: "x ${PORT}"}
peers: {p: {proxy: "http://h", models: [m, u, sel]}}
selectors:
  sel: {strategy: pin, targets: [a]}
  s2: {strategy: pin, targets: [al]}
profiles: {pr: {pins: {a: org, newpin: s2, off: ~, al: ~, u: a}}}
"""


def records(
    text: str,
    states: Mapping[str, ProcessState] | None = None,
    pins: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the list by id, in its order."""
    known = {ModelId(name): state for name, state in (states or {}).items()}
    rows: list[Any] = model_list(parse_config(text), known, pins or {}, 12)
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def about(row: Any) -> Any:
    return row["meta"]["llamaswap"]


def test_l1_nothing_is_configured() -> None:
    assert records("{}") == {}


def test_a_model_with_everything() -> None:
    """L3: what the server says about a model wins over its metadata."""
    assert records(M1)["m1"] == {
        "id": "m1",
        "object": "model",
        "created": 12,
        "owned_by": "swapper",
        "name": "M One",
        "description": "d1",
        "architecture": {
            "input_modalities": ["text", "image"],
            "modality": "text+image->text+audio",
            "output_modalities": ["text", "audio"],
        },
        "capabilities": {
            "audio_speech": True,
            "function_calling": True,
            "vision": True,
        },
        "supported_parameters": ["tools", "tool_choice"],
        "context_length": 4096,
        "meta": {
            "llamaswap": {
                "foo": "bar",
                "type": "model",
                "aliases": ["alias1", " ", "m1", " padded ", "variant"],
            },
            "n_ctx": 4096,
        },
        "status": {"value": "unloaded"},
    }


def test_aliases_are_listed_on_demand() -> None:
    rows = records(f"includeAliasesInList: true{M1}")

    assert list(rows) == ["alias1", "m1", "padded", "variant"]
    assert about(rows["variant"]) == {"foo": "bar", "type": "alias", "modelID": "m1"}
    assert rows["variant"]["capabilities"] == rows["m1"]["capabilities"]
    assert rows["variant"]["meta"]["n_ctx"] == 4096


def test_l2_unlisted_models_and_selectors_are_absent_with_their_aliases() -> None:
    text = """
includeAliasesInList: true
models: {hid: {cmd: "x ${PORT}", unlisted: true, aliases: [h]}}
selectors: {s: {strategy: pin, targets: [h], unlisted: true}}
"""
    assert records(
        text, pins={"hid": "h", "h": "hid", "s": "h", "free": "h"}
    ).keys() == {"free"}


def test_metadata_stays_whole_without_capabilities() -> None:
    text = """
models: {a: {cmd: "x ${PORT}", metadata: {architecture: x, context_length: 7}}}
"""
    row = records(text)["a"]

    assert about(row) == {"architecture": "x", "context_length": 7, "type": "model"}
    assert "context_length" not in row
    assert "n_ctx" not in row["meta"]


@pytest.mark.parametrize("state", list(ProcessState))
def test_l4_a_model_with_a_process_is_loaded(state: ProcessState) -> None:
    is_down = state in {ProcessState.STOPPED, ProcessState.SHUTDOWN}
    rows = records(f"includeAliasesInList: true{M1}", {"m1": state})

    assert {row["status"]["value"] for row in rows.values()} == {
        "unloaded" if is_down else "loaded"
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            CapabilitiesConfig(outputs=("audio",)),
            {"architecture": {"output_modalities": ["audio"]}},
            id="L6",
        ),
        pytest.param(
            CapabilitiesConfig(tools=True),
            {
                "capabilities": {"function_calling": True},
                "supported_parameters": ["tools", "tool_choice"],
            },
            id="L7",
        ),
        pytest.param(
            CapabilitiesConfig(inputs=("image", "audio"), outputs=("image", "text")),
            {
                "architecture": {
                    "input_modalities": ["image", "audio"],
                    "output_modalities": ["image", "text"],
                    "modality": "image+audio->image+text",
                },
                "capabilities": {
                    "vision": True,
                    "audio_transcriptions": True,
                    "image_to_image": True,
                },
            },
            id="both-ways",
        ),
        pytest.param(
            CapabilitiesConfig(inputs=("text",), outputs=("image",), reranker=True),
            {
                "architecture": {
                    "input_modalities": ["text"],
                    "output_modalities": ["image"],
                    "modality": "text->image",
                },
                "capabilities": {"image_generation": True, "reranker": True},
            },
            id="text-to-image",
        ),
        pytest.param(
            CapabilitiesConfig(context_tokens=1), {"context_length": 1}, id="context"
        ),
        pytest.param(CapabilitiesConfig(), {}, id="nothing"),
    ],
)
def test_capabilities(given: CapabilitiesConfig, expected: Any) -> None:
    assert render_capabilities(given) == expected


def test_l8_peers_offer_what_a_local_model_is_called() -> None:
    text = """
models: {shared: {cmd: "x ${PORT}"}}
peers:
  strix: {proxy: "http://h", models: [shared]}
  cuda: {proxy: "http://g", models: [shared]}
"""
    rows = records(text, {"shared": ProcessState.READY})

    assert list(rows) == ["cuda/shared", "shared", "strix/shared"]
    assert about(rows["cuda/shared"]) == {"type": "peer", "peerID": "cuda"}
    assert rows["cuda/shared"]["name"] == "cuda: shared"
    assert "description" not in rows["cuda/shared"]
    assert rows["cuda/shared"]["status"] == {"value": "unloaded"}


SELECTORS = """
models: {a: {cmd: "x ${PORT}", aliases: [al]}, b: {cmd: "x ${PORT}"}}
groups: {g: {swap: false, members: [a, b]}}
peers: {p: {proxy: "http://h", models: [m]}}
selectors:
  pin: {strategy: pin, targets: [al, b, p/m], name: " Pin ", metadata: {k: v, type: x}}
  spill: {strategy: spillover, targets: [a, b, m], settings: {spillover: 3}}
  warm: {strategy: warm, targets: [a, b]}
  far: {strategy: pin, targets: [m, a]}
"""


def test_selectors_say_what_they_are() -> None:
    rows = records(SELECTORS)

    assert rows["pin"]["name"] == "Pin"
    assert about(rows["pin"]) == {
        "k": "v",
        "type": "selector",
        "strategy": "pin",
        "targets": ["al", "b", "p/m"],
    }
    assert about(rows["spill"]) == {
        "type": "selector",
        "strategy": "spillover",
        "targets": ["a", "b", "m"],
        "spillover": 3,
    }


@pytest.mark.parametrize(
    ("states", "loaded"),
    [
        ({"a": ProcessState.READY}, {"pin", "spill", "warm"}),
        ({"b": ProcessState.STARTING}, {"spill", "warm"}),
        ({"a": ProcessState.STOPPING}, set()),
        ({}, set()),
    ],
)
def test_a_selector_is_loaded_if_a_target_is(
    states: dict[str, ProcessState], loaded: set[str]
) -> None:
    rows = records(SELECTORS, states)

    assert {
        name
        for name in ("pin", "spill", "warm", "far")
        if rows[name]["status"]["value"] == "loaded"
    } == loaded


def test_res_14_all_names_of_the_list() -> None:
    pins = parse_config(NAMES).profiles["pr"].pins
    names = ["a", "al", "m", "org", "org/a", "p/m", "p/sel", "p/u", "s2", "sel"]

    assert list(records(NAMES)) == names
    rows = records(NAMES, pins=pins)
    assert list(rows) == sorted([*names, "newpin"])
    assert about(rows["newpin"]) == {"type": "profile"}
    assert rows["newpin"]["status"] == {"value": "unloaded"}
    assert about(rows["a"])["type"] == "model"


def test_the_order_is_that_of_the_bytes() -> None:
    names = ["é", "a", "Z", "_"]
    rows = "".join(f'  "{name}": {{cmd: "x ${{PORT}}"}}\n' for name in names)

    assert list(records(f"models:\n{rows}")) == ["Z", "_", "a", "é"]
