"""What a configuration comes down to, as text for ``--check-config``."""

import shlex
from collections.abc import Iterator, Mapping

from swapper.config.budget import BudgetConfig
from swapper.config.commands import split_command
from swapper.config.expressions import MatrixConfig, expression_text
from swapper.config.learnt import Amounts
from swapper.config.report import printable
from swapper.config.schema import (
    Config,
    GroupConfig,
    ModelConfig,
    PeerConfig,
    ProfileConfig,
    SelectorConfig,
    Strategy,
)
from swapper.config.secrets import Secrets


def summary(config: Config, variables: Mapping[str, str]) -> str:
    """Return the warnings and everything that has a name, with effective values.

    Keys and the values of environment variables are not shown (``Secrets``).

    Args:
        config: as loaded.
        variables: the environment variables that its sources use.
    """
    peer_keys = (peer.api_key for peer in config.peers.values())
    secrets = Secrets(variables, (*config.api_keys, *peer_keys))
    return "\n".join(_lines(config, secrets))


def _lines(config: Config, secrets: Secrets) -> Iterator[str]:
    for warning in config.warnings:
        yield secrets.hidden_in(f"warning: {warning}")
    for title, entries in (
        ("models", _models(config, secrets)),
        (f"router {config.router}", _groups(config)),
        (f"scheduler {config.scheduler}", _priority(config)),
        ("peers", _peers(config)),
        ("selectors", map(_selector, config.selectors.values())),
        ("profiles", map(_profile, config.profiles.values())),
        ("preload", iter(config.preload)),
    ):
        shown = [f"  {printable(secrets.hidden_in(entry))}" for entry in entries]
        if shown:
            yield f"{title}:"
            yield from shown
    yield _access(config)
    yield f"{len(config.models)} models, configuration is valid"


def _access(config: Config) -> str:
    count = len(config.api_keys)
    return f"clients need one of {count} keys" if count else "clients need no key"


# --- models and who runs beside whom ------------------------------------------


def _models(config: Config, secrets: Secrets) -> Iterator[str]:
    for model in config.models.values():
        yield _named(model.id, *_names_of(model))
        for label, value in _settings_of(model, secrets):
            yield f"  {label:<8}{value}"


def _names_of(model: ModelConfig) -> Iterator[str]:
    if model.aliases:
        yield f"also {', '.join(model.aliases)}"
    if model.unlisted:
        yield "unlisted"


def _settings_of(model: ModelConfig, secrets: Secrets) -> Iterator[tuple[str, str]]:
    yield "cmd", _command(model.cmd, secrets)
    if model.cmd_stop:
        yield "cmdStop", _command(model.cmd_stop, secrets)
    yield "proxy", model.proxy or "none"
    if model.port is not None:
        yield "port", str(model.port)
    yield "ttl", f"{model.ttl_s} s" if model.ttl_s else "0, never unloaded for idling"
    if model.env:
        # Only the names: a value may be a secret.
        names = dict.fromkeys(item.partition("=")[0] for item in model.env)
        yield "env", ", ".join(names)


def _command(text: str, secrets: Secrets) -> str:
    """Return a command as a shell would be given it."""
    try:
        return shlex.join(split_command(secrets.hidden_in(text)))
    except ValueError:
        return "none"


def _groups(config: Config) -> Iterator[str]:
    if config.router == "matrix":
        yield from _matrix(config.matrix)
        return
    if config.router == "budget":
        yield from _budget(config)
        return
    for group in config.groups.values():
        if group.members:
            yield _named(_list(group.id, group.members), *_rules_of(group))


def _matrix(matrix: MatrixConfig) -> Iterator[str]:
    for entry in matrix.sets:
        yield f"{entry.name}: {expression_text(entry.expression)}"
    costs = (
        f"{model} {cost}" for model, cost in matrix.evict_costs.items() if cost > 1
    )
    listed = ", ".join(costs)
    if listed:
        yield f"evicting costs 1, but: {listed}"


def _budget(config: Config) -> Iterator[str]:
    budget = config.budget
    yield f"there is {_amounts(budget, budget.resources)}"
    for model in config.models:
        needs = budget.needs.get(model)
        unknown = (
            f"{', '.join(budget.measured)} as measured"
            if budget.measured
            else "runs alone"
        )
        what = unknown if needs is None else _amounts(budget, needs)
        yield _named(f"{model}: {what}", *(["pinned"] * (model in budget.pinned)))


def _amounts(budget: BudgetConfig, amounts: Amounts) -> str:
    listed = (f"{name} {budget.text(name, n)}" for name, n in amounts.items())
    return ", ".join(listed) or "nothing"


def _rules_of(group: GroupConfig) -> Iterator[str]:
    yield "one at a time" if group.swap else "together"
    yield "stops other groups" if group.exclusive else "stops no other group"
    if group.persistent:
        yield "persistent"


def _priority(config: Config) -> Iterator[str]:
    for model, priority in config.priority.items():
        yield f"{model}: priority {priority}"


# --- other names --------------------------------------------------------------


def _peers(config: Config) -> Iterator[str]:
    for peer in config.peers.values():
        key = ("with a key",) if peer.api_key else ()
        yield _named(f"{peer.id}: {peer.proxy}", *key)
        yield from _models_of(peer, config)


def _models_of(peer: PeerConfig, config: Config) -> Iterator[str]:
    for name in peer.models:
        qualified = f"{peer.id}/{name}"
        offered = config.peer_by_name[qualified]
        is_bare = (
            name not in config.model_by_name
            and config.peer_by_name.get(name) == offered
        )
        yield f"  {_named(qualified, *((f'also {name}',) if is_bare else ()))}"


def _selector(selector: SelectorConfig) -> str:
    what = str(selector.strategy)
    if selector.strategy is Strategy.SPILLOVER:
        what = f"{what} at {selector.spillover}"
    hidden = ("unlisted",) if selector.unlisted else ()
    return _named(_list(selector.id, selector.targets), what, *hidden)


def _profile(profile: ProfileConfig) -> str:
    pins = (f"{name} -> {target or 'off'}" for name, target in profile.pins.items())
    return _list(profile.id, pins)


def _list(name: str, items: Iterator[str] | tuple[str, ...]) -> str:
    return f"{name}: {', '.join(items)}"


def _named(name: str, *remarks: str) -> str:
    return f"{name} ({'; '.join(remarks)})" if remarks else name
