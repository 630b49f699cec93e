"""Checks the base URL of a model server (config.md section 9.1).

Lenient on purpose: only texts that no URL parser could read are errors.
"""

import re
from typing import Final

from swapper.config.document import shortened

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PORT: Final = re.compile(r"(?::[0-9]*)?")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_USER: Final = re.compile(r"(^|//)[^/?#]*@")
_BAD_IN_HOST: Final = re.compile(r"[\x00-\x20\x7f^{}|\\`%]")


def fault_of_base_url(text: str) -> str:
    """Return why *text* is no URL; "" if it may be one."""
    if _CONTROL.search(text):
        return "it contains a control character"
    if text.startswith(":"):
        return "nothing stands before its colon"
    scheme = _SCHEME.match(text)
    rest = re.split(r"[?#]", text[scheme.end() if scheme else 0 :], maxsplit=1)[0]
    if rest.startswith("//"):
        authority, _slash, path = rest[2:].partition("/")
        return _fault_of_authority(authority) or _fault_of_path(path)
    if scheme and not rest.startswith("/"):
        return ""  # ``host:port``: a scheme with an opaque rest, to a URL parser
    if not scheme and ":" in rest.partition("/")[0]:
        return "it has no scheme such as http://"
    return _fault_of_path(rest)


def shown_url(text: str) -> str:
    """Return *text* for a message: short, and without a password."""
    return shortened(_USER.sub(r"\1***@", text))


def is_usable_base_url(text: str) -> bool:
    """Tell whether requests can be sent to *text*."""
    return re.match(r"(?i)https?://[^/?#:]", text) is not None


def _fault_of_authority(authority: str) -> str:
    host_port = authority.rpartition("@")[2]
    if host_port.startswith("["):
        host, bracket, port = host_port.partition("]")
        if not bracket:
            return "its IPv6 address has no closing bracket"
        host = host.removeprefix("[")
    else:
        host, colon, number = host_port.rpartition(":")
        port = colon + number
        host = host if colon else host_port
        port = port if colon else ""
    if not _PORT.fullmatch(port):
        return f'its port "{port.removeprefix(":")}" is no number'
    if _BAD_IN_HOST.search(host):
        return f'its host "{host}" contains a character that no host has'
    return ""


def _fault_of_path(path: str) -> str:
    return "it contains a broken % escape" if _BAD_ESCAPE.search(path) else ""
