import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from volume_cases import affine_of, numbered, write_nifti1

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io import nifti_file
from napari_medpatch.io.nifti_file import open_nifti


def stored(path: Path, volume: int = 0) -> np.ndarray:
    return np.concatenate([block for _, block in open_nifti(path).slabs(volume)], axis=2)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.hdr", "a.img", "a.hdr.gz"])
@pytest.mark.parametrize("image_type", [nib.Nifti1Image, nib.Nifti2Image])
def test_all_kinds_of_files_give_the_same(tmp_path, name, image_type):
    if not name.startswith("a.nii"):
        image_type = nib.Nifti1Pair if image_type is nib.Nifti1Image else nib.Nifti2Pair
    affine = affine_of(np.diag([-1.0, -1, 1]), tilt=0.1)
    image_type(numbered(), affine).to_filename(tmp_path / name)
    file = open_nifti(tmp_path / name)
    assert np.array_equal(stored(tmp_path / name), numbered())
    np.testing.assert_allclose(file.affine, affine, rtol=1e-6)
    assert file.format == ("NIfTI-2" if "2" in image_type.__name__ else "NIfTI-1")


def test_suffix_does_not_matter(tmp_path):
    write_nifti1(tmp_path / "plain.nii", numbered())
    (tmp_path / "zipped.nii").write_bytes(gzip.compress((tmp_path / "plain.nii").read_bytes()))
    assert np.array_equal(stored(tmp_path / "zipped.nii"), numbered())


def test_big_endian(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nib.Nifti1Image(numbered(), affine_of(np.eye(3)), header).to_filename(tmp_path / "big.nii")
    assert (tmp_path / "big.nii").read_bytes()[:4] == b"\0\0\x01\x5c"
    file = open_nifti(tmp_path / "big.nii")
    assert file.dtype == np.dtype(">i2")
    assert np.array_equal(stored(tmp_path / "big.nii"), numbered())


def test_slabs_are_bounded_and_cover_the_volume(tmp_path, monkeypatch):
    monkeypatch.setattr(nifti_file, "_SLAB_VOXELS", 50)
    path = write_nifti1(tmp_path / "a.nii.gz", numbered((5, 4, 9)))
    slabs = list(open_nifti(path).slabs())
    assert [(s.start, s.stop) for s, _ in slabs] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 9)]
    assert np.array_equal(np.concatenate([b for _, b in slabs], axis=2), numbered((5, 4, 9)))


def test_each_volume_of_four_dimensions(tmp_path):
    series = numbered((5, 4, 3, 2))
    path = write_nifti1(tmp_path / "a.nii.gz", series)
    assert open_nifti(path).volumes == 2
    assert np.array_equal(stored(path, 1), series[..., 1])


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99])
def test_truncated_values_are_damage(tmp_path, name, kept):
    noise = np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20)).astype(np.int16)
    path = write_nifti1(tmp_path / name, noise)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(DamagedFileError, match=r"is damaged .it ends"):
        stored(path)


def test_truncated_before_the_header_ends(tmp_path):
    path = write_nifti1(tmp_path / "a.nii", numbered())
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DamagedFileError, match="ends inside its header"):
        open_nifti(path)


def test_wrong_gzip_checksum_is_damage(tmp_path):
    path = write_nifti1(tmp_path / "a.nii.gz", numbered())
    block = bytearray(path.read_bytes())
    block[-6] ^= 255
    path.write_bytes(block)
    with pytest.raises(DamagedFileError, match="corrupt"):
        stored(path)


@pytest.mark.parametrize("suffix", [".hdr", ".img"])
def test_half_a_pair_says_what_is_missing(tmp_path, suffix):
    nib.Nifti1Pair(numbered(), np.eye(4)).to_filename(tmp_path / "a.img")
    other = ".img" if suffix == ".hdr" else ".hdr"
    (tmp_path / f"a{other}").unlink()
    error = DamagedFileError if suffix == ".hdr" else UnsupportedFormatError
    with pytest.raises(error, match=f"a{other}"):
        stored(tmp_path / f"a{suffix}")


def test_absent_file_and_folder(tmp_path):
    with pytest.raises(UnsupportedFormatError, match="does not exist"):
        open_nifti(tmp_path / "no.nii")
    with pytest.raises(UnsupportedFormatError, match="is a folder"):
        open_nifti(tmp_path)


def test_extensions_are_split(tmp_path):
    image = nib.Nifti1Image(numbered(), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"hello"))
    image.header.extensions.append(nib.nifti1.Nifti1Extension(40, b"other"))
    image.to_filename(tmp_path / "a.nii.gz")
    assert [(code, text.rstrip(b"\0")) for code, text in open_nifti(tmp_path / "a.nii.gz").extensions()] == [
        (6, b"hello"),
        (40, b"other"),
    ]
    assert open_nifti(write_nifti1(tmp_path / "b.nii", numbered())).extensions() == []
    assert np.array_equal(stored(tmp_path / "a.nii.gz"), numbered())
