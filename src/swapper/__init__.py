"""swapper: a proxy that starts, swaps and streams local AI model servers on demand.

Embedding: ``app = swapper.create_app("config.yaml")`` is a WSGI application.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__commit__ = "release"  # of the source; whoever packages another state says which
__build_date__ = "unknown"

if TYPE_CHECKING:
    from swapper.config import Config, load_config, parse_config
    from swapper.runtime import App, create_app

__all__ = ["App", "Config", "__version__", "create_app", "load_config", "parse_config"]

_HOMES = {
    "App": "swapper.runtime",
    "create_app": "swapper.runtime",
    "Config": "swapper.config",
    "load_config": "swapper.config",
    "parse_config": "swapper.config",
}


def __getattr__(name: str) -> Any:
    """Import public names on first use (PEP 562), so that ``--version`` is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - see above

    return getattr(importlib.import_module(_HOMES[name]), name)
