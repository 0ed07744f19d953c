"""An array and its description in one file."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_medpatch.io.array_archive import BAD_ARCHIVE, read_array_archive, write_array_archive


def test_array_and_description_come_back(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    write_array_archive(tmp_path / "a.npz", "labels", array, {"names": ["Ä", "b"]})
    found, about = read_array_archive(tmp_path / "a.npz", "labels")
    assert np.array_equal(found, array)
    assert about == {"names": ["Ä", "b"]}
    with np.load(tmp_path / "a.npz") as opened:
        assert np.array_equal(opened["labels"], array)


@pytest.mark.parametrize("about", ["[1]", "{", None])
def test_a_foreign_file_is_one_of_the_announced_errors(tmp_path: Path, about: str | None) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        if about is not None:
            archive.writestr("about.json", about)
        with archive.open("labels.npy", "w") as member:
            np.lib.format.write_array(member, np.zeros(3))
    with pytest.raises(BAD_ARCHIVE):
        read_array_archive(path, "labels")


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("about.json", json.dumps({}))
        with archive.open("labels.npy", "w") as member:
            np.lib.format.write_array(member, np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        read_array_archive(path, "labels")
