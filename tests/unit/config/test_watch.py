"""config.md section 20: what counts as a change of the files."""

import os
from pathlib import Path

import pytest

from swapper.config.watch import SourceWatch


def replace(path: Path, text: str) -> None:
    """Put a new file in the place of the old one, like an editor."""
    fresh = path.with_name("fresh.tmp")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text("one", encoding="utf-8")
    return path


def test_nothing_has_changed_at_first(file: Path) -> None:
    watch = SourceWatch(file, "")

    assert not watch.has_changed()


def test_another_size_is_a_change_once(file: Path) -> None:
    watch = SourceWatch(file, "")
    file.write_text("three", encoding="utf-8")

    assert watch.has_changed()
    assert not watch.has_changed()


def test_rld_3_another_time_is_a_change(file: Path) -> None:
    watch = SourceWatch(file, "")
    os.utime(file, ns=(0, 0))

    assert watch.has_changed()


def test_a_file_renamed_into_place_is_a_change_whatever_its_time(file: Path) -> None:
    watch = SourceWatch(file, "")
    before = file.stat()
    replace(file, "two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert watch.has_changed()


def test_rld_4_a_file_that_goes_is_silent_and_its_return_a_change(file: Path) -> None:
    watch = SourceWatch(file, "")
    stat = file.stat()
    kept = file.rename(file.with_name("kept"))

    assert not watch.has_changed()
    assert not watch.has_changed()

    kept.rename(file)
    assert file.stat().st_mtime_ns == stat.st_mtime_ns
    assert watch.has_changed()
    assert not watch.has_changed()


def test_a_link_is_followed(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "c.yaml").write_text("same", encoding="utf-8")
        os.utime(tmp_path / version / "c.yaml", ns=(1, 1))
    current = tmp_path / "current"
    current.symlink_to(tmp_path / "v1")
    watch = SourceWatch(current / "c.yaml", "")
    fresh = tmp_path / "fresh"
    fresh.symlink_to(tmp_path / "v2")
    fresh.replace(current)

    assert watch.has_changed()
    assert not watch.has_changed()


def test_a_link_into_nothing_is_a_file_that_is_away(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    watch = SourceWatch(link, "")
    file.unlink()

    assert not watch.has_changed()

    file.write_text("back", encoding="utf-8")
    assert watch.has_changed()


def test_rld_9_a_member_that_comes_or_goes_is_a_change(file: Path) -> None:
    watch = SourceWatch("", file.parent)
    second = file.with_name("d.yml")
    second.write_text("x", encoding="utf-8")

    assert watch.has_changed()

    second.unlink()
    assert watch.has_changed()
    assert not watch.has_changed()


def test_rld_10_other_files_and_folders_are_no_change(file: Path) -> None:
    watch = SourceWatch("", file.parent)
    (file.parent / "note.txt").write_text("x", encoding="utf-8")
    (file.parent / "sub.yaml").mkdir()

    assert not watch.has_changed()


def test_rld_12_an_empty_folder_is_silent_and_a_file_in_it_a_change(file: Path) -> None:
    watch = SourceWatch(None, file.parent)
    file.unlink()

    assert not watch.has_changed()

    file.write_text("one", encoding="utf-8")
    assert watch.has_changed()


def test_a_folder_that_is_away_is_silent(tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "a.yaml").write_text("x", encoding="utf-8")
    watch = SourceWatch(None, folder)
    away = folder.rename(tmp_path / "away")

    assert not watch.has_changed()

    away.rename(folder)
    assert watch.has_changed()


def test_rld_13_file_and_folder_that_change_together_are_one_change(
    file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "a.yaml").write_text("x", encoding="utf-8")
    watch = SourceWatch(file, folder)
    file.write_text("changed", encoding="utf-8")
    (folder / "a.yaml").write_text("changed", encoding="utf-8")

    assert watch.has_changed()
    assert not watch.has_changed()


def test_a_file_that_cannot_be_looked_at_is_reported_and_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    watch = SourceWatch(tmp_path / "file" / "c.yaml", None)

    assert not watch.has_changed()
    assert "cannot be watched" in caplog.text
