"""config.md section 2: merging of several sources."""

from collections.abc import Callable
from pathlib import Path

import pytest

from swapper.config import Config, load_config
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId

A = ModelId("a")
MODEL_A = "models: {a: {cmd: x, proxy: 'http://h'}}\n"
Merge = Callable[..., Config]
MergeError = Callable[..., str]


@pytest.fixture
def merge(tmp_path: Path) -> Merge:
    """Load a directory of files made of the texts, in order."""

    def load(*texts: str) -> Config:
        for number, text in enumerate(texts):
            path = tmp_path / f"{number}.yaml"
            path.write_text(text, encoding="utf-8")
        return load_config(None, tmp_path, environ={})

    return load


@pytest.fixture
def merge_error(merge: Merge) -> MergeError:
    """Load as ``merge`` and return the error text."""

    def load(*texts: str) -> str:
        with pytest.raises(ConfigError) as caught:
            merge(*texts)
        return str(caught.value)

    return load


def test_src_1_lists_are_joined_in_source_order(merge: Merge) -> None:
    assert merge("apiKeys: [k1]", "apiKeys: [k2, k1]").api_keys == ("k1", "k2", "k1")
    one = "hooks: {on_startup: {preload: [a]}}\n" + MODEL_A
    two = "hooks: {on_startup: {preload: [b, a]}}\n" + MODEL_A.replace("a:", "b:")

    assert merge(one, two).preload == ("a", "b", "a")


def test_src_2_model_in_two_files_is_refused(merge_error: MergeError) -> None:
    message = merge_error(MODEL_A, MODEL_A)

    assert "1.yaml:1: models.a: a is already defined in" in message
    assert "0.yaml:1" in message


def test_src_3_equal_values_do_not_conflict(merge: Merge) -> None:
    assert merge("globalTTL: 30", "globalTTL: 30").global_ttl_s == 30


@pytest.mark.parametrize(
    ("one", "two", "path"),
    [
        ("globalTTL: 30", "globalTTL: 31", "globalTTL"),
        ("globalTTL: 10", "globalTTL: 0xA", "globalTTL"),
        ("logLevel: 5", 'logLevel: "5"', "logLevel"),
        ("globalTTL: ~", "globalTTL: 5", "globalTTL"),
        ("apiKeys: [a]", "apiKeys: a", "apiKeys"),
        ("macros: {A: 1}", "macros: {A: 2}", "macros.A"),
        ("hooks: []", "hooks: {}", "hooks"),
    ],
    ids=["SRC-4", "SRC-5", "SRC-7", "SRC-9", "SRC-12", "SRC-13", "kinds"],
)
def test_conflict_names_path_and_later_file(
    merge_error: MergeError, one: str, two: str, path: str
) -> None:
    message = merge_error(one, two)

    assert f"1.yaml:1: {path}: " in message
    assert "conflicts with" in message


def test_src_6_quotes_do_not_matter_to_texts(merge: Merge) -> None:
    assert merge("logLevel: warn", 'logLevel: "warn"').log_level == "warn"


@pytest.mark.parametrize(
    ("one", "two"), [("globalTTL:", "globalTTL: 5"), ("globalTTL: 5", "globalTTL:")]
)
def test_src_8_empty_value_gives_way(merge: Merge, one: str, two: str) -> None:
    assert merge(one, two).global_ttl_s == 5


def test_src_10_empty_identity_map_is_refused(merge_error: MergeError) -> None:
    assert "models: must be a mapping" in merge_error("models:", MODEL_A)
    assert "models: must be a mapping" in merge_error(MODEL_A, "models:")


def test_src_11_empty_section_gives_way(merge: Merge) -> None:
    config = merge("hooks:", "hooks: {on_startup: {preload: [a]}}\n" + MODEL_A)

    assert config.preload == (A,)


def test_src_14_and_15_order_of_macros_is_source_order(
    merge: Merge, merge_error: MergeError
) -> None:
    use = "macros: {B: 'v${A}'}\nmodels: {a: {cmd: 'x ${B}', proxy: 'http://h'}}"

    assert "macro A" in merge_error(use, "macros: {A: 1}")
    assert merge("macros: {A: 1}", use).models[A].cmd == "x v1"


def test_src_22_old_and_new_place_of_groups_conflict(merge_error: MergeError) -> None:
    message = merge_error(
        "groups: {g: {members: [a]}}\n" + MODEL_A, "routing: {router: {use: group}}"
    )

    assert "groups: conflicts with routing.router" in message


def test_src_26_anchor_of_another_file_is_unknown(merge_error: MergeError) -> None:
    message = merge_error("lib: &x 1", "lib2: *x")

    assert "1.yaml:1: alias *x has no anchor" in message


def test_q3_same_anchor_name_in_two_files_is_two_anchors(merge: Merge) -> None:
    text = "lib{n}: &x {{cmd: c{n}, proxy: 'http://h'}}\nmodels: {{m{n}: *x}}\n"
    models = merge(text.format(n=1), text.format(n=2)).models

    assert models[ModelId("m1")].cmd == "c1"
    assert models[ModelId("m2")].cmd == "c2"


def test_models_of_several_files_are_united(merge: Merge) -> None:
    config = merge(MODEL_A, "", MODEL_A.replace("a:", "b:"))

    assert list(config.models) == ["a", "b"]
    assert "1.yaml:1: is empty" in str(config.warnings[0])


def test_merge_key_in_one_files_macros_is_still_refused(
    merge_error: MergeError,
) -> None:
    message = merge_error("macros: {B: 1}", "lib: &m {A: 1}\nmacros: {<<: *m}")

    assert "1.yaml:2: macros.<<" in message


def test_error_in_a_later_file_names_it(merge_error: MergeError) -> None:
    message = merge_error(MODEL_A, "\nglobalTTL: x")

    assert "1.yaml:2: globalTTL: must be a whole number" in message


def test_src_19_mappings_are_merged_key_by_key(merge: Merge) -> None:
    config = merge("performance: {every: 10s}", "performance: {disabled: true}")

    assert (config.performance_every_s, config.performance_disabled) == (10.0, True)


def test_src_20_a_matrix_may_be_split_by_its_own_keys(merge: Merge) -> None:
    config = merge(MODEL_A + "matrix: {vars: {q: a}}", "matrix: {sets: {s: q}}")

    assert config.router == "matrix"
    assert [entry.name for entry in config.matrix.sets] == ["s"]


def test_src_21_but_not_within_one_of_them(merge_error: MergeError) -> None:
    error = merge_error(
        MODEL_A + "matrix: {vars: {q: a}}", "matrix: {vars: {r: a}, sets: {s: q}}"
    )

    assert "matrix.vars" in error
