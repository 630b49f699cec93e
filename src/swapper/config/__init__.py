"""Loads the configuration file into immutable, typed values."""

from swapper.config.commands import split_command
from swapper.config.load import load_config, parse_config
from swapper.config.lookup import PathMatch, find_model_in_path, resolve_model
from swapper.config.schema import DEFAULT_GROUP, Config, GroupConfig, ModelConfig

__all__ = [
    "DEFAULT_GROUP",
    "Config",
    "GroupConfig",
    "ModelConfig",
    "PathMatch",
    "find_model_in_path",
    "load_config",
    "parse_config",
    "resolve_model",
    "split_command",
]
