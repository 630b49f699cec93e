"""config.md 12 and 13.2: the matrix block and how it is chosen."""

from collections.abc import Callable

import pytest

from swapper.config import Config, GroupConfig, parse_config
from swapper.config.expressions import (
    AllOf,
    AnyOf,
    Insert,
    MatrixConfig,
    MatrixSet,
    One,
)
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId
from swapper.planner import make_planner

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

A = ModelId("a")
B = ModelId("b")
NEW = "routing: {router: {use: matrix, settings: {matrix: %s}}}"
PLACES = pytest.mark.parametrize("place", ["matrix: %s", NEW], ids=["old", "new"])


@PLACES
def test_matrix_is_read_from_both_places(load: Load, place: str) -> None:
    config = load(
        place % '{vars: {v: b}, evict_costs: {v: 7}, sets: {t: "+s & v", s: a | v}}'
    )

    assert config.router == "matrix"
    assert config.matrix == MatrixConfig(
        sets=(
            MatrixSet("s", AnyOf((One(A), One(B)))),
            MatrixSet("t", AllOf((Insert("s"), One(B)))),
        ),
        evict_costs={B: 7},
    )
    assert config.groups == {"(default)": GroupConfig(id="(default)", members=(A, B))}
    assert not config.warnings


def test_the_matrix_planner_is_made_of_it(load: Load) -> None:
    config = load("matrix: {sets: {s: a & b}}")

    planner = make_planner(config.router, config)

    assert planner.name == "matrix"
    assert planner.eviction_for(A, [B]) == ()


def test_rt_2_groups_beside_a_matrix_are_refused(errors: Errors) -> None:
    [message] = errors("groups: {g: {members: [a]}}\nmatrix: {sets: {s: a}}")

    assert "matrix: conflicts with groups" in message


def test_rt_3_empty_groups_beside_a_matrix_are_none(load: Load) -> None:
    assert load("groups: {}\nmatrix: {sets: {s: a}}").router == "matrix"


@pytest.mark.parametrize("settings", ["", ", settings: {matrix: }", ", settings: {}"])
def test_rt_6_matrix_router_needs_a_matrix(errors: Errors, settings: str) -> None:
    [message] = errors(f"routing: {{router: {{use: matrix{settings}}}}}")

    assert "routing.router.use: matrix needs" in message
    assert "routing.router.settings.matrix" in message


def test_rt_8_settings_of_the_other_router_are_not_looked_at(load: Load) -> None:
    config = load(
        "routing: {router: {use: matrix, settings: {matrix: {sets: {s: a}},"
        " groups: {g: {members: [nope]}}}}}"
    )

    assert config.router == "matrix"
    assert list(config.groups) == ["(default)"]


def test_rt_9_and_q9_matrix_without_use_is_not_looked_at(load: Load) -> None:
    config = load("routing: {router: {settings: {matrix: {sets: {s: nope}}}}}")

    assert config.router == "group"
    assert config.matrix == MatrixConfig()
    [warning] = config.warnings
    assert "routing.router.settings.matrix: has no effect" in str(warning)


def test_rt_10_null_matrix_is_the_group_router(load: Load) -> None:
    assert load("matrix:").router == "group"


def test_matrix_in_both_places_is_refused(errors: Errors) -> None:
    [message] = errors("matrix: {sets: {s: a}}\n" + NEW % "{sets: {s: a}}")

    assert "matrix: conflicts with routing.router" in message


@PLACES
@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{}", "matrix: must have sets, at least one"),
        ("{sets: {}}", "matrix.sets: must have at least one set"),
        ("{sets: }", "matrix.sets: must have at least one set"),
    ],
)
def test_mtx_1_one_set_at_least(
    errors: Errors, place: str, block: str, expected: str
) -> None:
    [message] = errors(place % block)

    assert expected in message


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ("{sets: [a]}", "matrix.sets: must be a mapping"),
        ("{sets: {s: [a]}}", "matrix.sets.s: must be a text"),
        ("[a]", "matrix: must be a mapping"),
        ("{vars: [a], sets: {s: a}}", "matrix.vars: must be a mapping"),
        ("{vars: {v: [a]}, sets: {s: a}}", "matrix.vars.v: must be a text"),
    ],
)
def test_mtx_2_malformed_blocks_are_refused(
    errors: Errors, block: str, path: str
) -> None:
    [message] = errors(f"matrix: {block}")

    assert path in message


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{sets: {s: al}}", "matrix.sets.s: al is neither a variable nor the id"),
        (
            "{vars: {v: al}, sets: {s: v}}",
            "matrix.vars.v: al is an alias of a; it must be the id of a model",
        ),
    ],
)
def test_mtx_3_aliases_are_refused(errors: Errors, block: str, message: str) -> None:
    [found] = errors(f"matrix: {block}", a="aliases: [al]")

    assert message in found


@pytest.mark.parametrize("name", ["v_1", "x" * 33, "é", '""', '"a b"'])
def test_mtx_4_other_names_of_variables_are_refused(errors: Errors, name: str) -> None:
    [message] = errors(f"matrix: {{vars: {{{name}: a}}, sets: {{s: a}}}}")

    assert f"matrix.vars.{name.strip(chr(34))}: a variable has 1 to 32" in message


@pytest.mark.parametrize("name", ["A.b-9", "x" * 32])
def test_mtx_4_names_of_variables(load: Load, name: str) -> None:
    config = load(f"matrix: {{vars: {{{name}: a}}, sets: {{s: {name}}}}}")

    assert config.matrix.sets[0].expression == One(A)


def test_mtx_5_variables_do_not_stand_for_variables(errors: Errors) -> None:
    [message] = errors("matrix: {vars: {v: a, w: v}, sets: {s: w}}")

    assert "matrix.vars.w: v must be the id of a model" in message


@pytest.mark.parametrize(
    ("expression", "position"), [("a @ b", 2), ("   a, b", 1)], ids=["@", ","]
)
def test_mtx_6_foreign_characters_are_located(
    errors: Errors, expression: str, position: int
) -> None:
    [message] = errors(f'matrix: {{sets: {{s: "{expression}"}}}}')

    assert "matrix.sets.s: unexpected character" in message
    assert message.endswith(f"at position {position}")


@pytest.mark.parametrize(
    "expression", ["a && b", "a &", "| a", "a b", "()", "(a", "a)", "!a", "", "  "]
)
def test_mtx_7_malformed_expressions_are_refused(
    errors: Errors, expression: str
) -> None:
    [message] = errors(f'matrix: {{sets: {{t: a, s: "{expression}"}}}}')

    assert "matrix.sets.s: " in message
    assert "at position" in message


def test_mtx_7_null_expression_is_refused(errors: Errors) -> None:
    [message] = errors("matrix: {sets: {s: }}")

    assert "matrix.sets.s: the expression is empty" in message


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ("{s: +t}", "matrix.sets.s: +t: there is no such set"),
        ("{s: +s}", "matrix.sets.s: inserts itself: s -> s"),
        ('{s: +t & a, t: "+s"}', "matrix.sets.s: inserts itself: s -> t -> s"),
        ('{t: a, s: "+ t"}', "matrix.sets.s: + must be followed by the name"),
    ],
    ids=["undefined", "itself", "circle", "blank"],
)
def test_mtx_8_faulty_insertions_are_refused(
    errors: Errors, sets: str, message: str
) -> None:
    [found] = errors(f"matrix: {{sets: {sets}}}")

    assert message in found


def test_mtx_9_a_set_may_be_defined_after_its_use(load: Load) -> None:
    config = load('matrix: {sets: {s: "+t & b", t: a}}')

    assert [matrix_set.name for matrix_set in config.matrix.sets] == ["t", "s"]


@pytest.mark.parametrize(("name", "position"), [("org/a", 3), ("a:x", 1)])
def test_mtx_10_ids_with_other_characters_need_a_variable(
    name: str, position: int
) -> None:
    models = f'models: {{"{name}": {{cmd: x, proxy: "http://h:1"}}}}\n'
    with pytest.raises(ConfigError) as caught:
        parse_config(f'{models}matrix: {{sets: {{s: "{name}"}}}}', environ={})
    config = parse_config(
        f'{models}matrix: {{vars: {{v: "{name}"}}, sets: {{s: v}}}}', environ={}
    )

    assert f"at position {position}" in str(caught.value)
    assert config.matrix.sets[0].expression == One(ModelId(name))


@pytest.mark.parametrize("name", ["a_x", "modèle"])
def test_mtx_11_other_ids_are_used_directly(name: str) -> None:
    models = f'models: {{{name}: {{cmd: x, proxy: "http://h:1"}}}}\n'
    config = parse_config(f"{models}matrix: {{sets: {{s: {name}}}}}", environ={})

    assert config.matrix.sets[0].expression == One(ModelId(name))


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ("{a: 0}", "matrix.evict_costs.a: must be at least 1, not 0"),
        ("{a: -3}", "matrix.evict_costs.a: must be at least 1, not -3"),
        ("{nope: 1}", "evict_costs.nope: nope must be a variable or the id of a model"),
        ("{al: 1}", "evict_costs.al: al is an alias of a; it must be a variable or"),
        ("{a: dear}", "matrix.evict_costs.a: must be a whole number"),
    ],
)
def test_mtx_12_faulty_costs_are_refused(
    errors: Errors, costs: str, message: str
) -> None:
    [found] = errors(
        f"matrix: {{evict_costs: {costs}, sets: {{s: a}}}}", a="aliases: [al]"
    )

    assert message in found


def test_mtx_13_costs_by_variable_and_by_id(load: Load) -> None:
    config = load("matrix: {vars: {v: a}, evict_costs: {v: 7, b: 2}, sets: {s: v}}")

    assert config.matrix.evict_costs == {A: 7, B: 2}


@pytest.mark.parametrize("costs", ["{v: 7, a: 7}", "{a: 1, v: 2}", "{v: 1, w: 1}"])
def test_q12_two_costs_of_one_model_are_refused(errors: Errors, costs: str) -> None:
    [message] = errors(
        f"matrix: {{vars: {{v: a, w: a}}, evict_costs: {costs}, sets: {{s: v}}}}"
    )

    assert "is a, which has a cost already" in message


def test_mtx_14_sets_and_models_have_names_of_their_own(load: Load) -> None:
    config = load('matrix: {sets: {a: b, t: "+a & a"}}')

    assert config.matrix.sets[1].expression == AllOf((Insert("a"), One(A)))


def test_mtx_15_an_expression_may_have_several_lines(load: Load) -> None:
    config = load("matrix:\n  sets:\n    s: |\n      a &\n        b\n")

    assert config.matrix.sets[0].expression == AllOf((One(A), One(B)))


def test_sol_20_a_variable_goes_before_a_model_of_the_same_id(load: Load) -> None:
    config = load("matrix: {vars: {a: b}, sets: {s: a}}")

    assert config.matrix.sets[0].expression == One(B)


def test_errors_tell_file_line_and_key_path() -> None:
    text = (
        "models:\n  a: {cmd: x, proxy: 'http://h:1'}\n"
        "matrix:\n  vars:\n    v: nope\n  sets:\n"
        "    s: a | w\n    t: +u\n    x: +y\n    y: +x\n"
    )
    with pytest.raises(ConfigError) as caught:
        parse_config(text, source="conf.yaml", environ={})

    problems = caught.value.problems
    assert [(p.source, p.line, p.key_path) for p in problems] == [
        ("conf.yaml", 5, "matrix.vars.v"),
        ("conf.yaml", 7, "matrix.sets.s"),
        ("conf.yaml", 8, "matrix.sets.t"),
    ]


def test_sets_that_nest_too_deeply_are_refused(errors: Errors) -> None:
    sets = ", ".join(f's{n}: "a & (b | +s{n + 1})"' for n in range(60))
    [message] = errors(f"matrix: {{sets: {{{sets}, s60: a}}}}")

    assert "matrix.sets.s9: nests more than 100 levels" in message


SELECTOR = "selectors: {s: {strategy: spillover, targets: [a, b]}}"


def test_sel_13_spillover_targets_in_one_combination(load: Load) -> None:
    load(f"matrix: {{sets: {{s: a & b}}}}\n{SELECTOR}")


def test_sel_13_spillover_targets_in_no_combination(errors: Errors) -> None:
    [message] = errors(f"matrix: {{sets: {{s: a | b}}}}\n{SELECTOR}")

    assert "selectors.s.targets: a, b must be in one combination" in message
