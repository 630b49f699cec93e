"""A finished request."""

from swapper.record.row import Finished
from swapper.record.tokens import Tokens


def finished(
    model: str = "m1",
    status: int = 200,
    *,
    peer: str = "",
    is_known: bool = True,
) -> Finished:
    """Return one that took 400 ms, 300 of them loading, and 19 tokens."""
    return Finished(
        request_id="r",
        model=model,
        peer=peer,
        is_known=is_known,
        method="POST",
        route="/v1/chat/completions",
        req_path="/v1/chat/completions",
        is_recorded=True,
        status=status,
        resp_content_type="application/json",
        resp_bytes=100,
        is_truncated=status != 200,
        ended_s=0.0,
        duration_ms=400,
        queue_ms=0,
        load_ms=300,
        first_byte_ms=None,
        tokens=Tokens(input_tokens=12, output_tokens=7, cache_tokens=-1),
    )
