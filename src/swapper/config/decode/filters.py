"""Decodes ``filters`` of models and peers (config.md section 10)."""

from types import MappingProxyType
from typing import Final

from swapper.config.decode.section import Item, Section
from swapper.config.schema import FilterConfig
from swapper.core.json import JsonValue

_OLD_STRIP_PARAMS: Final = "strip_params"

# Who may serve a request is decided by its name; a filter must not undo that.
_PROTECTED: Final = "model"


def decode_filters(section: Section, *, has_old_spelling: bool) -> FilterConfig:
    """Return the edits; *has_old_spelling* allows ``strip_params`` (models only)."""
    names = section.text("stripParams")
    if has_old_spelling:
        names = names or section.text(_OLD_STRIP_PARAMS)
    return FilterConfig(
        strip_params=_stripped(names),
        set_params=_settable(section.json("setParams")),
        set_params_by_id=MappingProxyType(
            {
                name: _settable(params)
                for name, (params, _) in section.json_map("setParamsByID").items()
            }
        ),
    )


def names_of_set_params(section: Section) -> tuple[Item, ...]:
    """Return the names in ``setParamsByID``: a model's automatic aliases."""
    return tuple(item for _, item in section.json_map("setParamsByID").values())


def _stripped(names: str) -> tuple[str, ...]:
    wanted = {name.strip() for name in names.split(",")}
    return tuple(sorted(wanted - {"", _PROTECTED}))


def _settable(params: dict[str, JsonValue]) -> MappingProxyType[str, JsonValue]:
    return MappingProxyType(
        {name: params[name] for name in sorted(params) if name != _PROTECTED}
    )
