"""Decodes ``groups`` and the choice of the router (config.md sections 12 and 13)."""

from collections.abc import Mapping
from types import MappingProxyType

from swapper.config.fields import Item, Section
from swapper.config.keys import GROUP, ROUTER, ROUTER_SETTINGS, ROUTING, SCHEDULER
from swapper.config.report import Report
from swapper.config.schema import DEFAULT_GROUP, GroupConfig, ModelConfig
from swapper.core.ids import ModelId

_UNSUPPORTED = "the matrix router is not supported by this version yet"


def decode_groups(
    document: Section, models: Mapping[ModelId, ModelConfig], report: Report
) -> Mapping[str, GroupConfig]:
    """Return the groups by id, in file order, ``(default)`` last.

    A member given by an alias is its model. Models in no group are in
    ``(default)``, in the order of *models*.
    """
    home = _section_with_groups(document)
    members = _Members(models, report)
    groups = {
        group_id: _decode_group(group_id, section, members)
        for group_id, section in home.sections("groups").items()
    }
    if DEFAULT_GROUP in groups:
        message = f"{DEFAULT_GROUP} holds the models of no group; choose another name"
        home.section("groups").error(DEFAULT_GROUP, message)
    left = tuple(model_id for model_id in models if not members.has(model_id))
    groups[DEFAULT_GROUP] = GroupConfig(id=DEFAULT_GROUP, members=left)
    return MappingProxyType(groups)


def _section_with_groups(document: Section) -> Section:
    """Return the section whose ``groups`` count, having checked the router."""
    routing = document.section("routing")
    router = routing.section("router")
    settings = router.section("settings")
    routing.check_keys(ROUTING)
    router.check_keys(ROUTER)
    settings.check_keys(ROUTER_SETTINGS)
    _check_scheduler(routing.section("scheduler"))
    _check_router(document, router, settings)
    return document if document.is_filled("groups") else settings


def _check_router(document: Section, router: Section, settings: Section) -> None:
    use = router.text("use")
    if document.is_set("matrix"):
        document.error("matrix", _UNSUPPORTED)
    if use == "matrix":
        router.error("use", _UNSUPPORTED)
    elif use not in ("", "group"):
        router.error("use", f'must be group or matrix, not "{use}"')
    elif use == "" and settings.is_filled("matrix"):
        settings.warn("matrix", "has no effect unless routing.router.use is matrix")
    is_new = use or settings.is_filled("groups") or settings.is_set("matrix")
    if document.is_filled("groups") and is_new:
        message = "conflicts with routing.router; move to routing.router.settings"
        document.error("groups", message)


def _check_scheduler(scheduler: Section) -> None:
    scheduler.check_keys(SCHEDULER)
    use = scheduler.text("use")
    if use not in ("", "fifo"):
        scheduler.error("use", f'must be fifo, not "{use}"')


def _decode_group(group_id: str, section: Section, members: "_Members") -> GroupConfig:
    section.check_keys(GROUP)
    claimed = (members.claim(item, group_id) for item in section.texts("members"))
    return GroupConfig(
        id=group_id,
        swap=section.boolean("swap", default=True),
        exclusive=section.boolean("exclusive", default=True),
        persistent=section.boolean("persistent", default=False),
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

    def has(self, model_id: ModelId) -> bool:
        """Tell whether some group has the model."""
        return model_id in self._group_of

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
