"""config.md 8.7: which paths below ``/upstream/<model>`` start nothing."""

from collections.abc import Callable

import pytest

from swapper.config import Config

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

DEFAULT = r".*\.(js|json|css|png|gif|jpg|jpeg|ico|txt)$"


@pytest.mark.parametrize("pattern", ["[a(", "(?=a)", r"(a)\1"])
def test_top_19_what_is_no_re2_is_refused_and_named(
    errors: Errors, pattern: str
) -> None:
    [message] = errors(f"upstream: {{ignorePaths: ['x', '{pattern}']}}")

    assert "upstream.ignorePaths[1]" in message
    assert pattern in message


@pytest.mark.parametrize("setting", ["", "{}", "{ignorePaths: []}", "{ignorePaths: ~}"])
def test_top_20_nothing_given_means_the_default(load: Load, setting: str) -> None:
    [pattern] = load(f"upstream: {setting}").ignore_paths

    assert pattern.pattern == DEFAULT


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/x.js", True),
        ("/a/b.json", True),
        ("/favicon.ico", True),
        ("/v1/models", False),
        ("/app.js/x", False),
        ("/app.js\n", False),
    ],
)
def test_top_21_the_default_pattern(load: Load, path: str, found: bool) -> None:
    [pattern] = load().ignore_paths

    assert pattern.search(path) is found


def test_given_patterns_replace_the_default(load: Load) -> None:
    config = load("upstream: {ignorePaths: ['^/static/', '[[:digit:]]$']}")

    assert [p.pattern for p in config.ignore_paths] == ["^/static/", "[[:digit:]]$"]
