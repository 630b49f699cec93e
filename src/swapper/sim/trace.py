"""The trace format: JSON lines that say which models there are and who asks for them.

The first line is a swapper configuration in JSON whose models have ``load`` and
``stop``, the seconds that these take, in place of a command; ``about`` is for
the reader. All else (``routing``, ``groups``, ``ttl`` ...) means what it means there:

    {"about": "...", "models": {"a": {"load": 8, "stop": 2}, "b": {"load": 3}}}

Every other line is a client, or several. A single request has a time, a model and a
duration, which is how long its answer takes:

    {"time": 1.5, "client": "ann", "model": "a", "duration": 2}

A chain is a client that asks, reads the answer, thinks, and asks again, so that
its next request depends on when the last one was answered; ``count`` repeats
the whole chain. Its items are models, or mappings with a ``duration`` or ``think`` of
their own. Each thinks after its answer:

    {"client": "agent", "chain": ["a", {"model": "b", "duration": 9}], "duration": 2,
     "think": 0.3, "count": 20}

Many independent requests are written in short. These are 500, one every 0.2 s; with
``seed`` they come at random (exponential gaps with this mean). Several models are
asked for, and ``clients`` clients named ``crowd-1`` and so on ask, by turns; with
``seed`` at random:

    {"client": "crowd", "clients": 9, "model": ["a", "b"], "duration": 1, "count": 500,
     "every": 0.2, "seed": 7}

``time`` is 0, ``load`` 10, ``stop`` 1, ``duration`` 1, ``think`` and ``every`` 0, and
``count`` and ``clients`` 1 if not given; all times are in seconds.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from swapper.core.ids import ModelId
from swapper.core.json import JsonValue

DEFAULT_LOAD_S: Final = 10.0
DEFAULT_STOP_S: Final = 1.0

_COMMON: Final = frozenset({"time", "client", "duration", "count"})
_SINGLE: Final = _COMMON | {"model", "clients", "every", "seed"}
_CHAIN: Final = _COMMON | {"chain", "think"}
_ITEM: Final = frozenset({"model", "duration", "think"})


class TraceError(Exception):
    """A trace does not follow the format; the text says where."""


@dataclass(frozen=True, slots=True)
class ModelTimes:
    """How long a simulated model takes.

    Attributes:
        load_s: until it is ready.
        stop_s: until nothing of it is left.
    """

    load_s: float = DEFAULT_LOAD_S
    stop_s: float = DEFAULT_STOP_S


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a chain.

    Attributes:
        duration_s: from the lease to the end of the response.
        think_s: from then to the next request.
    """

    model: ModelId
    duration_s: float
    think_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who makes one request after the other; a single request is a chain.

    Attributes:
        begins_s: when the first request is made.
    """

    name: str
    begins_s: float
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A whole trace.

    Attributes:
        times: by model; those not named take the defaults.
        settings: the rest of the first line, a configuration without commands.
        clients: in the order of the lines.
    """

    times: Mapping[ModelId, ModelTimes]
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    clients: Sequence[Client] = ()


def read_trace(path: Path) -> Trace:
    """Return the trace in a file; blocks.

    Raises:
        TraceError: it cannot be read, or does not follow the format.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise TraceError(f"{path}: {exc}") from exc
    return parse_trace(text, str(path))


def parse_trace(text: str, source: str = "trace") -> Trace:
    """Return the trace in *text*; messages call it *source*.

    Raises:
        TraceError: it does not follow the format.
    """
    lines = [
        _Line(f"{source}:{number}", line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    ]
    if not lines or "models" not in lines[0].fields:
        raise TraceError(f"{source}:1: the first line must have models")
    head, *rest = lines
    times = {
        ModelId(name): ModelTimes(
            settings.number("load", DEFAULT_LOAD_S),
            settings.number("stop", DEFAULT_STOP_S),
        )
        for name, settings in head.mappings("models")
    }
    clients = [client for line in rest for client in _clients(line)]
    return Trace(times=times, settings=head.fields, clients=clients)


class _Line:
    """One mapping and how to read it with complaints that name the place."""

    def __init__(self, where: str, given: str | Mapping[str, JsonValue]) -> None:
        self.where = where
        try:
            fields = json.loads(given) if isinstance(given, str) else given
        except ValueError as exc:
            raise self.error(f"is not JSON: {exc}") from exc
        if not isinstance(fields, Mapping):
            raise self.error("must be a mapping")
        self.fields: Mapping[str, JsonValue] = fields

    def error(self, message: str) -> TraceError:
        """Return the complaint."""
        return TraceError(f"{self.where}: {message}")

    def allow(self, names: frozenset[str]) -> None:
        """Complain about a field that is none of *names*."""
        for name in self.fields:
            if name not in names:
                raise self.error(f"{name} is not one of {', '.join(sorted(names))}")

    def number(self, name: str, default: float) -> float:
        """Return a number that is not negative."""
        value = self.fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise self.error(f"{name} must be a number, 0 or more")
        return float(value)

    def count(self, name: str, default: int) -> int:
        """Return a whole number."""
        value = self.number(name, default)
        if value != int(value):
            raise self.error(f"{name} must be a whole number")
        return int(value)

    def text(self, name: str) -> str:
        """Return a text that must be there."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise self.error(f"{name} must be a text")
        return value

    def texts(self, name: str) -> list[str]:
        """Return one text or a list of them."""
        value = self.fields.get(name)
        texts = value if isinstance(value, list) else [value]
        names = [text for text in texts if isinstance(text, str) and text]
        if not names or len(names) < len(texts):
            raise self.error(f"{name} must be a text or a list of texts")
        return names

    def mappings(self, name: str) -> Iterator[tuple[str, "_Line"]]:
        """Yield the mappings in the mapping *name*."""
        value = self.fields.get(name)
        if not isinstance(value, Mapping):
            raise self.error(f"{name} must be a mapping")
        for key, below in value.items():
            if not isinstance(below, Mapping):
                raise self.error(f"{name}.{key} must be a mapping")
            yield key, _Line(f"{self.where} {name}.{key}", below)


def _clients(line: _Line) -> Iterator[Client]:
    if "chain" not in line.fields:
        yield from _independent(line)
        return
    line.allow(_CHAIN)
    items = line.fields["chain"]
    if not isinstance(items, list) or not items:
        raise line.error("chain must be a list of models or mappings")
    steps = [_step(line, item, number) for number, item in enumerate(items, 1)]
    steps *= line.count("count", 1)
    yield Client(line.text("client"), line.number("time", 0.0), steps)


def _step(line: _Line, item: JsonValue, number: int) -> Step:
    given = {"model": item} if isinstance(item, str) else item
    if not isinstance(given, Mapping):
        raise line.error(f"item {number} of chain must be a model or a mapping")
    own = _Line(f"{line.where} chain item {number}", given)
    own.allow(_ITEM)
    return Step(
        ModelId(own.text("model")),
        own.number("duration", line.number("duration", 1.0)),
        own.number("think", line.number("think", 0.0)),
    )


def _independent(line: _Line) -> Iterator[Client]:
    line.allow(_SINGLE)
    models = [ModelId(name) for name in line.texts("model")]
    name, count = line.text("client"), line.count("clients", 1)
    names = [name] if count == 1 else [f"{name}-{n}" for n in range(1, count + 1)]
    if not names:
        raise line.error("clients must be 1 or more")
    duration_s, every_s = line.number("duration", 1.0), line.number("every", 0.0)
    is_random = "seed" in line.fields
    dice = random.Random(line.count("seed", 0))  # noqa: S311 - a simulation
    now = line.number("time", 0.0)
    for number in range(line.count("count", 1)):
        if is_random:
            now += dice.expovariate(1 / every_s) if every_s else 0.0
            step = Step(dice.choice(models), duration_s)
            yield Client(dice.choice(names), now, (step,))
        else:
            step = Step(models[number % len(models)], duration_s)
            who = names[number % len(names)]
            yield Client(who, now + number * every_s, (step,))
