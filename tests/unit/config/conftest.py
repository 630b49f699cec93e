"""Builds the two-model configuration that the case tables start from."""

from collections.abc import Callable, Mapping

import pytest

from swapper.config import Config, parse_config
from swapper.core.errors import ConfigError

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

_REQUIRED = {"cmd": "serve", "proxy": '"http://127.0.0.1:9000"'}


def base_text(top: str = "", a: str = "") -> str:
    """Return models a and b; *a* adds lines to model a, *top* top-level ones."""
    own = [f"    {line}" for line in a.splitlines()]
    own += [
        f"    {key}: {value}"
        for key, value in _REQUIRED.items()
        if f"\n    {key}:" not in "\n" + "\n".join(own)
    ]
    body = "\n".join(own)
    return (
        f"models:\n  a:\n{body}\n"
        f'  b: {{cmd: serve, proxy: "http://127.0.0.1:9001"}}\n{top}\n'
    )


@pytest.fixture
def load() -> Load:
    """Load the base configuration with additions."""

    def load_base(
        top: str = "", a: str = "", environ: Mapping[str, str] | None = None
    ) -> Config:
        return parse_config(base_text(top, a), environ=environ or {})

    return load_base


@pytest.fixture
def errors() -> Errors:
    """Load the base configuration with additions; return its error texts."""

    def errors_of(
        top: str = "", a: str = "", environ: Mapping[str, str] | None = None
    ) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            parse_config(base_text(top, a), environ=environ or {})
        return [str(problem) for problem in caught.value.problems]

    return errors_of
