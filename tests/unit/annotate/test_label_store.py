"""Label files: complete, fast, and refused when damaged."""

import time
import zipfile

import numpy as np
import pytest

from napari_medpatch.annotate.label_store import read_label_file, write_label_file
from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import DamagedFileError
from napari_medpatch.geometry import GridTransform


@pytest.fixture
def labels() -> SparseLabels:
    array = np.zeros((5, 6, 7), np.uint8)
    array[2, 1:4] = 2
    return SparseLabels(array, ("background", "Lunge µ"), ("#000001", "#000002"))


def test_everything_comes_back(tmp_path, labels):
    transform = GridTransform((2.0, 3.0), (0.5, 1.5))
    write_label_file(tmp_path / "a.npz", labels, transform)
    saved = read_label_file(tmp_path / "a.npz")
    np.testing.assert_array_equal(saved.labels.labels, labels.labels)
    assert saved.labels.class_names == labels.class_names
    assert saved.labels.colours == labels.colours
    assert (saved.name, saved.transform) == ("a", transform)


def test_numpy_reads_the_file_too(tmp_path, labels):
    write_label_file(tmp_path / "a.npz", labels)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["labels"], labels.labels)


def test_a_full_ct_is_saved_within_seconds(tmp_path):
    array = np.zeros((300, 512, 512), np.uint8)
    array[150] = 1
    begun = time.process_time()
    write_label_file(tmp_path / "big.npz", SparseLabels(array))
    # A second on an idle machine; processor time, so that a busy one does not matter.
    assert time.process_time() - begun < 3
    assert (tmp_path / "big.npz").stat().st_size < 2_000_000


def test_nothing_is_left_beside_the_file(tmp_path, labels):
    write_label_file(tmp_path / "a.npz", labels)
    write_label_file(tmp_path / "a.npz", labels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("keep", [0, 40, 200])
def test_truncated_files_are_named(tmp_path, labels, keep):
    path = tmp_path / "a.npz"
    write_label_file(path, labels)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedFileError, match=r"a\.npz cannot be read"):
        read_label_file(path)


def test_another_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(DamagedFileError):
        read_label_file(tmp_path / "a.npz")
