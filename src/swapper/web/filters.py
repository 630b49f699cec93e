"""Edits of request bodies that a configuration asks for (http-api.md section 11)."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from swapper.config.schema import FilterConfig
from swapper.core.errors import FilterError
from swapper.core.json import JsonValue
from swapper.web.json_edit import JsonDocument, PathError, encode
from swapper.web.json_path import Path, parse_path
from swapper.web.model_name import ModelRequest

_NOTHING: Final[Mapping[str, JsonValue]] = {}


class _Edit(NamedTuple):
    """What becomes of one place in a body.

    Attributes:
        path: of the place.
        text: of the new value; None takes the place out.
        name: of the parameter, as configured.
    """

    path: Path
    text: bytes | None
    name: str


class BodyFilters:
    """The edits for one model or peer. Request threads only.

    Paths and values are made ready once, when the first body comes.
    """

    __slots__ = ("_by_name", "_filters", "_use_model_name", "_usual")

    def __init__(self, filters: FilterConfig, use_model_name: str = "") -> None:
        """Know what is to be edited.

        Args:
            filters: of the model, or of the peer that will serve the requests.
            use_model_name: what the upstream calls the model; "" keeps the name.
        """
        self._filters = filters
        self._use_model_name = use_model_name
        self._usual: tuple[_Edit, ...] = ()
        self._by_name: Mapping[str, tuple[_Edit, ...]] | None = None

    def apply(self, wanted: ModelRequest, requested: str) -> None:
        """Edit the body of *wanted*: another model name, then strip, set, set by name.

        JSON bodies only, except that a multipart form too gets the model name.
        ``wanted.name`` stays what it is.

        Args:
            wanted: the request; what it forwards changes.
            requested: the name that chooses among ``set_params_by_id``: as requested,
                after profile and selectors, an alias not resolved.

        Raises:
            FilterError: a parameter cannot be removed or set.
            BadRequestError: the model name cannot stand in a form.
        """
        document = wanted.document
        if document is None:
            if self._use_model_name:
                wanted.rename_in_body(self._use_model_name)
            return
        if self._by_name is None:
            self._by_name = self._made_ready()
        edits = self._by_name.get(requested, self._usual)
        if edits:
            for edit in edits:
                _make(document, edit)
            wanted.take_edits()

    def _made_ready(self) -> Mapping[str, tuple[_Edit, ...]]:
        """Return the edits by requested name, those for all others noted before."""
        self._usual = tuple(self._edits(_NOTHING))
        by_name = self._filters.set_params_by_id
        return {name: tuple(self._edits(params)) for name, params in by_name.items()}

    def _edits(self, by_name: Mapping[str, JsonValue]) -> Iterator[_Edit]:
        filters = self._filters
        if self._use_model_name:
            yield _Edit(parse_path("model"), encode(self._use_model_name), "model")
        for name in filters.strip_params:
            yield _Edit(parse_path(name), None, name)
        for name, value in (*filters.set_params.items(), *by_name.items()):
            yield _Edit(parse_path(name), encode(value), name)


def _make(document: JsonDocument, edit: _Edit) -> None:
    path, text, name = edit
    try:
        if text is None:
            document.remove(path)
        else:
            document.set(path, text)
    except PathError as exc:
        what = "stripping" if text is None else "setting"
        way = "from" if text is None else "in"
        raise FilterError(
            f"error {what} parameter {name} {way} request: {exc}"
        ) from exc
