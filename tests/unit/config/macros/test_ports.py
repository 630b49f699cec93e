"""Ports of models, at start and over a reload (config.md 6.4; a reload keeps what runs)."""

import pytest

from swapper.config import Config, PortsInUse, parse_config


def load(*ids: str, in_use: PortsInUse | None = None, top: str = "") -> Config:
    models = "".join(f"  {id_}: {{cmd: 'x ${{PORT}}'}}\n" for id_ in ids)
    return parse_config(
        f"{top}\nmodels:\n{models}", environ={}, in_use=in_use or PortsInUse()
    )


def ports(config: Config) -> dict[str, int | None]:
    return {str(id_): model.port for id_, model in config.models.items()}


def test_models_keep_their_ports_when_others_come_and_go() -> None:
    in_use = PortsInUse(start_port=5800, by_model={"a": 5800, "c": 5801, "d": 5802})

    config = load("a", "b", "d", "e", in_use=in_use)

    assert ports(config) == {"a": 5800, "b": 5801, "d": 5802, "e": 5803}
    assert config.models["d"].proxy == "http://localhost:5802"  # type: ignore[index]  # a literal id


def test_port_that_a_process_still_holds_is_not_handed_out() -> None:
    in_use = PortsInUse(start_port=5800, by_model={"a": 5801}, others=(5800, 5802))

    assert ports(load("a", "b", "c", in_use=in_use)) == {
        "a": 5801,
        "b": 5803,
        "c": 5804,
    }


def test_another_start_port_moves_all_models() -> None:
    in_use = PortsInUse(
        start_port=5800, by_model={"a": 5800, "b": 5801}, others=(6000,)
    )

    config = load("a", "b", in_use=in_use, top="startPort: 6000")

    assert ports(config) == {"a": 6001, "b": 6002}


def test_model_whose_command_lost_its_port_has_none() -> None:
    config = parse_config(
        "models: {a: {cmd: x, proxy: 'http://h'}, b: {cmd: 'x ${PORT}'}}",
        environ={},
        in_use=PortsInUse(start_port=5800, by_model={"a": 5800}),
    )

    assert ports(config) == {"a": None, "b": 5801}


@pytest.mark.parametrize("count", [1, 2, 50])
def test_no_two_models_share_a_port(count: int) -> None:
    ids = [f"m{number}" for number in range(count)]
    before = ports(load(*ids[::2]))
    in_use = PortsInUse(
        start_port=5800, by_model={id_: port or 0 for id_, port in before.items()}
    )

    after = ports(load(*ids, in_use=in_use))

    assert len(set(after.values())) == count
    assert before.items() <= after.items()
