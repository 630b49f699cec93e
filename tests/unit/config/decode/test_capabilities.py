"""config.md section 11: what a model can do."""

from collections.abc import Callable

import pytest

from swapper.config import CapabilitiesConfig, Config, parse_config
from swapper.core.ids import ModelId

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

A = ModelId("a")


@pytest.mark.parametrize(
    ("capabilities", "path"),
    [("in: [text, video]", "in[1]"), ("out: [Text]", "out[0]")],
)
def test_cap_1_unknown_modality_is_refused(
    errors: Errors, capabilities: str, path: str
) -> None:
    [message] = errors(a=f"capabilities: {{{capabilities}}}")

    assert f"models.a.capabilities.{path}" in message


@pytest.mark.parametrize("context", ["-1", "4k"])
def test_cap_2_context_is_a_whole_number_not_below_0(
    errors: Errors, context: str
) -> None:
    [message] = errors(a=f"capabilities: {{context: {context}}}")

    assert "models.a.capabilities.context" in message


def test_cap_3_nothing_but_defaults_is_as_absent(load: Load) -> None:
    config = load(a="capabilities: {in: [], tools: false}")

    assert config.models[A].capabilities == CapabilitiesConfig()


def test_cap_4_a_modality_may_stand_twice(load: Load) -> None:
    config = load(a="capabilities: {in: [text, text]}")

    assert config.models[A].capabilities.inputs == ("text", "text")


def test_cap_5_and_mac_8_macros_keep_their_type(load: Load) -> None:
    config = load(
        "macros: {c: 8192, t: true}", a='capabilities: {context: "${c}", tools: "${t}"}'
    )

    assert config.models[A].capabilities == CapabilitiesConfig(
        tools=True, context_tokens=8192
    )


def test_cap_6_models_that_share_an_anchor_have_their_own_macros() -> None:
    config = parse_config(
        """
shared: &shared {in: [text]}
models:
  a:
    cmd: x ${PORT}
    macros: {c: 1}
    capabilities: {<<: *shared, context: "${c}"}
  b:
    cmd: x ${PORT}
    macros: {c: 2}
    capabilities: {<<: *shared, context: "${c}"}
""",
        environ={},
    )

    found = [model.capabilities for model in config.models.values()]
    assert [c.context_tokens for c in found] == [1, 2]
    assert {c.inputs for c in found} == {("text",)}
