"""Loads the configuration file into immutable, typed values."""

from swapper.config.commands import split_command
from swapper.config.load import load_config, parse_config
from swapper.config.lookup import PathMatch, find_in_path, find_local_in_path, resolve
from swapper.config.macros.ports import PortsInUse
from swapper.config.schema import (
    DEFAULT_GROUP,
    CapabilitiesConfig,
    Config,
    FilterConfig,
    GroupConfig,
    LoadingState,
    ModelConfig,
    PeerConfig,
    PeerModel,
    ProfileConfig,
    SelectorConfig,
    Strategy,
    TimeoutsConfig,
)

__all__ = [
    "DEFAULT_GROUP",
    "CapabilitiesConfig",
    "Config",
    "FilterConfig",
    "GroupConfig",
    "LoadingState",
    "ModelConfig",
    "PathMatch",
    "PeerConfig",
    "PeerModel",
    "PortsInUse",
    "ProfileConfig",
    "SelectorConfig",
    "Strategy",
    "TimeoutsConfig",
    "find_in_path",
    "find_local_in_path",
    "load_config",
    "parse_config",
    "resolve",
    "split_command",
]
