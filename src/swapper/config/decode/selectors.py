"""Decodes ``selectors`` (config.md section 17)."""

from collections.abc import Mapping
from types import MappingProxyType

from swapper.config.combinations import Combinations
from swapper.config.decode.section import Item, Section
from swapper.config.lookup import resolve
from swapper.config.schema import Config, SelectorConfig, Strategy
from swapper.core.ids import ModelId


def decode_selectors(document: Section, config: Config) -> Mapping[str, SelectorConfig]:
    """Return the selectors by id, in file order.

    *config* has the models, peers and routers already.
    """
    return MappingProxyType(
        {
            selector_id: _decode_selector(selector_id, section, config)
            for selector_id, section in document.sections("selectors").items()
        }
    )


def _decode_selector(
    selector_id: str, section: Section, config: Config
) -> SelectorConfig:
    _check_id(selector_id, section, config)
    word = section.text("strategy")
    if not section.is_set("strategy"):
        section.error("strategy", "must be one of pin, warm, spillover")
    strategy = Strategy(word) if word else Strategy.PIN
    targets = section.texts("targets")
    if not targets:
        section.error("targets", "must name at least one model")
    local = _local_targets(targets, section, config, strategy)
    spillover = section.section("settings").integer("spillover")
    if strategy is Strategy.SPILLOVER:
        if spillover < 1:
            message = f"must be at least 1, not {spillover}"
            section.section("settings").error("spillover", message)
        if len(local) > 1:
            _check_together(local, section, config)
    return SelectorConfig(
        id=selector_id,
        strategy=strategy,
        targets=tuple(target.text for target in targets),
        spillover=spillover,
        name=section.text("name").strip(),
        description=section.text("description").strip(),
        unlisted=section.boolean("unlisted"),
        metadata=MappingProxyType(section.json("metadata")),
    )


def _check_id(selector_id: str, section: Section, config: Config) -> None:
    if not selector_id.strip():
        section.error("", "the id of a selector must not be blank")
    elif selector_id in config.models:
        section.error("", f"{selector_id} is the id of a model")
    elif selector_id in config.model_by_name:
        owner = config.model_by_name[selector_id]
        section.error("", f"{selector_id} is an alias of model {owner}")
    else:
        offered = config.peer_by_name.get(selector_id)
        if offered is not None and offered.qualified == selector_id:
            section.error("", f"{selector_id} is a model of peer {offered.peer}")


def _local_targets(
    targets: tuple[Item, ...], section: Section, config: Config, strategy: Strategy
) -> list[ModelId]:
    """Return the local models among *targets*, having checked every target."""
    seen: dict[object, str] = {}
    local: list[ModelId] = []
    for target in targets:
        found = resolve(config, target.text)
        if found is None:
            message = f'unknown model "{target.text}"'
            section.error_item(target, message)
        elif not isinstance(found, str) and strategy is Strategy.WARM:
            message = f"{target.text} is a model of peer {found.peer}"
            section.error_item(target, f"{message}; warm needs models of this server")
        elif found in seen and strategy is Strategy.SPILLOVER:
            same = found if isinstance(found, str) else found.qualified
            message = f"{target.text} is {same}, as is {seen[found]}"
            section.error_item(target, f"duplicate target: {message}")
        else:
            seen[found] = target.text
            if isinstance(found, str) and found not in local:
                local.append(found)
    return local


def _check_together(local: list[ModelId], section: Section, config: Config) -> None:
    """Report targets that the router would never let run at the same time."""
    names = ", ".join(local)
    if config.router == "group":
        homes = [
            group
            for group in config.groups.values()
            if any(model in group.members for model in local)
        ]
        if len(homes) > 1 or homes[0].swap:
            message = (
                f"{names} must be members of one group with swap: false, "
                "so that they can run together"
            )
            section.error("targets", message)
    elif config.router == "matrix" and not Combinations(
        config.matrix.sets
    ).can_run_together(local):
        message = f"{names} must be in one combination of the matrix"
        section.error("targets", message)
    elif config.router == "budget" and not config.budget.can_run_together(local):
        message = f"{names} must fit into the budget together, beside what is pinned"
        section.error("targets", message)
