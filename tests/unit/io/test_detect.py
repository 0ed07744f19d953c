"""Detection by content and opening, over all real files and made ones."""

import gzip
import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_cases import stored_values, write_series
from PIL import Image
from slide_cases import picture, write_pyramid

from napari_medpatch.errors import (
    ChoiceNeededError,
    DamagedFileError,
    GeometryError,
    MedPatchError,
    UnsupportedFormatError,
    WrongKindError,
)
from napari_medpatch.geometry import Box
from napari_medpatch.io.describe import describe
from napari_medpatch.io.detect import detect, open_source
from napari_medpatch.io.tile_cache import TileCache

REAL = Path(__file__).resolve().parents[4] / "shared" / "real"


def real_names() -> list[str]:
    """Every real file; of long runs of alike ones a few."""
    names = []
    for folder in ("wsi", "odd", "ct", "fundus"):
        files = [path for path in sorted((REAL / folder).rglob("*")) if path.is_file()]
        alike: dict[tuple[Path, str], int] = {}
        for path in files:
            alike[path.parent, path.suffix] = count = alike.get((path.parent, path.suffix), 0) + 1
            if count <= 3 or folder in ("wsi", "odd"):
                names.append(str(path.relative_to(REAL)))
    return names or ["the real data are not here"]


EXPECTED = {
    "wsi/CMU-1-Small-Region.svs": ("slide", "Aperio SVS"),
    "wsi/boxes.tiff": ("slide", "tiled TIFF"),
    "wsi/instanseg_HE_example.ome.tif": ("slide", "OME-TIFF"),
    "wsi/derived_mosaic_ucsb_dev.tiff": ("slide", "tiled TIFF"),
    "wsi/derived_mosaic_ucsb_dev_truth_ds16.png": ("photo", "PNG"),
    "wsi/derived_mosaic_ucsb_dev_truth.geojson": "JSON text",
    "odd/dicom/sm_image.dcm": ("slide", "DICOM WSI"),
    "odd/dicom/wsi_full_with_bot.dcm": ("slide", "DICOM WSI"),
    "odd/dicom/sm_image_grayscale.dcm": "BitsAllocated value 16",
    "odd/dicom/wsi_concatenation.dcm": "concatenation member",
    "odd/dicom/ct_image.dcm": ("volume", "DICOM series"),
    "odd/dicom/ct_slice_no_modality_0.dcm": ("volume", "DICOM series"),
    "odd/nifti/nifti1.hdr": "nifti1.img",
    "odd/nifti/functional.nii": "20 volumes",
    "odd/nifti/anatomical.nii": ("volume", "NIfTI-1"),
    "odd/tiff/1bit.tif": ("photo", "TIFF"),
    "odd/tiff/broken.svs": "not a slide",
    "odd/tiff/grey10kx5k.tif": ("slide", "TIFF"),
    "odd/tiff/ojpeg-tile.tif": "old-style JPEG",
    "odd/tiff/unreadable.svs": "damaged at level 0",
    "odd/tiff/test_orient6.tif": ("slide", "TIFF"),
    "odd/tiff/smalltif_two_sizes_uint16.tif": ("photo", "TIFF"),
    "odd/truncated/CIP_ct-64_first50percent.nii.gz": "is damaged",
    "odd/truncated/CMU-1-Small-Region_first60percent.svs": "was probably cut off",
    "odd/truncated/empty.svs": "it is empty",
    "odd/truncated/empty.nii.gz": "it is empty",
    "ct/CIP_10002K_ct-64.nrrd": ("volume", "NRRD"),
    "ct/LIDC-IDRI-0001_ct_256.nii.gz": ("volume", "NIfTI-1"),
    "ct/LIDC-IDRI-0001_dicom_16slices/*.dcm": ("volume", "DICOM series"),
    "ct/LIDC-IDRI-0001_dicom_16slices/*.xml": "XML text",
    "fundus/eyepacs/*.csv": "is a text file",
}


@pytest.mark.parametrize("name", real_names())
def test_every_real_file_opens_or_is_refused_in_one_sentence(real_data: Path, name: str) -> None:
    path = real_data / name
    expected = EXPECTED.get(name, EXPECTED.get(f"{name.rpartition('/')[0]}/*{path.suffix}"))
    try:
        found = detect(path)
        source = open_source(path, cache=TileCache(1 << 22))
    except MedPatchError as error:
        sentence = str(error)
        assert isinstance(expected, str), sentence
        assert expected in sentence
        assert name.rpartition("/")[2] in sentence
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert ". " not in sentence
        return
    with closing(source):
        assert not isinstance(expected, str)
        assert expected is None or expected == (source.kind, source.format) == (found.kind, found.format)
        assert found.kind == source.kind
        corner = tuple(min(40, n) for n in source.levels[-1].shape)
        pixels = source.read(len(source.levels) - 1, Box.whole(corner))
        assert pixels.shape[: len(corner)] == corner
        assert json.loads(json.dumps(describe(source), allow_nan=False))["kind"] == source.kind


def test_real_folders(real_data: Path) -> None:
    assert detect(real_data / "wsi/CMU-1-Small-Region_dicom").format == "DICOM WSI"
    assert detect(real_data / "ct/LIDC-IDRI-0001_dicom_16slices").reader == "dicom"
    with pytest.raises(UnsupportedFormatError, match="folder without DICOM"):
        detect(real_data / "fundus/chasedb1")


def test_a_slide_in_a_folder_keeps_the_folders_name(real_data: Path) -> None:
    folder = real_data / "wsi/CMU-1-Small-Region_dicom"
    with closing(open_source(folder)) as source:
        assert source.path == folder


@pytest.mark.parametrize(
    ("name", "new", "kind"),
    [
        ("wsi/CMU-1-Small-Region.svs", "x.png", "slide"),
        ("fundus/chasedb1/Image_01L.jpg", "x.svs", "photo"),
        ("ct/totalseg_example_ct_sm.nii.gz", "x.tif", "volume"),
    ],
)
def test_suffixes_do_not_count(real_data: Path, tmp_path: Path, name: str, new: str, kind: str) -> None:
    shutil.copy(real_data / name, tmp_path / new)
    with closing(open_source(tmp_path / new)) as source:
        assert source.kind == kind


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
def test_photographs(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"eye.{suffix}"
    Image.fromarray(picture(60, 80)).save(path)
    assert detect(path).kind == "photo"
    with closing(open_source(str(path))) as source:
        assert source.kind == "photo"
        assert source.spacing is None


@pytest.mark.parametrize("kind", ["photo", "slide"])
def test_a_png_with_the_users_size(tmp_path: Path, kind: str) -> None:
    Image.fromarray(picture(60, 80)).save(tmp_path / "region.png")
    with closing(open_source(tmp_path / "region.png", mpp=(0.5, 0.25), kind=kind)) as source:  # type: ignore[arg-type]
        assert source.kind == kind
        assert source.spacing is not None
        assert source.spacing.values == (0.5, 0.25)
        assert source.format == "PNG"
        np.testing.assert_array_equal(source.read(0, Box.whole((60, 80))), picture(60, 80))


@pytest.mark.parametrize(("dimension", "index"), [(3, None), (4, 1)])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_volumes(tmp_path: Path, kind: type, dimension: int, index: int | None) -> None:
    path = tmp_path / "ct.nii"
    nib.save(kind(np.zeros((5, 6, 7, 2)[:dimension], np.int16), np.eye(4)), path)
    zipped = tmp_path / "zipped"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, zipped):
        assert detect(file).format == ("NIfTI-1" if kind is nib.Nifti1Image else "NIfTI-2")
        with closing(open_source(file, volume_index=index)) as source:
            assert source.levels[0].shape == (7, 6, 5)
    if dimension == 4:
        with pytest.raises(ChoiceNeededError):
            open_source(path)


def test_either_file_of_a_pair(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(np.zeros((5, 6, 7), np.int16), np.eye(4)), tmp_path / "ct.img")
    for name in ("ct.hdr", "ct.img"):
        with closing(open_source(tmp_path / name)) as source:
            assert source.levels[0].shape == (7, 6, 5)


def test_a_size_in_um_does_not_fit_a_volume(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((5, 6, 7), np.int16), np.eye(4)), tmp_path / "ct.nii")
    with pytest.raises(GeometryError, match="is a volume"):
        open_source(tmp_path / "ct.nii", mpp=0.5)


@pytest.mark.parametrize(("name", "kind"), [("a.tif", "volume"), ("a.png", "volume"), ("a.nii", "slide")])
def test_kinds_that_a_file_cannot_be(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    if name == "a.tif":
        write_pyramid(path, [picture(60, 80)])
    elif name == "a.png":
        Image.fromarray(picture(60, 80)).save(path)
    else:
        nib.save(nib.Nifti1Image(np.zeros((5, 6, 7), np.int16), np.eye(4)), path)
    with pytest.raises(WrongKindError, match=f"cannot be opened as a {kind}"):
        detect(path, kind=kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", DamagedFileError),
        (np.random.default_rng(0).bytes(5000), UnsupportedFormatError),
        (b"II*\0", DamagedFileError),
        (b"hello, world", UnsupportedFormatError),
        (gzip.compress(b"II*\0" + bytes(100), mtime=0), UnsupportedFormatError),
        (b"SQLite format 3\0" + bytes(2000), UnsupportedFormatError),
    ],
)
def test_made_bad_files_are_refused_in_one_sentence(tmp_path: Path, data: bytes, error: type[Exception]) -> None:
    path = tmp_path / "bad.svs"
    path.write_bytes(data)
    with pytest.raises(error, match=r"bad\.svs .*\.$") as caught:
        open_source(path)
    assert ". " not in str(caught.value)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"none\.svs does not exist"):
        open_source(tmp_path / "none.svs")


def test_a_slide_that_openslide_finds_but_cannot_open_goes_to_tifffile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_medpatch.io import slide

    def refuses(*_: object, **__: object) -> None:
        raise UnsupportedFormatError("no.")

    monkeypatch.setattr(slide, "OpenSlideTiles", refuses)
    with closing(open_source(write_pyramid(tmp_path / "a.tif", [picture(60, 80)]), mpp=0.5)) as source:
        assert type(source).__name__ == "TiffSource"
        assert source.spacing is not None


def test_importing_detection_and_lazy_levels_loads_nothing_slow() -> None:
    code = (
        "import sys, time, numpy; start = time.process_time();"
        "import napari_medpatch.io.detect, napari_medpatch.io.lazy_level; spent = time.process_time() - start;"
        "slow = {'openslide', 'tifffile', 'imagecodecs', 'pydicom', 'PIL', 'torch'} & set(sys.modules);"
        "print(spent, *slow)"
    )
    seconds, *slow = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert slow == []
    assert float(seconds) < 0.2  # of the processor; 0.02 s on an idle machine


def test_the_current_folder_is_a_folder_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path, stored_values())
    monkeypatch.chdir(tmp_path)
    assert detect(".").reader == "dicom"
