"""Editing a JSON text: what changes, and that nothing else does."""

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from swapper.core.json import JsonValue
from swapper.web.json_edit import JsonDocument, PathError, encode
from swapper.web.json_path import parse_path
from swapper.web.json_scan import Parts, scan
from tests.fakes.json_texts import json_values, scalars, spelled


def put(document: JsonDocument, path: str, value: JsonValue) -> None:
    document.set(parse_path(path), encode(value))


def with_set(raw: bytes | str, path: str, value: JsonValue) -> str:
    document = JsonDocument(raw if isinstance(raw, bytes) else raw.encode())
    put(document, path, value)
    return document.to_bytes().decode()


def without(raw: bytes | str, *paths: str) -> str:
    document = JsonDocument(raw if isinstance(raw, bytes) else raw.encode())
    for path in paths:
        document.remove(parse_path(path))
    return document.to_bytes().decode()


@pytest.mark.parametrize(
    ("raw", "path", "after"),
    [
        ('{ "x": 1.50, "a" :1 }\n', "a", '{ "x": 1.50, "a" :9 }\n'),
        ('\ufeff {"a":"\\u00e9"}', "a", '\ufeff {"a":9}'),
        ('{"b":1 }', "a", '{"b":1,"a":9 }'),
        ('{\n  "b": 1\n}', "a", '{\n  "b": 1,"a":9\n}'),
        ("{ }", "a", '{"a":9 }'),
        ("{}", "é", '{"é":9}'),
        ('{"a":{ "b" : [ ] }}', "a.b", '{"a":{ "b" : 9 }}'),
        ('{"a":{ "b" : 1 }}', "a.c", '{"a":{ "b" : 1,"c":9 }}'),
        ('{"a":[1, 2 ]}', "a.1", '{"a":[1, 9 ]}'),
        ('{"a":[1, 2 ]}', "a.3", '{"a":[1, 2,null,9 ]}'),
        ('{"a":[1, 2 ]}', "a.-1", '{"a":[1, 2,9 ]}'),
        ('{"a":[[1],[2]]}', "a.-1.b", '{"a":[[1],[2],{"b":9}]}'),
        ('{"a":[[1],[2]]}', "a.1.-1", '{"a":[[1],[2,9]]}'),
        ('{"a":[ ]}', "a.0", '{"a":[9 ]}'),
        ("{}", "a.b.c", '{"a":{"b":{"c":9}}}'),
        ("{}", "a.2", '{"a":[null,null,9]}'),
        ("{}", "a.-1.b", '{"a":[{"b":9}]}'),
        ("{}", "a.:2", '{"a":{"2":9}}'),
        ("{}", r"a\.b", '{"a.b":9}'),
        ('{"a":{"7":1}}', "a.7", '{"a":{"7":9}}'),
        ('{"a":{"7":1}}', "a.:7", '{"a":{"7":9}}'),
        ('{"a":{"x":1}}', "a.-1", '{"a":{"x":1,"-1":9}}'),
        ('{"a":"text"}', "a.b", '{"a":{"b":9}}'),
        ('{"a":null}', "a.1", '{"a":[null,9]}'),
        ('{"\\u0061":1}', "a", '{"\\u0061":9}'),
        ('{"a":1,"b":2,"a":3}', "a", '{"a":9,"b":2,"a":9}'),
        ('{"a":{"b":1},"a":{"c":1}}', "a.b", '{"a":{"b":9},"a":{"c":1,"b":9}}'),
    ],
)
def test_setting(raw: str, path: str, after: str) -> None:
    assert with_set(raw, path, 9) == after


@pytest.mark.parametrize(
    ("raw", "path", "after"),
    [
        ('{ "a": 1, "b" : 2 }', "a", '{ "b" : 2 }'),
        ('{ "a": 1, "b" : 2 }', "b", '{ "a": 1 }'),
        ('{"a":1,\n"b":2,\n"c":3}', "b", '{"a":1,\n"c":3}'),
        ('{ "a": 1\n}', "a", "{ \n}"),
        ('{"a":{"b":1,"c":2}}', "a.b", '{"a":{"c":2}}'),
        ('{"a":[1, 2, 3]}', "a.0", '{"a":[2, 3]}'),
        ('{"a":[1, 2, 3]}', "a.-1", '{"a":[1, 2]}'),
        ('{"a":[1, {"b":2}]}', "a.-1.b", '{"a":[1, {}]}'),
        ('{"a":{"-1":1}}', "a.-1", '{"a":{}}'),
        ('{"a.b":1,"a":{"b":2}}', r"a\.b", '{"a":{"b":2}}'),
        ('{"a":1,"b":2,"\\u0061":3}', "a", '{"b":2}'),
        ('{"a":1}', "b", '{"a":1}'),
        ('{"a":1}', "a.b", '{"a":1}'),
        ('{"a":[1]}', "a.1", '{"a":[1]}'),
        ('{"a":[1]}', "a.b", '{"a":[1]}'),
        ('{"a":[ ]}', "a.-1", '{"a":[ ]}'),
        ('{"a":{ }}', "a.b.c", '{"a":{ }}'),
    ],
)
def test_removing(raw: str, path: str, after: str) -> None:
    assert without(raw, path) == after


def test_removing_everything_and_setting_again() -> None:
    document = JsonDocument(b'{ "a" : 1 , "b" : 2 }')
    document.remove(parse_path("b"))
    document.remove(parse_path("a"))
    assert document.to_bytes() == b"{  }"
    put(document, "c", 3)
    assert document.to_bytes() == b'{"c":3  }'


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("te*", '{"temp":9,"tempo":2,"l":[1]}'),
        ("?", '{"temp":1,"tempo":2,"l":9}'),
        ("x*", '{"temp":1,"tempo":2,"l":[1]}'),
        ("x*.y", '{"temp":1,"tempo":2,"l":[1]}'),
        ("t*.y", '{"temp":1,"tempo":2,"l":[1]}'),
        ("x.y*", '{"temp":1,"tempo":2,"l":[1]}'),
        ("l.*", '{"temp":1,"tempo":2,"l":[1]}'),
        ("l.#", '{"temp":1,"tempo":2,"l":[1]}'),
        ("@this", '{"temp":1,"tempo":2,"l":[1]}'),
        ("l|0", '{"temp":1,"tempo":2,"l":[1]}'),
        (r"x\*", '{"temp":1,"tempo":2,"l":[1],"x*":9}'),
    ],
)
def test_setting_with_wildcards_changes_an_existing_match_or_nothing(
    path: str, after: str
) -> None:
    assert with_set('{"temp":1,"tempo":2,"l":[1]}', path, 9) == after


def test_below_a_wildcard_nothing_is_made() -> None:
    assert with_set('{"temp":{"z":1}}', "te*.z", 9) == '{"temp":{"z":9}}'
    assert with_set('{"temp":{"z":1}}', "te*.y", 9) == '{"temp":{"z":1}}'


@pytest.mark.parametrize("path", ["te*", "?", "a|b", "a.#", "@x", "a.b*", ""])
def test_removing_with_wildcards_or_without_a_name_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        without('{"a":1}', path)


@pytest.mark.parametrize(
    ("raw", "path", "value", "why"),
    [
        ('{"a":[1]}', "a.b", 1, "an array, which has no member 'b'"),
        ('{"a":[1]}', "a.99999", 1, "99998 behind the end"),
        ("{}", "a.99999", 1, "99999 behind the end"),
        ("{}", "", 1, "empty"),
        ("[1]", "a", 1, "not an object"),
        ("{}", "a", float("nan"), "not JSON"),
    ],
)
def test_edits_that_cannot_be_made(
    raw: str, path: str, value: JsonValue, why: str
) -> None:
    with pytest.raises(PathError, match=why):
        with_set(raw, path, value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.5, "0.5"),
        (1e20, "100000000000000000000"),
        (1e30, "1e+30"),
        (True, "true"),
        ({"a": (1.0, {"b": 2.0}), "é": None}, '{"a":[1,{"b":2}],"é":null}'),
        ('q"\n', '"q\\"\\n"'),
        ("\ud800é", '"\\ud800\\u00e9"'),
    ],
)
def test_values_are_written_compactly(value: JsonValue, text: str) -> None:
    assert encode(value).decode() == text


def test_values_are_looked_up_under_any_spelling_of_the_key() -> None:
    document = JsonDocument(b'{"\\u0061":1.0, "b":2, "a": [ ]}')

    assert document.values("a") == [b"1.0", b"[ ]"]
    assert document.values("c") == []
    assert JsonDocument(b"[1]").values("a") == []


# --- against edits of the parsed document -----------------------------------------

STEPS = st.sampled_from(["a", "b", "0", "1", "3", "-1", "x.y", "é"])
PATHS = st.lists(STEPS, min_size=1, max_size=4)
NAMES = st.sampled_from(["a", "b", "0", "1", "-1", "x.y", "é", ""])
DOCUMENTS = st.dictionaries(
    NAMES,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner),
        max_leaves=12,
    ),
)


def text_of(steps: list[str]) -> str:
    return ".".join(step.replace(".", r"\.") for step in steps)


def model_set(node: Any, steps: list[str], value: Any) -> Any:
    """Return *node* with the value at *steps* set."""
    step, *rest = steps or [""]
    if not steps:
        return value
    is_item = step.isdigit() or step == "-1"
    if not isinstance(node, dict | list):
        node = [] if is_item else {}
    if isinstance(node, dict):
        node[step] = model_set(node.get(step), rest, value)
        return node
    if not is_item:
        raise PathError(step)
    index = len(node) if step == "-1" else int(step)
    node += [None] * (index + 1 - len(node))
    node[index] = model_set(node[index], rest, value)
    return node


def model_remove(node: Any, steps: list[str]) -> None:
    """Remove what is at *steps* in *node*."""
    step, *rest = steps
    key: Any = step
    if isinstance(node, list):
        if not (step.isdigit() or step == "-1"):
            return
        key = len(node) - 1 if step == "-1" else int(step)
        if not 0 <= key < len(node):
            return
    elif not isinstance(node, dict) or step not in node:
        return
    if rest:
        model_remove(node[key], rest)
    else:
        del node[key]


EDITS = st.lists(st.tuples(PATHS, st.none() | st.just(...) | scalars), max_size=6)


@settings(deadline=None, derandomize=True)
@given(document=DOCUMENTS, edits=EDITS, rng=st.randoms())
def test_edits_agree_with_edits_of_the_parsed_document(
    document: dict[str, Any], edits: list[tuple[list[str], Any]], rng: random.Random
) -> None:
    edited = JsonDocument(spelled(document, rng).encode("utf-8"))
    expected: Any = copy.deepcopy(document)
    for steps, value in edits:
        if value is ...:
            edited.remove(parse_path(text_of(steps)))
            model_remove(expected, steps)
        else:
            try:
                model_set(copy.deepcopy(expected), steps, value)
            except PathError:
                with pytest.raises(PathError):
                    put(edited, text_of(steps), value)
            else:
                put(edited, text_of(steps), value)
                expected = model_set(expected, steps, value)

    result = json.loads(edited.to_bytes())
    assert result == expected
    assert encode(result) == encode(expected)  # the order too


@settings(deadline=None, derandomize=True)
@given(document=st.dictionaries(st.text(), json_values), rng=st.randoms())
def test_every_byte_that_no_edit_concerns_stays(
    document: dict[str, Any], rng: random.Random
) -> None:
    document["sentinel"] = [{"x": "put here"}]
    shuffled = list(document.items())
    rng.shuffle(shuffled)
    text = spelled(dict(shuffled), rng)
    assume(text.count('"put here"') == 1)
    raw = text.encode("utf-8")
    parts = scan(raw)
    assert parts is not None
    keys, ends = places(parts)

    def edited(change: str, path: str) -> bytes:
        made = JsonDocument(raw)
        if change == "set":
            put(made, path, 1.0)
        else:
            made.remove(parse_path(path))
        return made.to_bytes()

    assert JsonDocument(raw).to_bytes() == raw
    assert edited("set", "sentinel.0.x") == raw.replace(b'"put here"', b"1")
    assert edited("set", "brand new") == (
        raw[: ends[-1]] + b',"brand new":1' + raw[ends[-1] :]
    )
    index = [key for key, _ in shuffled].index("sentinel")
    if index + 1 < len(shuffled):
        kept = raw[: keys[index]] + raw[keys[index + 1] :]
    elif index:
        kept = raw[: ends[index - 1]] + raw[ends[index] :]
    else:
        kept = raw[: keys[index]] + raw[ends[index] :]
    assert edited("remove", "sentinel") == kept


def places(parts: Parts) -> tuple[list[int], list[int]]:
    """Return where the keys begin, and where the values end."""
    keys, ends, at = [], [], parts.start + 1
    for lead, *middle, tail, end in zip(*parts[3:], strict=True):
        keys.append(at + len(lead))
        ends.append(keys[-1] + sum(len(text) for text in middle))
        at = ends[-1] + len(tail) + len(end)
    assert at == parts.end
    return keys, ends
