"""The active profile and its pins (http-api.md section 9, cases PR*)."""

import logging

import pytest

from swapper.config import Config, parse_config
from swapper.core.errors import BadRequestError, NotFoundError
from swapper.web.model_name import ModelRequest
from swapper.web.profiles import ActiveProfile, apply_pin
from swapper.web.routes.profiles import profile_name

PINS = {"public": "alias1", "blocked": "", "m1": "prio", "a": "b", "b": "c"}


def config_with(*profiles: str) -> Config:
    pins = "".join(f"  {name}: {{pins: {{{name}-pin: m1}}}}\n" for name in profiles)
    head = "models: {m1: {cmd: 'server ${PORT}'}}\n"
    return parse_config(f"{head}profiles:\n{pins}" if pins else head)


@pytest.fixture
def active() -> ActiveProfile:
    made = ActiveProfile()
    made.keep_if_in(config_with("p", "q"))
    return made


def test_none_is_active_at_start(active: ActiveProfile) -> None:
    assert active.id is None
    assert active.pins(config_with("p", "q")) == {}


def test_a_selected_profile_has_its_pins_in_effect(active: ActiveProfile) -> None:
    active.select("p")

    assert active.id == "p"
    assert active.pins(config_with("p", "q")) == {"p-pin": "m1"}


@pytest.mark.parametrize("nothing", [None, ""])
def test_none_can_be_selected(active: ActiveProfile, nothing: str | None) -> None:
    active.select("p")
    active.select(nothing)

    assert active.id is None


def test_an_unknown_profile_leaves_the_choice(active: ActiveProfile) -> None:
    active.select("p")
    with pytest.raises(NotFoundError, match=r'^profile "no\\"pe" not found$'):
        active.select('no"pe')

    assert active.id == "p"


def test_only_changes_are_logged(
    active: ActiveProfile, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for choice in ("p", "p", None, ""):
        active.select(choice)

    assert caplog.messages == [
        "profile selected profile=p",
        "profile selected profile=(none)",
    ]


def test_the_choice_outlives_a_reload_if_the_profile_does(
    active: ActiveProfile,
) -> None:
    active.select("p")
    active.keep_if_in(config_with("p", "r"))

    assert active.id == "p"


def test_the_choice_ends_with_its_profile(active: ActiveProfile) -> None:
    active.select("q")
    active.keep_if_in(config_with("p"))

    assert active.id is None
    with pytest.raises(NotFoundError):
        active.select("q")


def test_a_request_of_an_older_configuration_sees_its_own_pins(
    active: ActiveProfile,
) -> None:
    active.keep_if_in(config_with("p", "r"))
    active.select("r")

    assert active.pins(config_with("p", "q")) == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("public", "alias1", id="PR1"),
        pytest.param("m1", "prio", id="PR3"),
        pytest.param("alias1", "alias1", id="PR4"),
        pytest.param("a", "b", id="once-only"),
    ],
)
def test_pins_rename_once(name: str, expected: str) -> None:
    wanted = ModelRequest(name)
    apply_pin(wanted, PINS)

    assert wanted.name == expected


def test_pr2_a_disabled_name_is_no_name() -> None:
    with pytest.raises(NotFoundError, match="no model id could be identified"):
        apply_pin(ModelRequest("blocked"), PINS)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"name":"coding"}', "coding"),
        (b' \r\n{"x":1,"name":"a"} trailing', "a"),
        (b'{"name":null}', None),
        (b'{"name":""}', ""),
    ],
)
def test_the_body_of_a_choice(raw: bytes, expected: str | None) -> None:
    assert profile_name(raw) == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"name":5}', "profile name must be a string or null"),
        (b'{"name":["a"]}', "profile name must be a string or null"),
        (b"{}", "profile name is required"),
        (b'{"Name":"a"}', "profile name is required"),
        (b"[]", "invalid profile request"),
        (b"xx", "invalid profile request"),
        (b"", "invalid profile request"),
        (b"null", "invalid profile request"),
        (b'{"name":"a"', "invalid profile request"),
        (b'{"name":' + b"9" * 5000 + b"}", "invalid profile request"),
        (b"[" * 100_000, "invalid profile request"),
    ],
    ids=lambda value: value[:20].decode() if isinstance(value, bytes) else "",
)
def test_a_choice_that_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(BadRequestError, match=f"^{message}$"):
        profile_name(raw)
