"""Which files are read ahead."""

from pathlib import Path

import pytest

from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId
from swapper.process.weights import missing_files, weight_files


def model(cmd: str, prefetch: tuple[str, ...] | None = None) -> ModelConfig:
    return ModelConfig(id=ModelId("m"), cmd=cmd, prefetch=prefetch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with weights, split ones and a directory of them."""
    for name in (
        *("tiny.gguf", "draft model.gguf", "notes.txt"),
        *(f"big-0000{n}-of-00003.gguf" for n in (1, 2, 3)),
        *("big-00001-of-00002.gguf", "big-x-of-00003.gguf"),
        *("qwen/b.safetensors", "qwen/a.safetensors", "qwen/config.json"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"weights")
    return tmp_path


@pytest.mark.parametrize(
    ("cmd", "names"),
    [
        ("server -m {}/tiny.gguf --port 1", ["tiny.gguf"]),
        ("server --model={}/tiny.gguf -md '{}/draft model.gguf'", None),
        ("server -m {}/tiny.gguf --again {}/tiny.gguf", ["tiny.gguf"]),
        ('sh -c "exec server -m {}/tiny.gguf"', ["tiny.gguf"]),
        ("server {}/notes.txt {}/missing.gguf", []),
        (
            "server -m {}/big-00001-of-00003.gguf",
            [f"big-0000{n}-of-00003.gguf" for n in (1, 2, 3)],
        ),
        ("serve {}/qwen", ["qwen/a.safetensors", "qwen/b.safetensors"]),
        ("# server -m {}/tiny.gguf\nserver", []),
        ("", []),
    ],
)
def test_the_command_names_them(
    folder: Path, cmd: str, names: list[str] | None
) -> None:
    if names is None:
        names = ["tiny.gguf", "draft model.gguf"]

    found = weight_files(model(cmd.replace("{}", str(folder))))

    assert found == [folder / name for name in names]


def test_the_configuration_goes_before_the_command(folder: Path) -> None:
    cmd = f"server -m {folder}/tiny.gguf"
    named = (f"{folder}/notes.txt", f"{folder}/qwen", f"{folder}/missing")

    assert weight_files(model(cmd, named)) == [
        folder / "notes.txt",
        folder / "qwen/a.safetensors",
        folder / "qwen/b.safetensors",
    ]
    assert missing_files(model(cmd, named)) == [f"{folder}/missing"]
    assert weight_files(model(cmd, ())) == []


def test_what_is_no_path_at_all_is_no_file() -> None:
    assert weight_files(model("server -m a\0.gguf --n " + "x" * 5000 + ".gguf")) == []
