"""Decodes ``profiles`` (config.md section 18)."""

from collections.abc import Mapping
from types import MappingProxyType

from swapper.config.decode.section import Item, Section
from swapper.config.lookup import resolve
from swapper.config.schema import Config, ProfileConfig


def decode_profiles(document: Section, config: Config) -> Mapping[str, ProfileConfig]:
    """Return the profiles by id, in file order.

    *config* has the models, peers and selectors already.
    """
    advice = "a mapping with pins; the old form, a list of models, is gone"
    return MappingProxyType(
        {
            profile_id: _decode_profile(profile_id, section, config)
            for profile_id, section in document.sections(
                "profiles", advice=advice
            ).items()
        }
    )


def _decode_profile(profile_id: str, section: Section, config: Config) -> ProfileConfig:
    if not profile_id.strip():
        section.error("", "the name of a profile must not be blank")
    pins = section.text_map("pins")
    if not pins:
        section.error("pins", "a profile needs at least one pin")
    for name, target in pins.items():
        _check_pin(name, target, pins, section, config)
    return ProfileConfig(
        id=profile_id,
        description=section.text("description").strip(),
        pins=MappingProxyType({name: target.text for name, target in pins.items()}),
    )


def _check_pin(
    name: str,
    target: Item,
    pins: Mapping[str, Item],
    section: Section,
    config: Config,
) -> None:
    offered = config.peer_by_name.get(name)
    if not name.strip():
        section.error_item(target, "the name of a pin must not be blank")
    elif offered is not None and offered.qualified == name:
        message = f"{name} is a model of peer {offered.peer} and cannot be pinned"
        section.error_item(target, message)
    elif (
        target.text
        and target.text not in config.selectors
        and resolve(config, target.text) is None
    ):
        why = "; a pin cannot lead to another pin" if target.text in pins else ""
        section.error_item(target, f'unknown model "{target.text}"{why}')
