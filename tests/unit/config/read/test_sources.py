"""config.md section 2: which files are read, and how."""

import os
from pathlib import Path

import pytest

from swapper.config import load_config
from swapper.config.read.sources import MAX_SOURCE_CHARS, read_source
from swapper.core.errors import ConfigError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def model(name: str) -> str:
    return f"models: {{{name}: {{cmd: x, proxy: 'http://h'}}}}\n"


def error_of(config: Path | str | None, config_dir: Path | str | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(config, config_dir, environ={})
    return str(caught.value)


def test_one_file_is_loaded_and_named_in_messages(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", model("a") + "globalTTL: 5\nfrob: 1\n")

    config = load_config(path, environ={})

    assert config.global_ttl_s == 5
    assert config.sources == (str(path),)
    assert str(config.warnings[0]).startswith(f"{path}:3: frob: ")


def test_sources_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "c.yaml", model("a"))
    monkeypatch.chdir(tmp_path)

    assert load_config("c.yaml", environ={}).sources == (str(tmp_path / "c.yaml"),)


def test_missing_file_is_named(tmp_path: Path) -> None:
    message = error_of(tmp_path / "no.yaml")

    assert "no.yaml" in message
    assert "No such file" in message


def test_directory_as_file_is_refused(tmp_path: Path) -> None:
    assert "directory" in error_of(tmp_path)


@pytest.mark.parametrize(("config", "config_dir"), [(None, None), ("", ""), ("", None)])
def test_cli_2_and_11_nothing_given_is_an_error(
    config: str | None, config_dir: str | None
) -> None:
    with pytest.raises(ConfigError, match="no configuration file or directory"):
        load_config(config, config_dir, environ={})


def test_path_no_file_can_have_is_refused() -> None:
    assert "cannot be read" in error_of("a\0b")


def test_text_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")

    assert error_of(path).startswith(f"{path}:2: is not UTF-8 text: byte 0xff")


def test_huge_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "#" * (MAX_SOURCE_CHARS + 1))

    assert "is larger than" in error_of(path)


def test_endless_file_is_refused() -> None:
    assert "is larger than" in error_of("/dev/zero")


def test_byte_order_mark_is_not_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_source(path).text == "a: 1\n"


def test_cli_18_missing_directory_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", model("a"))

    assert "cannot be listed" in error_of(path, tmp_path / "no")
    assert "cannot be listed" in error_of(None, path)


def test_src_16_file_must_not_be_in_the_directory_too(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", model("a"))

    assert "is also a file of" in error_of(tmp_path / "x" / ".." / "c.yaml", tmp_path)
    assert "is also a file of" in error_of(path, tmp_path)


def test_src_17_directory_without_yaml_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "readme.txt", "x")

    assert "no *.yml or *.yaml file" in error_of(None, tmp_path)


def test_directory_without_yaml_next_to_a_file_is_fine(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    path = write(tmp_path / "c.yaml", model("a"))

    assert list(load_config(path, folder, environ={}).models) == ["a"]


def test_src_18_only_yaml_files_of_the_directory_itself_are_read(
    tmp_path: Path,
) -> None:
    for name, content in {
        "a.yml": "a",
        ".h.yaml": "h",
        "A.YAML": "A",
        "b.yaml.bak": "bak",
    }.items():
        write(tmp_path / name, model(content))
    (tmp_path / "sub.yaml").mkdir()
    write(tmp_path / "sub.yaml" / "x.yaml", model("x"))

    assert list(load_config(None, tmp_path, environ={}).models) == ["a", "h"]


def test_files_come_in_byte_order_of_their_names(tmp_path: Path) -> None:
    names = ["10.yaml", "2.yaml", "B.yaml", "a-b.yaml", "a.yaml", "a.yml"]
    for number, name in enumerate(reversed(names)):
        write(tmp_path / name, model(f"m{number}"))

    config = load_config(None, tmp_path, environ={})

    assert [os.path.basename(source) for source in config.sources] == names  # noqa: PTH119 - texts, not paths


def test_link_to_a_file_is_followed(tmp_path: Path) -> None:
    target = write(tmp_path / "target", model("a"))
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "c.yaml").symlink_to(target)

    assert list(load_config(None, folder, environ={}).models) == ["a"]


def test_src_25_empty_file_loads_as_the_default(tmp_path: Path) -> None:
    config = load_config(write(tmp_path / "c.yaml", ""), environ={})

    assert not config.models
    assert "is empty" in str(config.warnings[0])


def test_environment_is_the_process_own_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWAPPER_TEST_TTL", "77")
    path = write(tmp_path / "c.yaml", "globalTTL: ${env.SWAPPER_TEST_TTL}\n")

    assert load_config(path).global_ttl_s == 77
