"""Results that cannot be written where they were wanted are kept, and one error says where."""

from pathlib import Path

import pytest

from napari_medpatch.cli.write_or_keep import one_file, write_or_keep
from napari_medpatch.errors import KeptElsewhereError, OutputError
from napari_medpatch.io.atomic import write_text
from napari_medpatch.io.project_folder import user_data_folder


def save(path: Path) -> Path:
    write_text(path, "work")
    return path


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    """A folder that has become a file."""
    (tmp_path / "gone").write_text("in the way")
    return tmp_path / "gone"


def test_what_can_be_written_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    wanted = [tmp_path / "m.nii.gz", tmp_path / "p.nrrd"]
    assert write_or_keep([(path, save) for path in wanted]) == wanted
    assert not user_data_folder().exists()


def test_the_rest_is_written_and_all_places_are_told(tmp_path: Path, lost: Path) -> None:
    outputs = [(lost / "m.stl", save), (tmp_path / "p.nrrd", save), (lost / "u.nrrd", save)]
    with pytest.raises(KeptElsewhereError) as caught:
        write_or_keep(outputs, also=KeptElsewhereError("The model is elsewhere."))
    kept = [user_data_folder() / "kept" / name for name in ("kept-m.nii.gz", "kept-u.nrrd")]
    assert [path.read_text() for path in (*kept, tmp_path / "p.nrrd")] == ["work"] * 3
    said = str(caught.value)
    assert said.startswith("The model is elsewhere. ")
    assert [said.count(str(path)) for path in kept] == [1, 1]


def test_what_was_kept_before_is_an_error_even_if_all_else_went_well(tmp_path: Path) -> None:
    with pytest.raises(KeptElsewhereError, match="elsewhere"):
        write_or_keep([(tmp_path / "m.nii.gz", save)], also=KeptElsewhereError("The model is elsewhere."))
    assert (tmp_path / "m.nii.gz").is_file()


def test_what_no_place_can_hold_is_not_kept(tmp_path: Path) -> None:
    def empty(path: Path) -> Path:
        raise OutputError(f"{path} was not written: the mask is empty.")

    with pytest.raises(OutputError, match="the mask is empty") as caught:
        write_or_keep([(tmp_path / "m.stl", empty), (tmp_path / "p.nrrd", save)])
    assert not isinstance(caught.value, KeptElsewhereError)
    assert (tmp_path / "p.nrrd").is_file()
    assert not user_data_folder().exists()


@pytest.mark.parametrize(
    ("wanted", "stand_in"),
    [("m.nrrd", "m.nrrd"), ("m.ome.tiff", "m.ome.tiff"), ("m.dcm", "m.nii.gz"), ("slices", "slices.nii.gz")],
)
def test_a_stand_in_is_one_file(wanted: str, stand_in: str) -> None:
    assert one_file(Path(wanted)) == stand_in
