"""Loads the configuration file into immutable, typed values."""

from swapper.config.commands import split_command
from swapper.config.json_schema import json_schema
from swapper.config.load import load_config, parse_config
from swapper.config.lookup import (
    PathMatch,
    find_in_path,
    find_local_in_path,
    find_pin_in_path,
    resolve,
)
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
from swapper.config.secrets import Environment, Secrets
from swapper.config.summary import summary

__all__ = [
    "DEFAULT_GROUP",
    "CapabilitiesConfig",
    "Config",
    "Environment",
    "FilterConfig",
    "GroupConfig",
    "LoadingState",
    "ModelConfig",
    "PathMatch",
    "PeerConfig",
    "PeerModel",
    "PortsInUse",
    "ProfileConfig",
    "Secrets",
    "SelectorConfig",
    "Strategy",
    "TimeoutsConfig",
    "find_in_path",
    "find_local_in_path",
    "find_pin_in_path",
    "json_schema",
    "load_config",
    "parse_config",
    "resolve",
    "split_command",
    "summary",
]
