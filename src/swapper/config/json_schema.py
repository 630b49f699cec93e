"""The JSON schema (draft-07) of a configuration file, for editors.

Made of the list of keys, so that it knows what the loader knows. An editor sees the
file before macros are expanded: wherever a value is not a mapping or a list, a text
with ``${`` in it may become anything. Unknown keys at the top level are anchor
libraries; further down they are mistakes.

What a schema cannot say, such as whether a name is one of a model, only the loader
tells; ``tests/unit/config/test_json_schema.py`` has the list.
"""

from collections.abc import Callable, Mapping
from typing import Final

from swapper.config.budget import QUANTITY_PATTERN
from swapper.config.key import BOOLEAN_WORDS, Key, KeySet, Kind
from swapper.config.keys import TOP_LEVEL
from swapper.config.macros.scope import RESERVED
from swapper.core.json import JsonValue

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"

_Schema = dict[str, JsonValue]

_SCALARS: Final = ("string", "number", "boolean")
_REFERENCE: Final = r"\$\{"
_DURATION: Final = (
    r"^[+-]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$"
)
_MACRO_NAME: Final = "^[A-Za-z0-9_-]{1,63}$"


def json_schema() -> Mapping[str, JsonValue]:
    """Return the schema; a new value that can be written as JSON. Any thread."""
    return {
        "$schema": _DRAFT,
        "title": "swapper configuration",
        "description": "Models to start on demand, and who may use them.",
        "type": ["object", "null"],
        "properties": _properties(TOP_LEVEL),
    }


def _properties(keys: KeySet) -> _Schema:
    return {name: _key(key) for name, key in keys.keys.items()}


def _key(key: Key) -> _Schema:
    schema: _Schema = {"description": key.about}
    if key.is_inert:
        return {**schema, "deprecationMessage": key.about}
    # An empty default tells nothing, and editors would write it into the file.
    if key.default not in (None, "", ()):
        default = key.default
        schema["default"] = list(default) if isinstance(default, tuple) else default
    if key.hints:
        schema["examples"] = key.hints
    return {**schema, **_SHAPES[key.kind](key)}


def _types(key: Key, *types: str) -> tuple[str, ...]:
    """Return *types*, and null where it means that the key is not set."""
    return types if key.is_required else (*types, "null")


# --- single values ----------------------------------------------------------


def _pattern(pattern: str, message: str) -> _Schema:
    """Return what a text must match, and what editors say if it does not."""
    return {"pattern": pattern, "patternErrorMessage": message}


def _boolean(key: Key) -> _Schema:
    words = "|".join((*BOOLEAN_WORDS, *key.words))
    wanted = " or ".join(("true", "false", *key.words))
    schema: _Schema = {
        "type": _types(key, "boolean", "string"),
        **_pattern(f"^({words})$|{_REFERENCE}", f"must be {wanted}, without quotes"),
    }
    return {**schema, "examples": (True, False, *key.words)} if key.words else schema


def _integer(key: Key) -> _Schema:
    return _number(key.minimum, _types(key, "number", "string"))


def _number(minimum: int | None, types: tuple[str, ...]) -> _Schema:
    """Return a schema of numbers; a fraction is no error, the loader cuts it off."""
    pattern = _pattern(_REFERENCE, "must be a number, without quotes")
    schema: _Schema = {"type": types, **pattern}
    return schema if minimum is None else {**schema, "minimum": minimum}


def _duration(key: Key) -> _Schema:
    wanted = "must be a duration such as 10s or 1m30s"
    return {
        "type": _types(key, "string"),
        **_pattern(f"{_DURATION}|{_REFERENCE}", wanted),
    }


def _text(key: Key) -> _Schema:
    return _text_of(key, is_null_allowed=not key.is_required)


def _text_of(key: Key, *, is_null_allowed: bool) -> _Schema:
    """Return a schema of one text; any single value is one."""
    null = ("null",) if is_null_allowed else ()
    if key.words:
        words = (*key.words, None) if is_null_allowed else key.words
        macro: _Schema = {"type": "string", "pattern": _REFERENCE}
        return {"anyOf": [{"enum": words}, macro]}
    schema: _Schema = {"type": (*_SCALARS, *null)}
    return {**schema, "pattern": key.pattern} if key.pattern else schema


# --- lists and mappings -----------------------------------------------------


def _texts(key: Key) -> _Schema:
    schema: _Schema = {
        "type": _types(key, "array"),
        "items": _text_of(key, is_null_allowed=key.has_nulls),
    }
    if key.is_required:
        schema.update(minItems=1, contains={"type": _SCALARS})
    return schema


def _mapping(key: Key, values: _Schema) -> _Schema:
    schema: _Schema = {"type": _types(key, "object"), "additionalProperties": values}
    if key.name_pattern:
        schema["propertyNames"] = {"pattern": key.name_pattern}
    if key.is_required:
        schema["minProperties"] = 1
    return schema


def _text_map(key: Key) -> _Schema:
    return _mapping(key, _text_of(key, is_null_allowed=key.has_nulls))


def _integer_map(key: Key) -> _Schema:
    return _mapping(key, _number(key.minimum, ("number", "string", "null")))


def _quantity_map(key: Key) -> _Schema:
    wanted = "must be a quantity such as 24GiB, 800MB or 2"
    pattern = _pattern(f"{QUANTITY_PATTERN}|{_REFERENCE}", wanted)
    return _mapping(key, {"type": ("number", "string"), "minimum": 0, **pattern})


def _json(key: Key) -> _Schema:
    return {"type": _types(key, "object")}


def _json_map(key: Key) -> _Schema:
    return _mapping(key, {"type": ["object", "null"]})


def _macros(key: Key) -> _Schema:
    names: _Schema = {"pattern": _MACRO_NAME, "not": {"enum": sorted(RESERVED)}}
    return {**_mapping(key, {"type": _SCALARS}), "propertyNames": names}


def _section(key: Key) -> _Schema:
    return _section_of(key.below or KeySet(), is_null_allowed=not key.is_required)


def _sections(key: Key) -> _Schema:
    below = key.below or KeySet()
    # A null one is empty, and lacks what it must have.
    return _mapping(key, _section_of(below, is_null_allowed=not _required(below)))


def _section_of(below: KeySet, *, is_null_allowed: bool) -> _Schema:
    schema: _Schema = {
        "type": ("object", "null") if is_null_allowed else "object",
        "properties": _properties(below),
        "additionalProperties": False,
    }
    return {**schema, "required": _required(below)} if _required(below) else schema


def _required(below: KeySet) -> tuple[str, ...]:
    return tuple(name for name, key in below.keys.items() if key.is_required)


_SHAPES: Final[Mapping[Kind, Callable[[Key], _Schema]]] = {
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.DURATION: _duration,
    Kind.TEXT: _text,
    Kind.TEXTS: _texts,
    Kind.JSON: _json,
    Kind.MACROS: _macros,
    Kind.SECTION: _section,
    Kind.SECTIONS: _sections,
    Kind.TEXT_MAP: _text_map,
    Kind.INTEGER_MAP: _integer_map,
    Kind.QUANTITY_MAP: _quantity_map,
    Kind.JSON_MAP: _json_map,
}
