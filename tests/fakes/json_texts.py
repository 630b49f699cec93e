"""JSON texts as nobody's serializer writes them."""

import json
import random

from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def spelled(value: object, rng: random.Random) -> str:
    """Return *value* with blanks anywhere, some escapes, and numbers like 1.50."""
    if isinstance(value, dict):
        members = (
            f"{spelled(key, rng)}{_blanks(rng)}:{spelled(item, rng)}"
            for key, item in value.items()
        )
        text = "{" + (",".join(members) or _blanks(rng)) + "}"
    elif isinstance(value, list):
        text = "[" + (",".join(spelled(v, rng) for v in value) or _blanks(rng)) + "]"
    elif isinstance(value, float) and "e" not in repr(value):
        text = f"{value!r}0"
    else:
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    return f"{_blanks(rng)}{text}{_blanks(rng)}"


def _blanks(rng: random.Random) -> str:
    return rng.choice(["", "", "", " ", "\n  ", "\t\r\n"])
