"""Which model a request names, and giving it another name (http-api.md 7, 8, 11).

Reading never changes the body: what is forwarded are the bytes that came. A new name
changes only its own bytes in JSON and multipart bodies; queries and urlencoded bodies
are written anew, sorted by key.
JSON bodies are held in memory. A multipart body is read up to the end of its first
``model`` field and relayed from there on as it arrives.
"""

import io
import json
import tempfile
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import parse_qsl, urlencode

from werkzeug.http import parse_options_header

from swapper.core.errors import BadRequestError, NotFoundError
from swapper.relay import Buffers
from swapper.web.json_edit import JsonDocument, encode
from swapper.web.json_path import parse_path
from swapper.web.multipart import MultipartScanner
from swapper.web.request import Pieces, Request

NO_MODEL: Final = "no model id could be identified"
"""The answer to a request that names no model, or one that is switched off."""

_MAX_FORM_BYTES: Final = 10 << 20
_LARGE_BYTES: Final = 1 << 18
_SPOOL_BYTES: Final = 1 << 20
_READ_BYTES: Final = 65536
_MODEL: Final = parse_path("model")


class Readable(Protocol):
    """A body to be read once."""

    def read1(self, limit_bytes: int, /) -> bytes:
        """Return what is there, at least one byte; b"" at the end."""
        ...


@dataclass(slots=True)
class ModelRequest:
    """A request whose model name has been found.

    Attributes:
        name: as the client spelled it, or as it was renamed; never empty.
        body: to forward; None if there is none.
        length: of the body in bytes; None if unknown (it came chunked).
        document: a JSON body, to be looked into; see ``take_edits``.
    """

    name: str
    body: bytes | Readable | None = None
    length: int | None = 0
    document: JsonDocument | None = None
    _form: "_SpooledForm | None" = None
    _stream: str | None = None
    _urlencoded: str | None = None
    _named_in_query: Request | None = None

    @property
    def is_streaming(self) -> bool:
        """Return whether the client asks for a stream (http-api.md section 7).

        Of a multipart body counts what has been read to find the model.
        """
        if self.document is not None:
            return _is_true(self.document.values("stream"))
        if self._stream is None and self._form is not None:
            return self._form.first("stream") == "true"
        return self._stream == "true"

    def rename(self, name: str) -> None:
        """Put *name* wherever the request names its model, and in ``name``.

        For pins, selectors and peers, which decide who gets the request; other than
        in the reference the new name also counts for routing if it stands in a form
        or in the query of a request with a body.

        Raises:
            BadRequestError: the name cannot stand in a form.
        """
        self.name = name
        self.rename_in_body(name)
        if self._urlencoded is not None:
            raw = _with_model(self._urlencoded, name).encode("latin-1")
            self.body, self.length = _as_it_came(raw, self.length)
        if self._named_in_query is not None:
            request = self._named_in_query
            request.replace_query(_with_model(request.query, name))

    def rename_in_body(self, name: str) -> None:
        """Replace the name in a JSON or multipart body; ``name`` and the rest stay.

        For ``useModelName``: queries and urlencoded bodies are left alone
        (http-api.md 11.5).

        Raises:
            BadRequestError: the name cannot stand in a form.
        """
        if self.document is not None:
            self.document.set(_MODEL, encode(name))
            self.take_edits()
        elif self._form is not None:
            self.body, self.length = self._form.renamed(name)

    def take_edits(self) -> None:
        """Forward what ``document``, which was edited, is now; what came chunked so."""
        document = self.document
        if document is None:
            return
        if self.length is not None and len(document) > _LARGE_BYTES:
            # no copy: it would take the interpreter from others for milliseconds
            self.body = buffers = Buffers(document.texts())
            self.length = len(buffers)
        else:
            self.body, self.length = _as_it_came(document.to_bytes(), self.length)


def find_model(request: Request) -> ModelRequest:
    """Return the model that *request* names, and its body ready to forward.

    Raises:
        NotFoundError: it names none.
        InvalidJsonError: a JSON body does not parse.
        BadRequestError: the body names two.
    """
    found = _look_into(request)
    if not found.name:
        raise NotFoundError(NO_MODEL)
    return found


def unread_body(request: Request) -> tuple[bytes | Readable | None, int | None]:
    """Return the body as it comes from the client, and its length if known."""
    length = request.content_length
    return (None if length == 0 else request.pieces), length


def body_with_name(
    request: Request, name: str, new: str
) -> tuple[bytes | Readable | None, int | None]:
    """Return the body to forward, *new* in the place of the model's *name*.

    For routes that do not care what is in a request: what names another model or none,
    or is not the JSON it says it is, goes on as it came. A query is changed likewise.

    Raises:
        BadRequestError: *new* cannot stand in a form.
    """
    if request.method != "GET" and "application/json" in request.header("Content-Type"):
        raw = request.input.read()
        try:
            found = _in_json(request, raw)
        except BadRequestError:
            return _as_it_came(raw, request.content_length)
    else:
        found = _look_into(request)
    if found.name == name:
        found.rename(new)
    return found.body, found.length


def _look_into(request: Request) -> ModelRequest:
    """Return what the request says; the name is "" if it names no model."""
    kind = request.header("Content-Type")
    if request.method == "GET":
        return _from_query(request)
    if "application/json" in kind:
        return _in_json(request, request.input.read())
    if "multipart/form-data" in kind:
        return _from_multipart(request, kind)
    if "application/x-www-form-urlencoded" in kind and request.method != "HEAD":
        return _from_form(request)
    return _from_query(request)


def _from_query(request: Request) -> ModelRequest:
    body, length = unread_body(request)
    name = request.query_value("model") or ""
    stream = request.query_value("stream")
    return ModelRequest(name, body, length, _stream=stream, _named_in_query=request)


def _in_json(request: Request, raw: bytes) -> ModelRequest:
    document = JsonDocument(raw)
    names = document.values("model")
    if len(names) > 1:  # two readers would disagree about it
        raise BadRequestError('the key "model" is in the body twice')
    body, length = _as_it_came(raw, request.content_length)
    name = _name_of(names[0]) if names else ""
    return ModelRequest(name, body, length, document)


def _as_it_came(raw: bytes, length: int | None) -> tuple[bytes | Readable, int | None]:
    """Return a body that was read whole, and its length; what came chunked goes so."""
    return (io.BytesIO(raw), None) if length is None else (raw, len(raw))


def _name_of(source: bytes) -> str:
    """Return a string as it is, null as no name, anything else as its JSON text."""
    if source.startswith(b'"'):
        return _string(source)
    return "" if source == b"null" else source.decode()


def _string(source: bytes) -> str:
    """Return what a JSON string says."""
    if b"\\" not in source:
        return source[1:-1].decode()
    text: str = json.loads(source)
    return text


def _is_true(sources: list[bytes]) -> bool:
    """Return whether the first of some JSON values is meant as a yes."""
    source = sources[0] if sources else b"null"
    if source.startswith(b'"'):
        return _string(source).lower() in {"true", "t", "1"}
    if source[:1] in b"-0123456789":
        mantissa = source.lower().partition(b"e")[0]
        return any(digit in mantissa for digit in b"123456789")
    return source == b"true"


def _from_form(request: Request) -> ModelRequest:
    raw = request.input.read(_MAX_FORM_BYTES + 1)
    if len(raw) > _MAX_FORM_BYTES:
        rest = Pieces(request.input)
        return ModelRequest("", _Joined(raw, rest), request.content_length)
    text = raw.decode("latin-1")
    body, length = _as_it_came(raw, request.content_length)
    pairs = parse_qsl(text, keep_blank_values=True)
    name = next((value for key, value in pairs if key == "model"), None)
    stream = next((value for key, value in pairs if key == "stream"), None)
    if stream is None:
        stream = request.query_value("stream")
    if name is not None:
        return ModelRequest(name, body, length, _stream=stream, _urlencoded=text)
    name = request.query_value("model") or ""
    return ModelRequest(name, body, length, _stream=stream, _named_in_query=request)


def _with_model(encoded: str, name: str) -> str:
    """Return a query with all its ``model`` values replaced by one, sorted by key.

    Pairs are taken as bytes, so that what is not UTF-8 stays what it is.
    """
    pairs = parse_qsl(encoded, keep_blank_values=True, encoding="latin-1")
    kept = [pair for pair in pairs if pair[0] != "model"]
    renamed = [*kept, ("model", name.encode().decode("latin-1"))]
    return urlencode(sorted(renamed, key=lambda pair: pair[0]), encoding="latin-1")


def _from_multipart(request: Request, kind: str) -> ModelRequest:
    in_query = request.query_value("model")
    _, options = parse_options_header(kind)
    if not options.get("boundary"):
        return _from_query(request)
    form = _SpooledForm(request, MultipartScanner(options["boundary"]))
    return ModelRequest(
        form.read_to_model() if in_query is None else in_query,
        form,
        request.content_length,
        _form=form,
        _stream=request.query_value("stream"),
        _named_in_query=None if in_query is None else request,
    )


class _Joined:
    """What has been read of a body, then the rest of it."""

    def __init__(self, begun: bytes, rest: Readable) -> None:
        self._begun = io.BytesIO(begun)
        self._rest = rest

    def read1(self, limit_bytes: int, /) -> bytes:
        """Return what is there; see ``Readable``."""
        return self._begun.read(limit_bytes) or self._rest.read1(limit_bytes)


class _SpooledForm:
    """A multipart body: what had to be read to find the model, then the rest."""

    def __init__(self, request: Request, scanner: MultipartScanner) -> None:
        self._input = request.pieces
        self._scanner = scanner
        self._spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed with the response
        request.on_close(self._spool.close)
        self._request = request

    def read_to_model(self) -> str:
        """Return the first ``model`` field, "" if there is none."""
        while self.first("model") is None and not self._scanner.is_malformed:
            if not self._read_piece():
                break
        self._spool.seek(0)
        return self.first("model") or ""

    def first(self, name: str) -> str | None:
        """Return the first such field in what has been read, None if there is none."""
        fields = (field for field in self._scanner.fields if field.name == name)
        return next((field.value for field in fields), None)

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
        models = [field for field in self._scanner.fields if field.name == "model"]
        for span in models:
            self._copy(out, span.start - self._spool.tell())
            out.write(name.encode())
            self._spool.seek(span.end)
        self._copy(out, None)
        length = out.tell()
        out.seek(0)
        return Pieces(out), length

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
