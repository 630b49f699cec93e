"""Fixtures for every kind of test."""

import gc


def pytest_collection_finish() -> None:
    """Keep thousands of collected tests out of each later garbage collection."""
    gc.collect()
    gc.freeze()
