"""Work that cannot be written where it was wanted goes to the next place that takes it."""

import tempfile
from pathlib import Path

import pytest

from napari_medpatch.errors import OutputError
from napari_medpatch.io.atomic import write_text
from napari_medpatch.io.kept_elsewhere import keep_elsewhere, kept_sentence
from napari_medpatch.io.project_folder import user_data_folder

FULL = OutputError("The disk is full: /ct/mask.nii.gz was not written; free some space and try again.")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's place for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def save(path: Path) -> str:
    write_text(path, "work")
    return path.name


def test_the_users_data_folder_comes_first_and_nothing_there_is_replaced(temporary: Path) -> None:
    folder = user_data_folder() / "kept"
    assert keep_elsewhere("mask.nii.gz", save) == (folder / "kept-mask.nii.gz", "kept-mask.nii.gz")
    assert keep_elsewhere("mask.nii.gz", save) == (folder / "kept-mask-2.nii.gz", "kept-mask-2.nii.gz")
    assert (folder / "kept-mask.nii.gz").read_text() == "work"
    assert list(temporary.iterdir()) == []


def test_temporary_files_are_the_next_place(temporary: Path) -> None:
    user_data_folder().mkdir(parents=True)
    (user_data_folder() / "models").write_text("in the way")
    found = keep_elsewhere("model", save, among="models")
    assert found is not None
    path, _ = found
    assert temporary in path.parents
    assert path.read_text() == "work"
    sentence = kept_sentence(FULL, "the finished mask", path, "move it where you want it")
    assert sentence == (
        f"The disk is full: /ct/mask.nii.gz was not written; the finished mask is kept in {path}: move it where you "
        "want it, before the system empties that place."
    )


def test_where_nothing_can_be_written_nothing_is_left(temporary: Path) -> None:
    tried: list[Path] = []

    def fails(path: Path) -> None:
        tried.append(path)
        raise FULL if len(tried) == 1 else OSError(28, "No space left on device")

    assert keep_elsewhere("model", fails) is None
    assert len(tried) == 2
    assert list(temporary.iterdir()) == []


def test_without_a_place_for_temporary_files_there_is_one_less(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "gone"))
    monkeypatch.setenv("MEDPATCH_DATA", str(temporary / "file" / "data"))
    (temporary / "file").write_text("in the way")
    assert keep_elsewhere("model", save) is None


def test_a_fault_of_the_program_is_not_hidden() -> None:
    def broken(_: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keep_elsewhere("model", broken)
