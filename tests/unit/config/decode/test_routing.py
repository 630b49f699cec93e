"""config.md sections 12 to 14: router choice, groups, scheduler."""

from collections.abc import Callable
from importlib import metadata

import pytest

from swapper.config import Config, GroupConfig
from swapper.core.ids import ModelId
from swapper.scheduler.registry import BUILT_IN

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

A = ModelId("a")
B = ModelId("b")


def test_rt_1_without_groups_all_models_are_in_the_default_one(load: Load) -> None:
    assert load().groups == {"(default)": GroupConfig(id="(default)", members=(A, B))}


@pytest.mark.parametrize(
    "groups",
    [
        "groups: {g: {swap: no, exclusive: false, persistent: true, members: [a]}}",
        "routing: {router: {use: group, settings: {groups: {g: {swap: no,"
        " exclusive: false, persistent: true, members: [a]}}}}}",
        "routing: {router: {settings: {groups: {g: {swap: no, exclusive: false,"
        " persistent: true, members: [a]}}}}}",
    ],
    ids=["top level", "routing with use", "routing without use"],
)
def test_groups_are_read_from_both_places(load: Load, groups: str) -> None:
    config = load(groups)

    assert config.groups == {
        "g": GroupConfig(
            id="g", swap=False, exclusive=False, persistent=True, members=(A,)
        ),
        "(default)": GroupConfig(id="(default)", members=(B,)),
    }
    assert not config.warnings


@pytest.mark.parametrize(
    "groups",
    [
        "groups: {g: {members: [a, a]}}",
        "groups: {g: {members: [a]}, h: {members: [a]}}",
    ],
)
def test_grp_6_member_of_two_groups_is_refused(errors: Errors, groups: str) -> None:
    [message] = errors(groups)

    assert "a is already in group g" in message


def test_grp_6_member_by_id_and_by_alias_is_refused(errors: Errors) -> None:
    [message] = errors("groups: {g: {members: [a, al]}}", a="aliases: [al]")

    assert "groups.g.members[1]: al is already in group g" in message


def test_grp_7_and_q7_unknown_member_is_refused(errors: Errors) -> None:
    [message] = errors("groups: {g: {members: [zz]}}")

    assert "groups.g.members[0]: zz is neither a model nor an alias" in message


def test_q7_alias_as_member_is_its_model(load: Load) -> None:
    config = load("groups: {g: {members: [al]}}", a="aliases: [al]")

    assert config.groups["g"].members == (A,)
    assert config.groups["(default)"].members == (B,)


def test_grp_8_default_group_has_the_rest(load: Load) -> None:
    config = load("groups: {g: {members: [a]}}")

    assert config.groups["(default)"].members == (B,)


def test_grp_9_group_without_members(load: Load) -> None:
    config = load("groups: {g: {swap: no}}")

    assert config.groups["g"] == GroupConfig(id="g", swap=False)
    assert config.groups["(default)"].members == (A, B)


@pytest.mark.parametrize(
    "groups", ["[a]", "a", "false", "[]", "{g: [a]}", "{g: {members: a}}"]
)
def test_grp_10_malformed_groups_are_refused(errors: Errors, groups: str) -> None:
    assert "groups" in errors(f"groups: {groups}")[0]


def test_q6_group_named_like_the_default_one_is_refused(errors: Errors) -> None:
    [message] = errors('groups: {"(default)": {members: [a]}}')

    assert "groups.(default)" in message


def test_q10_null_group_has_the_defaults(load: Load) -> None:
    assert load("groups: {g: }").groups["g"] == GroupConfig(id="g")


def test_pipe_11_unknown_key_of_a_group_is_warned_about(load: Load) -> None:
    [warning] = load("groups: {g: {members: [a], preload: [a]}}").warnings

    assert "groups.g.preload: `preload` is not a setting of groups.g" in str(warning)


@pytest.mark.parametrize(
    "routing",
    [
        "routing: {router: {use: group}}",
        "routing: {router: {settings: {groups: {h: {members: [b]}}}}}",
    ],
)
def test_rt_4_groups_in_both_places_are_refused(errors: Errors, routing: str) -> None:
    [message] = errors(f"groups: {{g: {{members: [a]}}}}\n{routing}")

    assert "groups: conflicts with routing.router" in message


def test_rt_5_scheduler_does_not_conflict_with_groups(load: Load) -> None:
    load("groups: {g: {members: [a]}}\nrouting: {scheduler: {use: fifo}}")


@pytest.mark.parametrize("use", ["Group", "other", "GROUP", "group "])
def test_rt_7_unknown_router_is_refused(errors: Errors, use: str) -> None:
    [message] = errors(f'routing: {{router: {{use: "{use}"}}}}')

    assert (
        f'routing.router.use: must be group, matrix or budget, not "{use.strip()}"'
        in message
    )


def test_rt_7_router_of_another_package_is_known(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = metadata.EntryPoint("mine", "my_package:make", "swapper.planners")

    def entry_points(group: str, name: str) -> tuple[metadata.EntryPoint, ...]:
        return (registered,) if (group, name) == (registered.group, "mine") else ()

    monkeypatch.setattr(metadata, "entry_points", entry_points)

    config = load(
        "routing: {router: {use: mine, settings: {groups: {g: {members: [a]}}}}}"
    )

    assert config.router == "mine"
    assert config.groups["g"].members == (A,)


@pytest.mark.parametrize("use", ["lifo", "FIFO", "Fifo"])
def test_sch_1_unknown_scheduler_is_refused(errors: Errors, use: str) -> None:
    [message] = errors(f"routing: {{scheduler: {{use: {use}}}}}")

    assert f'scheduler.use: must be fifo or adaptive, not "{use}"' in message


def test_sch_1_scheduler_of_another_package_is_known(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = metadata.EntryPoint("mine", "my_package:make", "swapper.schedulers")

    def entry_points(group: str, name: str) -> tuple[metadata.EntryPoint, ...]:
        return (registered,) if (group, name) == (registered.group, "mine") else ()

    monkeypatch.setattr(metadata, "entry_points", entry_points)

    assert load("routing: {scheduler: {use: mine}}").scheduler == "mine"


@pytest.mark.parametrize("use", ["fifo", '""', "~"])
def test_sch_1_scheduler_is_fifo(load: Load, use: str) -> None:
    assert load(f"routing: {{scheduler: {{use: {use}}}}}").scheduler == "fifo"


def test_adaptive_scheduler_has_settings_of_its_own(load: Load) -> None:
    own = "adaptive: {priority: {a: 3}, maxWait: 20}"
    config = load(f"routing: {{scheduler: {{use: adaptive, settings: {{{own}}}}}}}")

    assert config.scheduler == "adaptive"
    assert (config.priority, config.max_wait_s) == ({A: 3}, 20)
    assert not config.warnings


@pytest.mark.parametrize(("use", "other"), [("adaptive", "fifo"), ("fifo", "adaptive")])
def test_settings_of_a_scheduler_not_in_use_are_told_of(
    load: Load, use: str, other: str
) -> None:
    given = f"use: {use}, settings: {{{other}: {{maxWait: 20}}}}"
    config = load(f"routing: {{scheduler: {{{given}}}}}")

    assert config.max_wait_s == 60
    [warning] = config.warnings
    assert f"has no effect unless routing.scheduler.use is {other}" in str(warning)


def test_adaptive_scheduler_always_has_a_longest_wait(errors: Errors) -> None:
    """Without one, an agent could keep its model for ever."""
    given = "use: adaptive, settings: {adaptive: {maxWait: 0}}"
    [message] = errors(f"routing: {{scheduler: {{{given}}}}}")

    assert "routing.scheduler.settings.adaptive.maxWait: must be" in message


def test_names_of_schedulers_are_those_that_can_be_made(load: Load) -> None:
    for name in BUILT_IN:
        assert load(f"routing: {{scheduler: {{use: {name}}}}}").scheduler == name


def priority(text: str) -> str:
    return f"routing: {{scheduler: {{settings: {{fifo: {{priority: {text}}}}}}}}}"


def test_sch_2_priorities_may_be_negative(load: Load) -> None:
    config = load(priority("{a: 5, b: -1}"))

    assert config.priority == {A: 5, B: -1}
    assert not config.warnings


def test_sch_2_and_q11_priority_of_an_alias_is_that_of_its_model(
    load: Load, errors: Errors
) -> None:
    assert load(priority("{al: 5}"), a="aliases: [al]").priority == {A: 5}
    [message] = errors(priority("{a: 5, al: 6}"), a="aliases: [al]")
    assert "priority.al: al is a, which has a priority already" in message


@pytest.mark.parametrize("value", ["high", '"5"', "[1]", "true"])
def test_sch_2_priority_must_be_a_number(errors: Errors, value: str) -> None:
    assert (
        "priority.a: must be a whole number" in errors(priority(f"{{a: {value}}}"))[0]
    )


def max_wait(text: str) -> str:
    return f"routing: {{scheduler: {{settings: {{fifo: {{maxWait: {text}}}}}}}}}"


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 5), ("0", 0), ("~", 60), ("2.9", 2)]
)
def test_r4_max_wait_is_in_seconds(load: Load, text: str, seconds: int) -> None:
    assert load(max_wait(text)).max_wait_s == seconds


def test_r4_max_wait_is_a_minute_if_not_given(load: Load) -> None:
    assert load("").max_wait_s == 60


@pytest.mark.parametrize("value", ["-1", "soon", "[1]"])
def test_r4_max_wait_must_be_a_number_of_seconds(errors: Errors, value: str) -> None:
    [message] = errors(max_wait(value))

    assert "routing.scheduler.settings.fifo.maxWait: must be" in message


def test_sch_3_priority_of_an_unknown_model_is_refused(errors: Errors) -> None:
    [message] = errors(priority("{zz: 1}"))

    assert "priority.zz: zz is neither a model nor an alias" in message


@pytest.mark.parametrize("name", ["u", "p/u", "sel"])
def test_sch_4_priority_of_what_is_not_ours_is_refused(
    errors: Errors, name: str
) -> None:
    peers = 'peers: {p: {proxy: "http://h", models: [u]}}'
    selectors = "selectors: {sel: {strategy: pin, targets: [a]}}"
    [message] = errors(f"{peers}\n{selectors}\n{priority(f'{{{name}: 1}}')}")

    assert f"{name} is neither a model nor an alias" in message
