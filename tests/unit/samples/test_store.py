import hashlib

import nibabel
import numpy as np
import pytest
from PIL import Image

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.samples import SAMPLE_FILES, make_thorax, sample_path, store
from napari_medpatch.samples.store import sparse_labels


def test_every_sample_exists_and_is_small():
    sizes = {name: sample_path(name).stat().st_size for name in SAMPLE_FILES}
    assert max(size for name, size in sizes.items() if name != "slide") < 450_000
    assert sum(sizes.values()) < 3_000_000


def test_a_sample_is_found_by_its_file_name_too():
    assert sample_path("thorax_ct.nii.gz") == sample_path("thorax_ct")


def test_an_unknown_sample_is_refused():
    with pytest.raises(UnsupportedFormatError, match="no sample 'brain'"):
        sample_path("brain")


def test_an_installed_package_makes_the_sample_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "__file__", str(tmp_path / "site-packages" / "pkg" / "samples" / "store.py"))
    made = sample_path("fundus")
    assert made.is_relative_to(store._cache_folder())
    with Image.open(made) as image:
        assert image.size == (512, 480)
    again = made.stat().st_mtime_ns
    assert sample_path("fundus").stat().st_mtime_ns == again


def test_the_shipped_files_are_listed_with_their_hashes():
    folder = sample_path("slide").parent
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for file in SAMPLE_FILES.values():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() in readme, file


def test_the_volumes_share_one_oblique_grid():
    images = [nibabel.load(sample_path(name)) for name in ("thorax_ct", "thorax_truth", "thorax_labels_sparse")]
    assert len({image.shape for image in images}) == 1
    assert all(np.allclose(image.affine, images[0].affine) for image in images)
    assert nibabel.affines.obliquity(images[0].affine).max() > 0.05


def test_sparse_labels_are_three_whole_slices_of_truth():
    thorax = make_thorax((30, 40, 48), spacing=(10.0, 8.0, 8.0), seed=2)
    painted = sparse_labels(thorax)
    full = painted.any((1, 2))
    assert full.sum() == 3
    assert (painted[full] > 0).all()
    assert ((painted == 2) == (thorax.lungs & full[:, None, None])).all()
    assert set(np.unique(painted)) == {0, 1, 2, 3}
