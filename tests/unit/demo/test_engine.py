"""Finding engine and model, and keeping the model."""

import sys
from pathlib import Path

import pytest

from swapper.demo import engine

MODEL_PACKAGE_SOURCE = """
from pathlib import Path
MODEL_NAME = "tiny.gguf"
calls = []
def chunk_paths():
    return [Path(__file__).with_name("part0"), Path(__file__).with_name("part1")]
def assemble(path, overwrite=False):
    calls.append((Path(path), overwrite))
    Path(path).write_bytes(b"".join(part.read_bytes() for part in chunk_paths()))
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path; the engine's real packages are out of sight."""
    for name in (engine.ENGINE_PACKAGE, engine.MODEL_PACKAGE):
        monkeypatch.delitem(sys.modules, name, raising=False)
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def installed(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (packages / f"{engine.ENGINE_PACKAGE}.py").write_text("", encoding="utf-8")
    model = packages / engine.MODEL_PACKAGE
    model.mkdir()
    (model / "__init__.py").write_text(MODEL_PACKAGE_SOURCE, encoding="utf-8")
    (model / "part0").write_bytes(b"GG")
    (model / "part1").write_bytes(b"UF!")
    # undoes the import that the code under test makes
    monkeypatch.setitem(sys.modules, engine.MODEL_PACKAGE, None)
    monkeypatch.delitem(sys.modules, engine.MODEL_PACKAGE)
    return packages


@pytest.mark.usefixtures("packages")
def test_there_is_no_engine_without_the_extra(tmp_path: Path) -> None:
    assert engine.find_engine() is None
    assert not (tmp_path / "cache").exists()


def test_half_an_extra_is_none(packages: Path) -> None:
    (packages / f"{engine.ENGINE_PACKAGE}.py").write_text("", encoding="utf-8")
    assert engine.find_engine() is None


@pytest.mark.usefixtures("installed")
def test_the_model_is_unpacked_into_the_cache_once(tmp_path: Path) -> None:
    notices: list[str] = []
    found = engine.find_engine(notices.append)
    assert found is not None
    assert found.model == tmp_path / "cache" / "swapper" / "tiny.gguf"
    assert found.model.read_bytes() == b"GGUF!"
    assert len(notices) == 1
    assert str(found.model) in notices[0]
    again = engine.find_engine(notices.append)
    assert again == found
    assert len(notices) == 1
    assert not list(found.model.parent.glob("*.partial"))


@pytest.mark.usefixtures("installed")
def test_a_cached_file_of_another_size_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "swapper" / "tiny.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GG")
    path.with_suffix(".partial").write_bytes(b"left over by a killed run")
    found = engine.find_engine()
    assert found is not None
    assert found.model.read_bytes() == b"GGUF!"


def test_a_damaged_model_never_gets_its_name(installed: Path, tmp_path: Path) -> None:
    source = (installed / engine.MODEL_PACKAGE / "__init__.py").read_text(
        encoding="utf-8"
    )
    damaged = source + "    raise ValueError('the sum is wrong')\n"
    (installed / engine.MODEL_PACKAGE / "__init__.py").write_text(
        damaged, encoding="utf-8"
    )
    with pytest.raises(ValueError, match="sum is wrong"):
        engine.find_engine()
    assert not (tmp_path / "cache" / "swapper" / "tiny.gguf").exists()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/var/c", Path("/var/c/swapper")),
        ("", Path.home() / ".cache/swapper"),
        ("relative", Path.home() / ".cache/swapper"),
    ],
)
def test_the_cache_directory_follows_xdg(given: str, expected: Path) -> None:
    assert engine.cache_directory({"XDG_CACHE_HOME": given}) == expected


def test_commands_take_a_port_at_their_end() -> None:
    found = engine.Engine("/py", Path("/m.gguf"))
    start = ("/py", "-P", "-m", "swapper.demo.llama_server", "--model", "/m.gguf")
    assert found.chat_command == start
    assert found.embed_command == (*start, "--embeddings")
