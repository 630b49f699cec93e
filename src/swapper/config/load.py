"""Loads a configuration.

The stages, in this order:

1. read/sources: find and read the files
2. read/env: replace ``${env.NAME}`` in each text
3. read/yaml_reader: each text to a tree of nodes with their lines
4. read/merge: one document out of all sources
5. macros/expand: macros, ports, command comments
6. decode/settings: typed values, defaults and checks, by ``keys.py``

Each stage reports what is wrong and goes on as far as it makes sense, so one
load tells as much as possible (config.md section 3).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from swapper.config.decode.settings import decode
from swapper.config.document import MapNode, Where, describe, empty_map, is_hollow
from swapper.config.macros.expand import expand_document
from swapper.config.macros.ports import PortsInUse
from swapper.config.read.env import expand_environment
from swapper.config.read.merge import merge_documents
from swapper.config.read.sources import (
    Source,
    StrPath,
    checked_source,
    read_source,
    source_paths,
)
from swapper.config.report import Report
from swapper.config.schema import Config

_NO_PORTS: Final = PortsInUse()
_API_KEYS: Final = "apiKeys"


def load_config(
    config: StrPath | None,
    config_dir: StrPath | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    in_use: PortsInUse = _NO_PORTS,
) -> Config:
    """Return the configuration in a file, in a directory's files, or in both.

    Any thread; blocks on the file system.

    Args:
        config: one file; None or "" if not given.
        config_dir: its ``*.yml`` and ``*.yaml`` files are merged on top.
        environ: what ``${env.NAME}`` refers to.
        in_use: ports that a reload leaves alone.

    Raises:
        ConfigError: with every problem found; nothing is loaded.
    """
    paths = source_paths(config, config_dir)
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - keeps links
    return _build([read_source(path) for path in paths], absolute, environ, in_use)


def parse_config(
    text: str,
    *,
    source: str = "",
    environ: Mapping[str, str] = os.environ,
    in_use: PortsInUse = _NO_PORTS,
) -> Config:
    """Return the configuration in *text*; for embedding and tests.

    Messages call it *source*; the rest is as for ``load_config``.

    Raises:
        ConfigError: as ``load_config``.
    """
    return _build([checked_source(source, text)], (), environ, in_use)


def _build(
    sources: Sequence[Source],
    names: Sequence[str],
    environ: Mapping[str, str],
    in_use: PortsInUse,
) -> Config:
    report = Report()
    documents = [_read(source, environ, report) for source in sources]
    report.raise_errors()
    merged = merge_documents(documents, report)
    report.raise_errors()
    expanded, ports = expand_document(merged, in_use, report)
    config = decode(expanded, ports, report)
    report.raise_errors()
    return replace(
        config,
        sources=tuple(names),
        is_blank=not merged.entries,
        warnings=report.warnings,
    )


def _read(source: Source, environ: Mapping[str, str], report: Report) -> MapNode:
    # The one import inside a function: ruamel.yaml takes 20 ms to import, which
    # a program that only uses the types should not pay.
    from swapper.config.read import yaml_reader  # noqa: PLC0415 - see above

    source, empty = expand_environment(
        source, environ, report, yaml_reader.content_spans
    )
    report.raise_errors()
    where = Where(source.name, 1)
    root = yaml_reader.read_document(source, report)
    if root is None:
        report.warn("", where, "is empty: every setting has its default")
    elif isinstance(root, MapNode):
        _check_that_keys_are_left(root, empty, report)
        return root
    else:
        message = f"the top level must be a mapping of settings, not {describe(root)}"
        report.error("", root.where, message)
    return empty_map(where)


def _check_that_keys_are_left(
    root: MapNode, empty: Sequence[tuple[int, str]], report: Report
) -> None:
    """Report API keys of which empty variables leave nothing, quotes or not.

    ``apiKeys: [${env.KEY}]`` would become an empty list, which asks for no key.
    """
    keys = root.entries.get(_API_KEYS)
    if keys is None or not is_hollow(keys.node):
        return
    first = keys.where.line
    later = (entry.where.line for entry in root.entries.values())
    end = min((line for line in later if line > first), default=None)
    for line, name in empty:
        if line >= first and (end is None or line < end):
            message = f"environment variable {name} is empty, so that no key is left"
            report.error(_API_KEYS, Where(keys.where.source, line), message)
