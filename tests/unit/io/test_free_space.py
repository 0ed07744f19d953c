"""A disk that is too small is told before the work."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from napari_medpatch.errors import OutputError
from napari_medpatch.io.free_space import check_space, free_bytes


class Usage(NamedTuple):
    """As ``shutil.disk_usage`` returns it."""

    total: int
    used: int
    free: int


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[Usage]:
    """What the disk says of itself: the last of these."""
    said = [Usage(10_000_000, 7_000_000, 3_000_000)]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: said[-1])
    return said


def test_both_sizes_are_in_the_sentence(disk: list[Usage], tmp_path: Path) -> None:
    target = tmp_path / "not" / "there"
    check_space(target, 3_000_000, "the model")
    with pytest.raises(OutputError) as caught:
        check_space(target, 4_200_000, "the model")
    assert str(caught.value) == (
        f"The disk of {target} has 3 MB free and the model takes 4.2 MB; free some space or choose another folder."
    )
    assert not target.parent.exists()


def test_a_file_system_that_says_nothing_is_trusted(disk: list[Usage], tmp_path: Path) -> None:
    disk.append(Usage(0, 0, 0))
    assert free_bytes(tmp_path) is None
    check_space(tmp_path, 1 << 60, "the model")


def test_the_disk_is_that_of_the_nearest_folder_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(1, 0, 1)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.chdir(tmp_path)
    assert free_bytes("new/model") == 1
    assert free_bytes(tmp_path / "a" / "b") == 1
    assert asked == [tmp_path, tmp_path]
