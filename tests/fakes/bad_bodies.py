"""Request bodies that name a model in odd ways, or only seem to."""

from random import Random
from typing import Final

MULTIPART: Final = b"----b0undary"


def odd_body(dice: Random, body: bytes) -> bytes:
    """Return something else to send in the place of a valid *body*."""
    depth = dice.choice((50, 3000))
    bodies = (
        *(b"", b"{", b"null", b"[]", b'{"model":', b'{"model":"pm"', b"\xff\xfe{}"),
        *(b'{"model":"pm","model":"local"}', b'{"model":"pm","m\\u006fdel":"x"}'),
        *(b'{"model":"\\ud800"}', b'{"model":"\xff"}', b'{"model":"pm\\u0000"}'),
        *(b'{"model":"edited","x":' + b"[" * depth + b"]" * depth + b"}",),
        *(b'{"model":"edited","x":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}",),
        *(b"[" * depth, b'{"model":"edited","temperature":' + b"9" * 5000 + b"}"),
        *(b'{"model":5}', b'{"model":1e999}', b'{"model":' + b"1" * 5000 + b"}"),
        *(
            b'{"model":{"a":1}}',
            b'{"model":true,"stream":1e9}',
            b'\xef\xbb\xbf{"model":"pm"}',
        ),
        *(b'{"model":"good/pm","a":NaN}', b'{"model":"pm"} x', b'{"model":"pm\ny"}'),
        *(b"model=pm%", b"model=%00&model=pm", b"model=%ff", b"&&=&model", b"\0"),
        *(b'{"model":"edited","a":{"b":"\\ud800"},"a":1}', b'{"stream":"\\ud83d"}'),
        *(body[: len(body) // 2], body + b"\0", body * 2),
        *(body.replace(MULTIPART, b"x"), body.replace(b"\r\n", b"\n")),
        body.replace(b"\r\n\r\n", b"\r\n" + b"h" * 70_000 + b"\r\n\r\n"),
        body.replace(b"name=model", b'name="mo\\"del\xff'),
        b"GET /upstream/pm/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
        b"0\r\n\r\nGET /upstream/pm/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    return dice.choice(bodies)
