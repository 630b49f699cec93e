"""The records of ``/v1/models`` (http-api.md 19.1). Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from swapper.config import (
    CapabilitiesConfig,
    Config,
    ModelConfig,
    PeerModel,
    SelectorConfig,
    Strategy,
    resolve,
)
from swapper.core import wire
from swapper.core.ids import ModelId
from swapper.core.json import JsonValue
from swapper.core.states import ProcessState

Fields: TypeAlias = dict[str, JsonValue]
States: TypeAlias = Mapping[ModelId, ProcessState]

DOWN: Final = (ProcessState.STOPPED, ProcessState.SHUTDOWN)
"""States in which a model has no process."""

_UP: Final = (ProcessState.READY, ProcessState.STARTING)
_NO_CAPABILITIES: Final = CapabilitiesConfig()
_OF_CAPABILITIES: Final = frozenset(
    {"architecture", "capabilities", "supported_parameters", "context_length"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """One name in the list.

    Attributes:
        facts: what the server says about it; wins over *metadata*.
    """

    id: str
    facts: Fields
    name: str = ""
    description: str = ""
    metadata: Mapping[str, JsonValue]
    capabilities: CapabilitiesConfig = _NO_CAPABILITIES
    is_loaded: bool = False

    def render(self, created_s: int) -> Fields:
        """Return the record as clients see it."""
        fields: Fields = {
            "id": self.id,
            "object": "model",
            "created": created_s,
            "owned_by": wire.OWNED_BY,
        }
        texts = {"name": self.name.strip(), "description": self.description.strip()}
        fields |= {key: text for key, text in texts.items() if text}
        metadata = self.metadata
        if self.capabilities != _NO_CAPABILITIES:
            fields |= render_capabilities(self.capabilities)
            metadata = {k: v for k, v in metadata.items() if k not in _OF_CAPABILITIES}
        meta: Fields = {wire.META_KEY: {**metadata, **self.facts}}
        if "context_length" in fields:
            meta["n_ctx"] = fields["context_length"]
        fields["meta"] = meta
        fields["status"] = {"value": "loaded" if self.is_loaded else "unloaded"}
        return fields


def model_list(
    config: Config, states: States, pins: Mapping[str, str], created_s: int
) -> list[JsonValue]:
    """Return a record for every name that clients may ask for, sorted by its bytes.

    Args:
        config: what is configured.
        states: of the models; those that are not there count as stopped.
        pins: of the active profile.
        created_s: Unix time for all records.
    """
    records = [
        *_models(config, states),
        *_peers(config),
        *_selectors(config, states),
        *_pins(config, pins),
    ]
    records.sort(key=lambda record: record.id.encode())
    return [record.render(created_s) for record in records]


def _models(config: Config, states: States) -> Iterator[_Record]:
    for model in config.models.values():
        if model.unlisted:
            continue
        is_loaded = states.get(model.id, ProcessState.STOPPED) not in DOWN
        facts: Fields = {"type": "model"}
        if model.aliases:
            facts["aliases"] = list(model.aliases)
        yield _of_model(model, model.id, facts, is_loaded=is_loaded)
        if config.include_aliases_in_list:
            of_alias: Fields = {"type": "alias", "modelID": model.id}
            for alias in dict.fromkeys(alias.strip() for alias in model.aliases):
                if alias and alias != model.id:
                    yield _of_model(model, alias, of_alias, is_loaded=is_loaded)


def _of_model(
    model: ModelConfig, name: str, facts: Fields, *, is_loaded: bool
) -> _Record:
    return _Record(
        id=name,
        facts=facts,
        name=model.name,
        description=model.description,
        metadata=model.metadata,
        capabilities=model.capabilities,
        is_loaded=is_loaded,
    )


def _peers(config: Config) -> Iterator[_Record]:
    for peer in config.peers.values():
        for name in peer.models:
            yield _Record(
                id=PeerModel(peer.id, name).qualified,
                facts={"type": "peer", "peerID": peer.id},
                name=f"{peer.id}: {name}",
                metadata={},
            )


def _selectors(config: Config, states: States) -> Iterator[_Record]:
    for selector in config.selectors.values():
        if selector.unlisted:
            continue
        facts: Fields = {
            "type": "selector",
            "strategy": selector.strategy.value,
            "targets": list(selector.targets),
        }
        if selector.strategy is Strategy.SPILLOVER:
            facts["spillover"] = selector.spillover
        yield _Record(
            id=selector.id,
            facts=facts,
            name=selector.name,
            description=selector.description,
            metadata=selector.metadata,
            is_loaded=_is_any_up(selector, config, states),
        )


def _is_any_up(selector: SelectorConfig, config: Config, states: States) -> bool:
    """Return whether a model of ours that the selector may choose is up."""
    count = 1 if selector.strategy is Strategy.PIN else None
    models = (config.model_by_name.get(name) for name in selector.targets[:count])
    return any(model is not None and states.get(model) in _UP for model in models)


def _pins(config: Config, pins: Mapping[str, str]) -> Iterator[_Record]:
    for name, target in pins.items():
        is_taken = name in config.selectors or resolve(config, name) is not None
        if target and not is_taken:
            yield _Record(id=name, facts={"type": "profile"}, metadata={})


def render_capabilities(capabilities: CapabilitiesConfig) -> Fields:
    """Return what clients are told about what a model can do; parts only if any."""
    inputs, outputs = capabilities.inputs, capabilities.outputs
    architecture: Fields = {}
    if inputs:
        architecture["input_modalities"] = list(inputs)
    if inputs and outputs:
        architecture["modality"] = f"{'+'.join(inputs)}->{'+'.join(outputs)}"
    if outputs:
        architecture["output_modalities"] = list(outputs)
    abilities = {
        "vision": "image" in inputs,
        "audio_transcriptions": "audio" in inputs and "text" in outputs,
        "audio_speech": "text" in inputs and "audio" in outputs,
        "image_generation": "text" in inputs and "image" in outputs,
        "image_to_image": "image" in inputs and "image" in outputs,
        "function_calling": capabilities.tools,
        "reranker": capabilities.reranker,
    }
    fields: Fields = {
        "architecture": architecture,
        "capabilities": {name: True for name, is_able in abilities.items() if is_able},
        "supported_parameters": ["tools", "tool_choice"] if capabilities.tools else [],
        "context_length": max(capabilities.context_tokens, 0),
    }
    return {key: value for key, value in fields.items() if value}


def status_list(config: Config, states: States) -> list[JsonValue]:
    """Return the models and their states as ``modelStatus`` events tell them.

    Local models by id, then those of peers by peer, as they are configured.

    Source: http-api.md 24.3, decision Q11.
    """
    local = (
        _status(model, states.get(model.id, ProcessState.STOPPED))
        for _, model in sorted(config.models.items())
    )
    peers: Iterator[JsonValue] = (
        {
            "id": PeerModel(peer.id, name).qualified,
            "name": "",
            "description": "",
            "state": "",
            "unlisted": False,
            "peerID": peer.id,
        }
        for _, peer in sorted(config.peers.items())
        for name in peer.models
    )
    return [*local, *peers]


def _status(model: ModelConfig, state: ProcessState) -> JsonValue:
    told = render_capabilities(model.capabilities)
    fields: Fields = {
        "aliases": list(model.aliases),
        "capabilities": told.get("capabilities"),
        "context_length": told.get("context_length"),
    }
    return {
        "id": model.id,
        "name": model.name,
        "description": model.description,
        "state": state.value,
        "unlisted": model.unlisted,
        "peerID": "",
        **{key: value for key, value in fields.items() if value},
    }
