"""TLS for accepted connections."""

import contextlib
import socket
import ssl
from pathlib import Path

_PLAIN_HTTP_ANSWER = (
    b"HTTP/1.0 400 Bad Request\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\n\r\n"
    b"this port speaks HTTPS, the request was plain HTTP\n"
)


def load_tls(cert_file: str, key_file: str) -> ssl.SSLContext:
    """Return a context that presents a certificate.

    Args:
        cert_file: PEM, the server's certificate first, then its chain.
        key_file: PEM private key; "" looks for it in *cert_file*.

    Raises:
        OSError: a file cannot be read or used, naming it (``SSLError`` is one).
    """
    for name in filter(None, (cert_file, key_file)):
        try:
            Path(name).open("rb").close()  # says which file it is; ssl does not
        except OSError as exc:
            raise OSError(exc.errno, f"TLS file {name}: {exc.strerror}") from exc
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    # an idle connection that just ends is no attack, and HTTP's own framing shows
    # truncation; without this OpenSSL would answer with a fatal alert
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    try:
        context.load_cert_chain(cert_file, key_file or None, password=_no_password)
    except (ssl.SSLError, ValueError) as exc:
        files = f"{cert_file} and {key_file}" if key_file else cert_file
        raise OSError(f"TLS files {files} cannot be used: {exc}") from exc
    return context


def shake_hands(sock: ssl.SSLSocket, timeout_s: float) -> None:
    """Do the server's side of the handshake; blocks.

    Raises:
        OSError: it failed or took longer than *timeout_s* in all.
    """
    sock.settimeout(timeout_s)
    sock.do_handshake()
    sock.settimeout(None)


def refuse_plain_http(sock: ssl.SSLSocket) -> None:
    """Answer a client that did not start TLS, past the TLS layer.

    Raises:
        OSError: the connection broke.
    """
    socket.socket.send(sock, _PLAIN_HTTP_ANSWER)


def close_tls(sock: ssl.SSLSocket) -> None:
    """Tell the peer that nothing follows (close_notify), not waiting for an answer."""
    sock.setblocking(False)
    with contextlib.suppress(OSError, ValueError):  # ValueError: no handshake yet
        sock.unwrap()
    sock.setblocking(True)


def _no_password() -> str:
    # without this, OpenSSL would ask on the terminal and block the start
    raise ValueError("the private key is encrypted")
