"""NRRD and MetaImage: written by SimpleITK or by hand, read as the same volume in NIfTI is."""

import bz2
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from volume_cases import SHAPE, affine_of, numbered, orientations, world

from napari_medpatch.errors import ChoiceNeededError, DamagedFileError, GeometryError, UnsupportedFormatError
from napari_medpatch.events import Finished, Started
from napari_medpatch.io.detect import detect, open_source, open_steps
from napari_medpatch.io.export import write_mask
from napari_medpatch.io.labels_file import read_labels

LPS = np.diag([-1.0, -1, 1, 1])


def itk_image(values: np.ndarray, affine: np.ndarray) -> SimpleITK.Image:
    """An image of ``(i, j, k)`` values and an affine to RAS+."""
    image = SimpleITK.GetImageFromArray(values.T)
    lps = LPS @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(sizes.tolist())
    image.SetDirection((lps[:3, :3] / sizes).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def written(path: Path, values: np.ndarray, affine: np.ndarray | None = None, compressed: bool = False) -> Path:
    SimpleITK.WriteImage(
        itk_image(values, np.diag([-1.0, -1, 1, 1]) if affine is None else affine), str(path), compressed
    )
    return path


def nrrd(path: Path, values: np.ndarray, **fields: str) -> Path:
    """Write an NRRD by hand; a field of ``""`` is left out."""
    lines = {
        "type": {"i": "int", "f": "float", "u": "uint"}[values.dtype.kind] if values.dtype.itemsize == 4 else "short",
        "dimension": str(values.ndim),
        "space": "left-posterior-superior",
        "sizes": " ".join(map(str, values.shape)),
        "space directions": "(1,0,0) (0,1,0) (0,0,2)",
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(1,2,3)",
    } | {key.replace("_", " "): value for key, value in fields.items()}
    head = "NRRD0004\n" + "".join(f"{key}: {value}\n" for key, value in lines.items() if value) + "\n"
    path.write_bytes(head.encode() + values.tobytes(order="F"))
    return path


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_form_of_file_is_read(tmp_path: Path, suffix: str, compressed: bool) -> None:
    path = written(tmp_path / f"a{suffix}", numbered(), affine_of(np.eye(3)), compressed)
    source = open_source(path)
    assert np.array_equal(source.to_original(source.data), numbered())
    assert (source.kind, source.dtype, source.metadata["value_unit"]) == ("volume", np.int16, "HU")
    assert source.format == ("NRRD" if suffix[1] == "n" else "MetaImage")
    assert source.metadata["notes"] == []


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("matrix", orientations())
@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_all_orientations_are_read_as_in_nifti(tmp_path: Path, suffix: str, matrix: np.ndarray, tilt: float) -> None:
    affine = affine_of(matrix, tilt=tilt)
    source = open_source(written(tmp_path / f"a{suffix}", numbered(), affine))
    nib.Nifti1Image(numbered(), affine).to_filename(tmp_path / "a.nii")
    same = open_source(tmp_path / "a.nii")
    assert np.array_equal(source.data, same.data)
    np.testing.assert_allclose(source.canonical_affine, same.canonical_affine, atol=1e-4)
    np.testing.assert_allclose(source.affine, affine, atol=1e-6)


@pytest.mark.parametrize("matrix", orientations()[::5])
def test_a_point_painted_in_the_window_lands_there_in_the_nifti(tmp_path: Path, matrix: np.ndarray) -> None:
    source = open_source(written(tmp_path / "a.nrrd", numbered(), affine_of(matrix, tilt=0.4)))
    mask = np.zeros(source.data.shape, np.uint8)
    at = (source.data.shape[0] - 1, 1, source.data.shape[2] - 2)
    mask[at] = 1
    write_mask(mask, source, tmp_path / "m.nii.gz")
    image = nib.load(tmp_path / "m.nii.gz")
    painted = np.argwhere(np.asarray(image.dataobj) == 1)
    there = world(source.canonical_affine, np.array([at[::-1]]))
    np.testing.assert_allclose(world(image.affine, painted), there, atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("matrix", orientations()[::7])
def test_labels_in_these_formats_fit_in_any_orientation(tmp_path: Path, suffix: str, matrix: np.ndarray) -> None:
    affine = affine_of(np.diag([-1.0, -1, 1]), tilt=0.3)
    source = open_source(written(tmp_path / "ct.nrrd", numbered(), affine))
    painted = np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.uint8)
    codes = nib.orientations.io_orientation(np.vstack([np.hstack([matrix, np.zeros((3, 1))]), [0, 0, 0, 1]]))
    turned = nib.Nifti1Image(painted, affine).as_reoriented(codes)
    path = written(tmp_path / f"labels{suffix}", np.asarray(turned.dataobj), turned.affine, compressed=True)
    assert np.array_equal(source.to_original(read_labels(path, source)), painted)


def test_names_do_not_count(tmp_path: Path) -> None:
    for name in ("a.nrrd", "a.mha"):
        other = written(tmp_path / name, numbered()).rename(tmp_path / f"{name[2:]}.dat")
        assert np.array_equal(np.sort(open_source(other).data, axis=None), np.sort(numbered(), axis=None))


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
def test_the_file_of_values_opens_by_its_header(tmp_path: Path, suffix: str) -> None:
    written(tmp_path / f"a{suffix}", numbered())
    values = next(path for path in tmp_path.iterdir() if path.suffix != suffix)
    assert open_source(values).path == tmp_path / f"a{suffix}"
    values.unlink()
    with pytest.raises(UnsupportedFormatError, match=r"is a header only; put its file of values .* beside it\.$"):
        open_source(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1, 1)),
        ("RAS", (1, 1, 1)),
        ("left-anterior-superior", (-1, 1, 1)),
    ],
)
def test_spaces_of_nrrd(tmp_path: Path, space: str, signs: tuple[int, ...]) -> None:
    source = open_source(nrrd(tmp_path / "a.nrrd", numbered(), space=space))
    np.testing.assert_allclose(source.affine[:3, :3], np.diag(signs) @ np.diag([1, 1, 2]))
    np.testing.assert_allclose(source.affine[:3, 3], np.array(signs) * (1, 2, 3))
    assert source.grid.known


def test_a_sheared_grid_keeps_its_affine_and_voxel_volume(tmp_path: Path) -> None:
    source = open_source(nrrd(tmp_path / "a.nrrd", numbered(), space_directions="(1,0,0) (0,1,0) (0,0.5,2)"))
    np.testing.assert_allclose((LPS @ source.affine)[:3, 2], [0, 0.5, 2])
    assert np.prod(source.spacing.values) == pytest.approx(2.0)


def test_lengths_in_micrometres(tmp_path: Path) -> None:
    source = open_source(nrrd(tmp_path / "a.nrrd", numbered(), space_units='"um" "um" "um"'))
    assert source.spacing.values == pytest.approx((2e-3, 1e-3, 1e-3))


def test_a_file_that_does_not_say_how_it_lies(tmp_path: Path) -> None:
    absent = {"space": "", "space_directions": "", "space_origin": ""}
    sized = open_source(nrrd(tmp_path / "a.nrrd", numbered(), spacings="0.5 0.75 2", **absent))
    assert sized.spacing.values == (2.0, 0.75, 0.5)
    assert not sized.grid.known
    assert sized.metadata["notes"] == ["The file does not say how it lies: left and right are not known."]
    bare = open_source(nrrd(tmp_path / "b.nrrd", numbered(), **absent))
    assert bare.spacing is None
    assert "does not say how large its voxels are" in bare.metadata["notes"][0]


@pytest.mark.parametrize("directions", ["(0,0,0) (0,1,0) (0,0,2)", "(1,0,0) (1,0,0) (0,0,2)"])
def test_impossible_grids_are_refused(tmp_path: Path, directions: str) -> None:
    path = nrrd(tmp_path / "a.nrrd", numbered(), space_directions=directions)
    with pytest.raises(GeometryError, match=r"a\.nrrd gives an impossible voxel size"):
        open_source(path)


@pytest.mark.parametrize(
    ("kinds", "directions", "first"),
    [
        ("list domain domain domain", "none (1,0,0) (0,1,0) (0,0,2)", True),
        ("domain domain domain list", "(1,0,0) (0,1,0) (0,0,2) none", False),
    ],
)
def test_several_volumes_need_a_choice(tmp_path: Path, kinds: str, directions: str, first: bool) -> None:
    both = np.stack([numbered(), numbered() + 5])
    path = nrrd(
        tmp_path / "a.nrrd", both if first else np.moveaxis(both, 0, 3), kinds=kinds, space_directions=directions
    )
    with pytest.raises(ChoiceNeededError, match="holds 2 volumes") as caught:
        open_source(path)
    assert caught.value.choices == ("volume 0", "volume 1")
    second = open_source(path, volume_index=1)
    assert np.array_equal(second.to_original(second.data), numbered() + 5)
    with pytest.raises(ChoiceNeededError, match="has no volume 2"):
        open_source(path, volume_index=2)


def test_a_time_series_in_metaimage(tmp_path: Path) -> None:
    values = np.stack([numbered().T, numbered().T + 3])
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values, isVector=False), str(tmp_path / "a.mha"))
    second = open_source(tmp_path / "a.mha", volume_index=1)
    assert np.array_equal(second.to_original(second.data), numbered() + 3)


def test_colours_slices_and_complex_numbers_are_refused(tmp_path: Path) -> None:
    rgb = nrrd(
        tmp_path / "rgb.nrrd",
        np.stack([numbered()] * 3),
        kinds="RGB-color domain domain domain",
        space_directions="none (1,0,0) (0,1,0) (0,0,2)",
    )
    with pytest.raises(UnsupportedFormatError, match="holds colours"):
        open_source(rgb)
    flat = tmp_path / "flat.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(numbered()[0]), str(flat))
    with pytest.raises(UnsupportedFormatError, match="holds 2D data"):
        open_source(flat)


def test_what_itk_does_not_read_is_said_in_a_sentence(tmp_path: Path) -> None:
    path = nrrd(
        tmp_path / "a.nrrd",
        np.stack([numbered()] * 2, axis=3),
        kinds="domain domain domain time",
        space_directions="(1,0,0) (0,1,0) (0,0,2) none",
    )
    with pytest.raises(UnsupportedFormatError, match=r"is of a kind that SimpleITK does not read \(.*\)\.$") as caught:
        open_source(path)
    assert ". " not in str(caught.value)


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_truncated_files_are_damaged(tmp_path: Path, suffix: str, compressed: bool, capfd) -> None:
    noise = np.random.default_rng(0).integers(-1000, 1000, (30, 20, 10)).astype(np.int16)
    path = written(tmp_path / f"a{suffix}", noise, compressed=compressed)
    values = max(tmp_path.iterdir(), key=lambda file: file.stat().st_size)
    values.write_bytes(values.read_bytes()[: values.stat().st_size * 6 // 10])
    with pytest.raises(DamagedFileError, match=r"a\.\S+ is damaged .*; copy or download it again\.$"):
        open_source(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_a_header_cut_short_is_damaged(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, numbered())
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DamagedFileError):
        open_source(path)


def test_floats_follow_the_rule_for_values(tmp_path: Path) -> None:
    values = numbered().astype(np.float32) / 7000
    values[0, 0, 0] = np.nan
    source = open_source(written(tmp_path / "a.nrrd", values))
    assert source.dtype == np.float32
    assert "1 voxel that was not a number" in source.metadata["notes"][0]
    rounded = open_source(written(tmp_path / "b.mha", numbered().astype(np.float32) + 0.25))
    assert rounded.dtype == np.int16
    assert np.array_equal(rounded.to_original(rounded.data), numbered())


def test_opening_is_a_job(tmp_path: Path) -> None:
    events = list(open_steps(written(tmp_path / "a.nrrd", numbered())))
    assert [(e.total, e.unit) for e in events if isinstance(e, Started)] == [(1, "files"), (SHAPE[2], "slices")]
    assert isinstance(events[-1], Finished)


def test_the_real_nrrd_is_its_nifti_copy(real_data: Path) -> None:
    path = real_data / "ct" / "CIP_10002K_ct-64.nrrd"
    assert (detect(path).kind, detect(path).format) == ("volume", "NRRD")
    source, same = open_source(path), open_source(real_data / "ct" / "CIP_10002K_ct-64.nii.gz")
    assert np.array_equal(source.data, same.data)
    np.testing.assert_allclose(source.canonical_affine, same.canonical_affine, atol=1e-4)
    lungs = read_labels(real_data / "ct" / "CIP_10002K_lungs-64.nii.gz", source)
    assert lungs.max() == 2


def test_bzip2_is_named_as_what_is_not_read(tmp_path: Path) -> None:
    header = "NRRD0004\ntype: int16\ndimension: 3\nsizes: 2 2 2\nencoding: bzip2\nendian: little\n\n"
    path = tmp_path / "ct.nrrd"
    path.write_bytes(header.encode() + bz2.compress(bytes(16)))
    with pytest.raises(UnsupportedFormatError, match=r"compressed with bzip2, which is not read; save it with gzip"):
        open_source(path)
