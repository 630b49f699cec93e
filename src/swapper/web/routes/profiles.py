"""``/api/profiles``: what there is, and choosing one (http-api.md 9.4)."""

import json
from collections.abc import Mapping
from typing import Final

from swapper.config import Config
from swapper.core.errors import BadRequestError
from swapper.core.json import JsonValue
from swapper.web.profiles import ActiveProfile
from swapper.web.request import Request
from swapper.web.response import Response, json_response

_MAX_BODY_BYTES: Final = 1 << 20
_decoder = json.JSONDecoder()


class ProfileRoutes:
    """Lists profiles and selects the active one."""

    def __init__(self, config: Config, active: ActiveProfile) -> None:
        self._config = config
        self._active = active

    def listing(self, request: Request) -> Response:  # noqa: ARG002 - a handler
        """Return the profiles sorted by id, and which one is active."""
        profiles: list[JsonValue] = [
            {
                "id": profile.id,
                "description": profile.description,
                "pins": dict(sorted(profile.pins.items())),
            }
            for profile in sorted(
                self._config.profiles.values(), key=lambda profile: profile.id.encode()
            )
        ]
        return json_response({"active": self._active.id, "profiles": profiles})

    def select(self, request: Request) -> Response:
        """Make the profile that the body names the active one.

        Raises:
            BadRequestError: the body is not ``{"name": <string or null>}``.
            NotFoundError: there is no such profile.
        """
        self._active.select(profile_name(request.input.read(_MAX_BODY_BYTES)))
        return json_response({"active": self._active.id})


def profile_name(raw: bytes) -> str | None:
    """Return ``name`` of the object that *raw* begins with; what follows is ignored.

    Raises:
        BadRequestError: there is no object, or no usable name in it.
    """
    try:
        value, _ = _decoder.raw_decode(raw.decode("utf-8", "replace").lstrip(" \t\r\n"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, Mapping):
        raise BadRequestError("invalid profile request")
    if "name" not in value:
        raise BadRequestError("profile name is required")
    name = value["name"]
    if not (name is None or isinstance(name, str)):
        raise BadRequestError("profile name must be a string or null")
    return name
