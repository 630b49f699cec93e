"""Which model a request names, and giving it another name (http-api.md 7, 8, 11).

Reading never changes the body: what is forwarded are the bytes that came, unless the
model is configured with ``useModelName``, and then only the name's own bytes differ.
JSON bodies are held in memory. A multipart body is read up to the end of its first
``model`` field and relayed from there on as it arrives.
"""

import io
import tempfile
from dataclasses import dataclass
from typing import IO, Final, Protocol
from urllib.parse import parse_qsl

from werkzeug.http import parse_options_header

from swapper.core.errors import BadRequestError, NotFoundError
from swapper.core.json import JsonValue
from swapper.web.json_body import JsonBody, Member
from swapper.web.multipart import MultipartScanner
from swapper.web.request import Request

_MAX_FORM_BYTES: Final = 10 << 20
_SPOOL_BYTES: Final = 1 << 20
_READ_BYTES: Final = 65536


class Readable(Protocol):
    """A body to be read once."""

    def read1(self, limit_bytes: int, /) -> bytes:
        """Return what is there, at least one byte; b"" at the end."""
        ...


@dataclass(slots=True)
class ModelRequest:
    """A request whose model name has been found.

    Attributes:
        name: as the client spelled it; never empty.
        body: to forward; None if there is none.
        length: of the body in bytes; None if unknown (it came chunked).
    """

    name: str
    body: bytes | Readable | None = None
    length: int | None = 0
    _json: tuple[JsonBody, Member] | None = None
    _form: "_SpooledForm | None" = None

    @property
    def is_streaming(self) -> bool:
        """Return whether a JSON body asks for a stream, in whatever spelling."""
        stream = self._json[0].members.get("stream") if self._json else None
        value = stream.value if stream else None
        if isinstance(value, str):
            return value.lower() in {"true", "t", "1"}
        return isinstance(value, bool | int | float) and bool(value)

    def rename(self, name: str) -> None:
        """Replace the model name in a JSON or multipart body; every other byte stays.

        Query strings and urlencoded bodies are left alone (http-api.md 11.5).
        """
        if self._json is not None:
            document, member = self._json
            raw = document.replacing(member, name)
            self.body, self.length = _as_it_came(raw, self.length)
        elif self._form is not None:
            self.body, self.length = self._form.renamed(name)


def find_model(request: Request) -> ModelRequest:
    """Return the model that *request* names, and its body ready to forward.

    Raises:
        NotFoundError: it names none.
        InvalidJsonError: a JSON body does not parse.
        BadRequestError: the body names two.
    """
    kind = request.header("Content-Type")
    if request.method == "GET":
        found = _from_query(request)
    elif "application/json" in kind:
        found = _from_json(request)
    elif "multipart/form-data" in kind:
        found = _from_multipart(request, kind)
    elif "application/x-www-form-urlencoded" in kind and request.method != "HEAD":
        found = _from_form(request)
    else:
        found = _from_query(request)
    if not found.name:
        raise NotFoundError("no model id could be identified")
    return found


def unread_body(request: Request) -> tuple[Readable | None, int | None]:
    """Return the body as it comes from the client, and its length if known."""
    length = request.content_length
    return (None if length == 0 else _Input(request.input)), length


def _from_query(request: Request) -> ModelRequest:
    body, length = unread_body(request)
    return ModelRequest(request.query_value("model") or "", body, length)


def _from_json(request: Request) -> ModelRequest:
    raw = request.input.read()
    document = JsonBody(raw)
    member = document.members.get("model")
    if member is None:
        return ModelRequest("")
    name = _name_of(member.value, document.source(member))
    body, length = _as_it_came(raw, request.content_length)
    return ModelRequest(name, body, length, _json=(document, member))


def _as_it_came(raw: bytes, length: int | None) -> tuple[bytes | Readable, int | None]:
    """Return a body that was read whole, and its length; what came chunked goes so."""
    return (io.BytesIO(raw), None) if length is None else (raw, len(raw))


def _name_of(value: JsonValue, source: str) -> str:
    """Return a string as it is, null as no name, anything else as its JSON text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else source


def _from_form(request: Request) -> ModelRequest:
    raw = request.input.read(_MAX_FORM_BYTES + 1)
    if len(raw) > _MAX_FORM_BYTES:
        return ModelRequest("")
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
    name = next((value for key, value in pairs if key == "model"), None)
    if name is None:
        name = request.query_value("model") or ""
    body, length = _as_it_came(raw, request.content_length)
    return ModelRequest(name, body, length)


def _from_multipart(request: Request, kind: str) -> ModelRequest:
    in_query = request.query_value("model")
    if in_query is not None:
        return _from_query(request)
    _, options = parse_options_header(kind)
    if not options.get("boundary"):
        return ModelRequest("")
    form = _SpooledForm(request, MultipartScanner(options["boundary"]))
    name = form.read_to_model()
    return ModelRequest(name, form, request.content_length, _form=form)


class _Input:
    """``wsgi.input`` with ``read1``, which not every server has."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._read = getattr(stream, "read1", stream.read)

    def read1(self, limit_bytes: int, /) -> bytes:
        """Return what is there; see ``Readable``."""
        data: bytes = self._read(limit_bytes)
        return data


class _SpooledForm:
    """A multipart body: what had to be read to find the model, then the rest."""

    def __init__(self, request: Request, scanner: MultipartScanner) -> None:
        self._input = _Input(request.input)
        self._scanner = scanner
        self._spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed with the response
        request.on_close(self._spool.close)
        self._request = request

    def read_to_model(self) -> str:
        """Return the first ``model`` field, "" if there is none."""
        while not self._scanner.fields and not self._scanner.is_malformed:
            if not self._read_piece():
                break
        self._spool.seek(0)
        fields = self._scanner.fields
        return fields[0].value if fields else ""

    def renamed(self, name: str) -> tuple[Readable, int]:
        """Return the whole body with every ``model`` field replaced, and its length.

        Raises:
            BadRequestError: the name cannot stand in a form.
        """
        if "\r" in name or "\n" in name:
            raise BadRequestError("a model name cannot contain line breaks")
        self._spool.seek(0, 2)
        while self._read_piece():
            pass
        out = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed with the response
        self._request.on_close(out.close)
        self._spool.seek(0)
        for span in self._scanner.fields:
            self._copy(out, span.start - self._spool.tell())
            out.write(name.encode())
            self._spool.seek(span.end)
        self._copy(out, None)
        length = out.tell()
        out.seek(0)
        return _Input(out), length

    def read1(self, limit_bytes: int, /) -> bytes:
        """Return the spooled part first, then what arrives."""
        return self._spool.read(limit_bytes) or self._input.read1(limit_bytes)

    def _read_piece(self) -> bool:
        data = self._input.read1(_READ_BYTES)
        self._spool.write(data)
        self._scanner.feed(data)
        return bool(data)

    def _copy(
        self, out: "tempfile.SpooledTemporaryFile[bytes]", count: int | None
    ) -> None:
        while count is None or count > 0:
            piece = self._spool.read(
                _READ_BYTES if count is None else min(count, _READ_BYTES)
            )
            if not piece:
                return
            out.write(piece)
            if count is not None:
                count -= len(piece)
