"""Runs tests under each server that the application may live in.

A test that uses the fixture ``server``, directly or through its program, runs against
our own server, gunicorn and waitress. What a server cannot do stands in
``tests/cases/not_under.txt`` and is skipped there with the reason.
"""

import pytest

from tests.fakes.servers import SERVERS, lacks


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    """Return the name of a server; a module's tests run under one after the other."""
    name: str = request.param
    return name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what the table says is not to be had."""
    reasons = {(lack.server, lack.test): lack.reason for lack in lacks()}
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            server = item.callspec.params.get("server")
            key = (server, f"{item.path.stem}::{item.originalname}")
            if key in reasons:
                item.add_marker(pytest.mark.skip(reason=f"{server}: {reasons[key]}"))
