"""Literals that clients and dashboards read, in one place (http-api.md 1.1)."""

from typing import Final

SRC: Final = "swapper"
"""``src`` of the error envelope, prefix of text errors, heading of HTML errors."""

REALM: Final = "swapper"
"""Realm of the authentication challenge."""

OWNED_BY: Final = "swapper"
"""``owned_by`` of each entry of the model list."""

META_KEY: Final = "llamaswap"
"""Key under ``meta`` in the model list; clients of the reference read it."""
