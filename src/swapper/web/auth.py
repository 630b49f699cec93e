"""API keys: who may use the guarded routes (http-api.md section 5).

A key never gets into a log or an error text. Headers are compared as the bytes that
were sent, so that a key outside of ASCII works as well.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping

from swapper.core.errors import AuthenticationError
from swapper.net.http1 import Fields, Headers
from swapper.web.request import Request
from swapper.web.response import Response
from swapper.web.routing import Handler


class KeyCheck:
    """Lets requests with a key through to handlers. Any thread."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Take the keys, any of which will do; none: everybody may pass."""
        self._keys = tuple((key, key.encode()) for key in keys)

    def guard(self, methods: Mapping[str, Handler]) -> dict[str, Handler]:
        """Return *methods* of a route with each handler behind the check."""
        if not self._keys:
            return dict(methods)
        return {method: self._guarded(handler) for method, handler in methods.items()}

    def _guarded(self, handler: Handler) -> Handler:
        def checked(request: Request) -> Response:
            request.used_key = self._matching(candidate_key(request.headers))
            if not request.used_key:
                raise AuthenticationError
            return handler(request)

        return checked

    def _matching(self, candidate: bytes) -> str:
        """Return the key that equals *candidate*, "" if none does.

        All keys are looked at, in a time that does not depend on what they share
        with *candidate*.
        """
        matching = [
            key for key, raw in self._keys if hmac.compare_digest(raw, candidate)
        ]
        return matching[0] if matching else ""


def candidate_key(headers: Headers) -> bytes:
    """Return the key that a request shows, b"" if it shows none.

    The first non-empty of: the password of Basic credentials, a Bearer token,
    ``x-api-key``. Basic credentials that do not decode count as absent.
    """
    values = Fields.of(headers).first
    key = b""
    authorization = values.get("authorization")
    if authorization is not None:
        scheme, _, credentials = authorization.partition(" ")
        scheme = scheme.lower()
        if scheme == "basic":
            _, _, key = _decode_basic(credentials).partition(b":")
        elif scheme == "bearer":
            key = credentials.encode("latin-1")
    if not key and "x-api-key" in values:
        key = values["x-api-key"].encode("latin-1")
    return key


def carries_key(value: str, key: str) -> bool:
    """Return whether a header's *value* holds *key*, in whatever scheme. Any thread.

    True if *key* is the whole value, one of its words, or user or password of Basic
    credentials. Never true for the empty key.
    """
    if not key:
        return False
    wanted = key.encode().decode("latin-1")
    if wanted == value.strip() or wanted in value.split():
        return True
    scheme, _, credentials = value.strip().partition(" ")
    if scheme.lower() != "basic":
        return False
    user, _, password = _decode_basic(credentials.strip()).partition(b":")
    return key.encode() in {user, password}


def _decode_basic(credentials: str) -> bytes:
    """Return ``user:password``; b"" if it is no standard, padded base64."""
    try:
        return base64.b64decode(credentials.encode("latin-1"), validate=True)
    except binascii.Error:
        return b""
