"""The demo prepares everything, serves it, and leaves nothing."""

import socket
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from swapper.demo import run
from swapper.demo.engine import Engine


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the extra, and with a temporary directory of its own."""
    monkeypatch.setattr(run, "find_engine", lambda **_: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


class Served:
    """Stands for the program: notes what it was given."""

    def __init__(self, status: int = 0, error: BaseException | None = None) -> None:
        self.status = status
        self.error = error

    def __call__(self, config_path: Path, listen: str) -> int:
        self.path, self.listen = config_path, listen
        self.config = YAML(typ="safe").load(config_path.read_text(encoding="utf-8"))
        if self.error:
            raise self.error
        return self.status


def test_it_serves_a_configuration_and_returns_its_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    served = Served(status=3)
    assert run.run_demo(["--listen", "127.0.0.1:4321"], served) == 3
    assert served.listen == "127.0.0.1:4321"
    assert set(served.config["models"]) == {"chat", "embed"}
    assert "http://127.0.0.1:4321/v1/models" in capsys.readouterr().out


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), RuntimeError("broken")])
def test_nothing_is_left_however_it_ends(
    tmp_path: Path, error: BaseException | None
) -> None:
    served = Served(error=error)
    if isinstance(error, RuntimeError):
        with pytest.raises(RuntimeError):
            run.run_demo([], served)
    else:
        assert run.run_demo([], served) == (130 if error else 0)
    assert tmp_path in served.path.parents
    assert not list(tmp_path.iterdir())


def test_a_taken_default_port_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(run, "DEFAULT_PORT", port)
        host, _, chosen = run.free_listen_address().rpartition(":")
    assert host == "127.0.0.1"
    assert int(chosen) not in {0, port}
    assert run.free_listen_address() == f"127.0.0.1:{port}"


def test_model_ports_are_free_ones_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(run, "FIRST_MODEL_PORT", port)
        first = run.free_ports(2)
    assert first > port
    for number in (first, first + 1):
        socket.create_server(("127.0.0.1", number)).close()


def test_an_installed_engine_is_used_unless_it_is_not_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine("/opt/py", Path("/m.gguf"))
    monkeypatch.setattr(run, "find_engine", lambda **_: engine)
    real, forced = Served(), Served()
    run.run_demo([], real)
    run.run_demo(["--stand-in"], forced)
    assert "llama_server --model /m.gguf" in real.config["models"]["chat"]["cmd"]
    assert "swapper.demo.model_server" in forced.config["models"]["chat"]["cmd"]


def test_an_unusable_model_is_told_and_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(run, "find_engine", fail)
    served = Served()
    assert run.run_demo([], served) == 0
    assert "no space left" in capsys.readouterr().err
    assert "swapper.demo.model_server" in served.config["models"]["chat"]["cmd"]
