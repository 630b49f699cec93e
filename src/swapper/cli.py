"""The command line: arguments to options, errors to exit codes (config.md section 1).

Flags follow the rules of Go's ``flag`` package, because scripts written for the
reference rely on them: one or two dashes, booleans take a value only with ``=``,
parsing ends at the first other word.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TextIO

from swapper import __build_date__, __commit__, __version__
from swapper.config import (
    Config,
    Environment,
    Secrets,
    json_schema,
    load_config,
    summary,
)
from swapper.config.watch import SourceWatch
from swapper.core.errors import ConfigError

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})

_USAGE: Final = """\
Usage: swapper --config FILE [options]
       swapper plan --config FILE MODEL...
       swapper demo [--listen HOST:PORT]

  --config FILE          configuration file
  --config-dir DIR       directory whose *.yml and *.yaml files are merged on top
  --listen HOST:PORT     address to listen on (default 127.0.0.1:8080, with TLS
                         127.0.0.1:8443); :8080 listens on every interface
  --tls-cert-file FILE   PEM certificate; turns TLS on
  --tls-key-file FILE    PEM private key
  --log-format FORMAT    of swapper's own log lines: text (default) or json
  --cpu-affinity WHERE   CPUs swapper itself runs on: auto (one while many requests
                         keep it busy, else all; the default), off (all), or a list
                         like 0,2-3; models keep all
  --check-config         load the configuration, print what is in it, and exit
  --print-schema         print a JSON schema for editors and exit
  --version              print the version and exit
  --watch-config         reload when the configuration changes (as SIGHUP does)
  --help                 print this text and exit

swapper plan tells what loading models in this order would stop, and why.
swapper demo starts swapper with two small models and tells what to try.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The flags, as given; field names are flag names with underscores."""

    config: str = ""
    config_dir: str = ""
    listen: str = ""
    tls_cert_file: str = ""
    tls_key_file: str = ""
    log_format: str = "text"
    cpu_affinity: str = "auto"
    check_config: bool = False
    print_schema: bool = False
    version: bool = False
    watch_config: bool = False
    help: bool = False


class UsageError(Exception):
    """The command line cannot be understood: exit status 2."""


def parse_flags(argv: Sequence[str]) -> Options:
    """Return the options that *argv* (without the program) gives.

    Raises:
        UsageError: unknown flag, missing value, bad boolean.
    """
    given: dict[str, Any] = {}
    kinds = {field.name: field.type for field in fields(Options)}
    words = iter(argv)
    for word in words:
        if not word.startswith("-") or word in {"-", "--"}:
            break
        flag, has_value, value = word.removeprefix("-").removeprefix("-").partition("=")
        name = "help" if flag == "h" else flag.replace("-", "_")
        if name not in kinds or "_" in flag:
            raise UsageError(f"flag provided but not defined: -{flag}")
        if kinds[name] is bool:
            given[name] = _boolean(flag, value if has_value else "true")
            continue
        text = value if has_value else next(words, None)
        if text is None:
            raise UsageError(f"flag needs an argument: -{flag}")
        given[name] = text
    return Options(**given)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    try:
        status = _main(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _main(argv: Sequence[str] | None) -> int:
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] in {"demo", "plan"}:
        return _other_command(words[0], words[1:])
    try:
        options = parse_flags(words)
    except UsageError as exc:
        print(f"{exc}\n{_USAGE}", end="", file=sys.stderr)
        return 2
    if options.help:
        print(_USAGE, end="", file=sys.stderr)
        return 0
    if options.version:
        print(f"version: {__version__} ({__commit__}), built at {__build_date__}")
        return 0
    if options.print_schema:
        print(json.dumps(json_schema(), indent=2))
        return 0
    return _run(options, sys.stderr)


def _other_command(command: str, words: Sequence[str]) -> int:
    if command == "plan":
        from swapper.plan import run_plan  # noqa: PLC0415 - most runs never need it

        return run_plan(words)
    from swapper.demo import run_demo  # noqa: PLC0415 - likewise

    return run_demo(words, _serve_file)


def _run(options: Options, err: TextIO) -> int:
    problem = _problem_with(options)
    if problem:
        print(f"swapper: {problem}", file=err)
        return 1
    environment = Environment(os.environ)
    # Taken before the files are read, so that no change can slip in between.
    watch = (
        SourceWatch(options.config, options.config_dir)
        if options.watch_config
        else None
    )
    try:
        config = load_config(
            options.config or None, options.config_dir or None, environ=environment
        )
    except ConfigError as exc:
        problems = Secrets(environment.used).hidden_in(str(exc))
        print(f"swapper: the configuration is not valid:\n{problems}", file=err)
        return 1
    if options.check_config:
        print(summary(config, environment.used))
        return 0
    return _serve(config, options, watch, err)


def _problem_with(options: Options) -> str:
    if not (options.config or options.config_dir):
        return "one of --config and --config-dir is needed; --help tells more"
    if bool(options.tls_cert_file) != bool(options.tls_key_file):
        return "TLS needs both --tls-cert-file and --tls-key-file"
    if options.log_format not in {"text", "json"}:
        return f"--log-format is text or json, not {options.log_format!r}"
    return ""


def _serve(
    config: Config, options: Options, watch: SourceWatch | None, err: TextIO
) -> int:
    from swapper.program import Listen, Running, serve  # noqa: PLC0415 - see --version
    from swapper.reloader import ConfigFiles  # noqa: PLC0415 - likewise
    from swapper.tuning import parse_cpu_affinity  # noqa: PLC0415 - likewise

    try:
        cpus = parse_cpu_affinity(options.cpu_affinity)
    except ValueError as exc:
        print(f"swapper: --cpu-affinity {exc}", file=err)
        return 1
    default = "127.0.0.1:8443" if options.tls_cert_file else "127.0.0.1:8080"
    listen = Listen(
        options.listen or default, options.tls_cert_file, options.tls_key_file
    )
    files = ConfigFiles(options.config, options.config_dir, watch)
    try:
        running = Running(is_json=options.log_format == "json", cpus=cpus)
        return serve(config, files, listen, sys.stdout.buffer, running)
    except ConfigError as exc:
        print(f"swapper: cannot start: {exc}", file=err)
        return 1
    except (OSError, ValueError) as exc:
        print(f"swapper: cannot listen on {listen.address}: {exc}", file=err)
        return 1


def _serve_file(config: Path, listen: str) -> int:
    return _run(Options(config=str(config), listen=listen), sys.stderr)


def _boolean(flag: str, value: str) -> bool:
    if value not in _TRUE | _FALSE:
        raise UsageError(f"invalid boolean value {value!r} for -{flag}")
    return value in _TRUE
