"""From a request head to a WSGI environ (PEP 3333). Pure."""

import re
import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from swapper.net.http1 import Fields, ProtocolError, RequestHead, remembered

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?]*(.*)")
_UNPREFIXED: Final = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


def connection_environ(
    *, scheme: str, server: tuple[str, int], client: tuple[str, int]
) -> "WSGIEnvironment":
    """Return what all requests of a connection have in common.

    Args:
        scheme: ``http`` or ``https``.
        server: our host and port.
        client: the client's.
    """
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "SERVER_SOFTWARE": "swapper",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        # an IPv4 client of a socket for both families
        "REMOTE_ADDR": client[0].removeprefix("::ffff:"),
        "REMOTE_PORT": client[1],
        "SCRIPT_NAME": "",
    }


def add_request(environ: "WSGIEnvironment", head: RequestHead) -> None:
    """Add a request to a copy of its connection's environ.

    Headers with an underscore in their name are left out, because they would look
    like those with a hyphen; ``swapper.raw_headers`` has them all.

    Raises:
        ProtocolError: the request target is malformed.
    """
    target = _origin_form(head)
    path, _, query = target.partition("?")
    environ["REQUEST_METHOD"] = head.method
    environ["REQUEST_URI"] = environ["RAW_URI"] = target
    environ["PATH_INFO"] = decode_path(path) if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.version[1] else "HTTP/1.0"
    environ["swapper.raw_headers"] = head.headers
    _add_headers(environ, head.headers)


def decode_path(path: str) -> str:
    """Return the percent-decoded bytes of *path* as latin-1, as WSGI has them."""
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1")


def _origin_form(head: RequestHead) -> str:
    """Return path and query as sent; the host of an absolute target is ignored."""
    target = head.target
    if head.method == "CONNECT":
        # relayed, the two sides would differ about where HTTP ends
        raise ProtocolError("no request target can be CONNECTed to here")
    if "#" in target:
        raise ProtocolError("fragment in the request target")
    if target.startswith("/") or (target == "*" and head.method == "OPTIONS"):
        return target
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise ProtocolError("malformed request target")
    rest = match.group(1)
    return rest if rest.startswith("/") else f"/{rest}"


def _key(name: str) -> str:
    """Return the environ key of a header; "" for one that is left out."""
    if "_" in name:
        return ""
    key = name.upper().replace("-", "_")
    return key if key in _UNPREFIXED else f"HTTP_{key}"


_key_of: Final = remembered(_key)


def _add_headers(environ: "WSGIEnvironment", headers: Fields) -> None:
    keys = map(_key_of, headers.names)
    if headers.is_plain:
        environ.update(zip(keys, headers.first.values(), strict=True))
        environ.pop("", None)
        return
    for key, (_, value) in zip(keys, headers, strict=True):
        if key in environ:
            separator = "; " if key == "HTTP_COOKIE" else ","
            environ[key] = f"{environ[key]}{separator}{value}"
        elif key:
            environ[key] = value
