"""Edits of request bodies that a configuration asks for (http-api.md section 11)."""

from collections.abc import Mapping

from swapper.config.schema import FilterConfig
from swapper.core.errors import FilterError
from swapper.core.json import JsonValue
from swapper.web.json_edit import JsonDocument, PathError
from swapper.web.model_name import ModelRequest


def apply_filters(
    wanted: ModelRequest, filters: FilterConfig, use_model_name: str, requested: str
) -> None:
    """Edit the body of *wanted*: another model name, then strip, set, set by name.

    JSON bodies only, except that a multipart form too gets *use_model_name*.
    ``wanted.name`` stays what it is. Request threads only.

    Args:
        wanted: the request; what it forwards changes.
        filters: of the model, or of the peer that will serve it.
        use_model_name: what the upstream calls the model; "" keeps the name.
        requested: the name that chooses among ``set_params_by_id``: as requested,
            after profile and selectors, an alias not resolved.

    Raises:
        FilterError: a parameter cannot be removed or set.
        BadRequestError: *use_model_name* cannot stand in a form.
    """
    if wanted.document is None:
        if use_model_name:
            wanted.rename_in_body(use_model_name)
        return
    by_name = filters.set_params_by_id.get(requested, {})
    if not (use_model_name or filters.strip_params or filters.set_params or by_name):
        return

    wanted.edit(lambda document: _edit(document, filters, use_model_name, by_name))


def _edit(
    document: JsonDocument,
    filters: FilterConfig,
    use_model_name: str,
    by_name: Mapping[str, JsonValue],
) -> None:
    if use_model_name:
        document.set("model", use_model_name)
    for path in filters.strip_params:
        try:
            document.remove(path)
        except PathError as exc:
            raise FilterError(
                f"error stripping parameter {path} from request: {exc}"
            ) from exc
    for path, value in (*filters.set_params.items(), *by_name.items()):
        try:
            document.set(path, value)
        except PathError as exc:
            raise FilterError(
                f"error setting parameter {path} in request: {exc}"
            ) from exc
