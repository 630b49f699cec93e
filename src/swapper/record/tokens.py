"""What an answer cost: the numbers of the activity log about its tokens."""

from typing import Final, NamedTuple

UNKNOWN: Final = -1
"""What an answer with figures does not tell; only input and output are 0 then."""


class Tokens(NamedTuple):
    """Token counts and rates of one answer (http-api.md 22.1).

    Attributes:
        cache_tokens: of the input, taken from a cache; ``UNKNOWN`` if not told.
        draft_tokens: proposed by speculative decoding; ``UNKNOWN`` if not told.
        draft_acc_tokens: of these, accepted; ``UNKNOWN`` if not told.
        input_tokens: of the prompt.
        output_tokens: generated.
        prompt_per_second: input tokens read; ``UNKNOWN`` if not told.
        tokens_per_second: output tokens generated; ``UNKNOWN`` if not told.
    """

    cache_tokens: int = 0
    draft_tokens: int = 0
    draft_acc_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    prompt_per_second: float = 0.0
    tokens_per_second: float = 0.0


NO_TOKENS: Final = Tokens()
"""Of an answer without figures."""
