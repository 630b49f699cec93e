import pytest

from swapper.config.keys import MODEL, TOP_LEVEL


@pytest.mark.parametrize(
    ("key", "closest"),
    [
        ("globalttl", "globalTTL"),
        ("model", "models"),
        ("apikeys", "apiKeys"),
        ("peer", "peers"),
        ("shared", ""),
        ("", ""),
        ("globalTTL" * 10, ""),
    ],
)
def test_misspelt_key_finds_the_closest_known_one(key: str, closest: str) -> None:
    assert TOP_LEVEL.closest(key) == closest


def test_model_keys_are_not_those_of_the_top_level() -> None:
    assert MODEL.closest("checkEndPoint") == "checkEndpoint"
    assert MODEL.closest("startPort") == ""
