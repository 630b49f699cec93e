"""Decodes which router and scheduler decide, and ``groups`` (config.md 12 to 14)."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from swapper.config.decode.budget import BUDGET, decode_budget, decode_needs
from swapper.config.decode.matrix import decode_matrix
from swapper.config.decode.section import Item, Section
from swapper.config.document import shortened
from swapper.config.report import Report
from swapper.config.schema import DEFAULT_GROUP, Config, GroupConfig, ModelConfig
from swapper.core.ids import ModelId
from swapper.core.plugins import registered

_GROUP: Final = "group"
_MATRIX: Final = "matrix"
_ROUTERS: Final = (_GROUP, _MATRIX, BUDGET)

_SCHEDULERS: Final = ("fifo", "adaptive")

# Where other packages register theirs; the registry.py of each makes them.
_PLANNER_ENTRY_POINTS: Final = "swapper.planners"
_SCHEDULER_ENTRY_POINTS: Final = "swapper.schedulers"


def decode_routing(document: Section, config: Config, report: Report) -> Config:
    """Return *config*, which has the models already, with router and scheduler."""
    router = document.section("routing").section("router")
    settings = router.section("settings")
    use = _router_of(document, router, settings)
    # The older, top-level spelling of the two settings stays supported. What the
    # chosen router does not look at is not checked either.
    matrix, budget = config.matrix, decode_needs(document, use)
    if use == _MATRIX:
        home = document if document.is_set("matrix") else settings
        groups = _default_group(config.models, ())
        matrix = decode_matrix(home, config)
    elif use == BUDGET:
        groups = _default_group(config.models, ())
        budget = decode_budget(document, settings, budget)
    else:
        is_new = settings.is_set("groups") and not document.is_filled("groups")
        groups = decode_groups(settings if is_new else document, config.models, report)
    scheduler = document.section("routing").section("scheduler")
    scheduler_use = _scheduler_of(scheduler)
    priority, max_wait_s = _rules_of(
        scheduler_use, scheduler.section("settings"), config
    )
    return replace(
        config,
        router=use,
        groups=groups,
        matrix=matrix,
        budget=budget,
        scheduler=scheduler_use,
        priority=priority,
        max_wait_s=max_wait_s,
    )


def _router_of(document: Section, router: Section, settings: Section) -> str:
    """Return the name of the router, having checked that only one is meant."""
    use = router.text("use")
    old = document.is_set("matrix") or document.is_filled("groups")
    new = use or settings.is_filled("groups") or settings.is_set("matrix")
    if old and new:
        key = "matrix" if document.is_set("matrix") else "groups"
        message = "conflicts with routing.router; move it to routing.router.settings"
        document.error(key, message)
    if document.is_set("matrix"):
        if document.is_filled("groups"):
            document.error("matrix", "conflicts with groups; keep one of them")
        return _MATRIX
    for other in (_MATRIX, BUDGET):
        if not use and settings.is_filled(other):
            message = f"has no effect unless routing.router.use is {other}"
            settings.warn(other, message)
        if use == other and not settings.is_set(other):
            router.error("use", f"{other} needs routing.router.settings.{other}")
    if not _is_router(use):
        known = f"{', '.join(_ROUTERS[:-1])} or {_ROUTERS[-1]}"
        router.error("use", f'must be {known}, not "{shortened(use)}"')
    return use or _GROUP


def _is_router(name: str) -> bool:
    """Tell whether *name* is one of ours, "" or one that a package registers."""
    return name in ("", *_ROUTERS) or bool(registered(_PLANNER_ENTRY_POINTS, name))


def _scheduler_of(scheduler: Section) -> str:
    use = scheduler.text("use") or _SCHEDULERS[0]
    if use not in _SCHEDULERS and not registered(_SCHEDULER_ENTRY_POINTS, use):
        known = " or ".join(_SCHEDULERS)
        scheduler.error("use", f'must be {known}, not "{shortened(use)}"')
    return use


def _rules_of(
    use: str, settings: Section, config: Config
) -> tuple[Mapping[ModelId, int], int]:
    """Return priorities and ``maxWait`` of the scheduler in use, checking all.

    The scheduler of another package is given those of ``fifo``.
    """
    own = use if use in _SCHEDULERS else _SCHEDULERS[0]
    for other in _SCHEDULERS:
        if other != own and settings.is_filled(other):
            message = f"has no effect unless routing.scheduler.use is {other}"
            settings.warn(other, message)
    homes = {name: settings.section(name) for name in _SCHEDULERS}
    rules = {
        name: (_priority(home, config), home.integer("maxWait"))
        for name, home in homes.items()
    }
    return rules[own]


def _priority(rules: Section, config: Config) -> Mapping[ModelId, int]:
    priority: dict[ModelId, int] = {}
    for name, (number, item) in rules.integer_map("priority").items():
        model = config.model_by_name.get(name)
        if model is None:
            rules.error_item(item, f"{name} is neither a model nor an alias")
        elif model in priority:
            rules.error_item(item, f"{name} is {model}, which has a priority already")
        else:
            priority[model] = number
    return MappingProxyType(priority)


def decode_groups(
    home: Section, models: Mapping[ModelId, ModelConfig], report: Report
) -> Mapping[str, GroupConfig]:
    """Return the groups by id, in file order, ``(default)`` last.

    A member given by an alias is its model. Models in no group are in
    ``(default)``, in the order of *models*.
    """
    members = _Members(models, report)
    groups = tuple(
        _decode_group(group_id, section, members)
        for group_id, section in home.sections("groups").items()
    )
    if any(group.id == DEFAULT_GROUP for group in groups):
        message = f"{DEFAULT_GROUP} holds the models of no group; choose another name"
        home.sections("groups")[DEFAULT_GROUP].error("", message)
    return _default_group(models, groups)


def _default_group(
    models: Mapping[ModelId, ModelConfig], groups: tuple[GroupConfig, ...]
) -> Mapping[str, GroupConfig]:
    """Return *groups* and the one that holds the models of none of them."""
    taken = {member for group in groups for member in group.members}
    left = tuple(model_id for model_id in models if model_id not in taken)
    rest = GroupConfig(id=DEFAULT_GROUP, members=left)
    return MappingProxyType({group.id: group for group in (*groups, rest)})


def _decode_group(group_id: str, section: Section, members: "_Members") -> GroupConfig:
    claimed = (members.claim(item, group_id) for item in section.texts("members"))
    return GroupConfig(
        id=group_id,
        swap=section.boolean("swap"),
        exclusive=section.boolean("exclusive"),
        persistent=section.boolean("persistent"),
        members=tuple(member for member in claimed if member is not None),
    )


class _Members:
    """Gives each model to at most one group; one per load."""

    def __init__(self, models: Mapping[ModelId, ModelConfig], report: Report) -> None:
        self._by_name = {
            **{alias: m.id for m in models.values() for alias in m.aliases},
            **{str(model_id): model_id for model_id in models},
        }
        self._group_of: dict[ModelId, str] = {}
        self._report = report

    def claim(self, member: Item, group_id: str) -> ModelId | None:
        """Return the model that *member* names; None if it is reported instead."""
        model_id = self._by_name.get(member.text)
        if model_id is None:
            message = f"{member.text} is neither a model nor an alias"
        elif model_id in self._group_of:
            message = f"{member.text} is already in group {self._group_of[model_id]}"
        else:
            self._group_of[model_id] = group_id
            return model_id
        self._report.error(member.path, member.where, message)
        return None
