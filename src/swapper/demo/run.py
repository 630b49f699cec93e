"""Runs the demo: finds models and ports, writes a configuration, serves it."""

import argparse
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from swapper.demo.engine import find_engine
from swapper.demo.plan import (
    DemoModel,
    config_text,
    engine_models,
    guide,
    stand_in_models,
)

HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8080
FIRST_MODEL_PORT: Final = 5800


def run_demo(argv: Sequence[str], serve: Callable[[Path, str], int]) -> int:
    """Run the demo until it is stopped; return the exit status.

    Writes nothing outside a temporary directory but the model, in the user's cache.

    Args:
        argv: the words after ``demo``.
        serve: runs swapper with this configuration file and listen address until
            stopped, and returns an exit status.
    """
    options = _parse(argv)
    try:
        models, is_stand_in = _choose_models(force_stand_in=options.stand_in)
        listen = options.listen or free_listen_address()
        with tempfile.TemporaryDirectory(prefix="swapper-demo-") as directory:
            config_path = Path(directory, "swapper.yaml")
            start_port = free_ports(len(models))
            config_path.write_text(config_text(models, start_port), encoding="utf-8")
            text = guide(listen, models, str(config_path), is_stand_in=is_stand_in)
            print(text, flush=True)
            return serve(config_path, listen)
    except KeyboardInterrupt:
        return 130


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="swapper demo",
        description="Start swapper with two small models and tell what to try.",
    )
    parser.add_argument(
        "--listen",
        default="",
        metavar="HOST:PORT",
        help=f"default: {HOST}:{DEFAULT_PORT}, another port if that is taken",
    )
    parser.add_argument(
        "--stand-in",
        action="store_true",
        help="use the bundled stand-ins even if a real engine is installed",
    )
    return parser.parse_args(argv)


def _choose_models(*, force_stand_in: bool) -> tuple[tuple[DemoModel, DemoModel], bool]:
    if not force_stand_in:
        try:
            if engine := find_engine(notice=lambda text: print(text, flush=True)):
                return engine_models(engine), False
        except (OSError, ValueError) as exc:
            print(f"The real model cannot be used: {exc}", file=sys.stderr)
    return stand_in_models(), True


def free_listen_address() -> str:
    """Return ``127.0.0.1:8080``, with another port if that one is taken."""
    port = DEFAULT_PORT if _is_free(DEFAULT_PORT) else 0
    with socket.create_server((HOST, port)) as sock:
        return f"{HOST}:{sock.getsockname()[1]}"


def free_ports(count: int) -> int:
    """Return the first of *count* ports in a row that nobody listens on."""
    return next(
        first
        for first in range(FIRST_MODEL_PORT, 65536 - count, count)
        if all(_is_free(port) for port in range(first, first + count))
    )


def _is_free(port: int) -> bool:
    try:
        with socket.create_server((HOST, port)):
            return True
    except OSError:
        return False
