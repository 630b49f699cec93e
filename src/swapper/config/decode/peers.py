"""Decodes ``peers`` (config.md section 16)."""

from collections.abc import Mapping
from types import MappingProxyType

from swapper.config.decode.base_url import (
    fault_of_base_url,
    is_usable_base_url,
    shown_url,
)
from swapper.config.decode.filters import decode_filters
from swapper.config.decode.limits import decode_timeouts
from swapper.config.decode.section import Section
from swapper.config.schema import Config, PeerConfig, PeerModel


def decode_peers(document: Section) -> Mapping[str, PeerConfig]:
    """Return the peers by id, in file order.

    Whether a peer's names clash with others is for ``check_peer_names``.
    """
    return MappingProxyType(
        {
            peer_id: _decode_peer(peer_id, section)
            for peer_id, section in document.sections("peers").items()
        }
    )


def check_peer_names(document: Section, config: Config) -> None:
    """Report qualified names that mean something else as well."""
    owners: dict[str, PeerModel] = {}
    for peer_id, section in document.sections("peers").items():
        for item in section.texts("models"):
            offered = PeerModel(peer_id, item.text)
            name = offered.qualified
            owner = owners.setdefault(name, offered)
            if owner != offered:
                message = f"{name} is ambiguous: peer {owner.peer} offers it as well"
                section.error_item(item, message)
            elif name in config.models:
                section.error_item(item, f"{name} is the id of a model")
            elif name in config.model_by_name:
                message = f"{name} is an alias of model {config.model_by_name[name]}"
                section.error_item(item, message)


def _decode_peer(peer_id: str, section: Section) -> PeerConfig:
    names = tuple(dict.fromkeys(item.text for item in section.texts("models")))
    if not names:
        section.error("models", "must name at least one model of the peer")
    elif "" in names:
        section.error("models", "a model name must not be empty")
    return PeerConfig(
        id=peer_id,
        proxy=_proxy(section),
        models=names,
        api_key=_api_key(section),
        filters=decode_filters(section.section("filters"), has_old_spelling=False),
        timeouts=decode_timeouts(section.section("timeouts")),
    )


def _proxy(section: Section) -> str:
    proxy = section.text("proxy")
    fault = fault_of_base_url(proxy)
    if not proxy:
        section.error("proxy", "must be the base URL of the peer")
    elif fault:
        section.error("proxy", f'"{shown_url(proxy)}" is not a URL: {fault}')
    elif not is_usable_base_url(proxy):
        message = f'"{shown_url(proxy)}" is not of the form http://host:port'
        section.warn("proxy", f"{message}; every request will fail")
    return proxy


def _api_key(section: Section) -> str:
    key = section.text("apiKey")
    if not key.isascii() or not key.isprintable():
        # The key is not repeated: it is a secret.
        section.error("apiKey", "contains a character that no header may have")
    return key
