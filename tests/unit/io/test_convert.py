import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image
from volume_cases import affine_of, numbered, orientations, write_nifti1

from napari_medpatch.errors import ChoiceNeededError, LabelsError, MedPatchError, OutputError, UnsupportedFormatError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import export_path, write_mask, write_probabilities
from napari_medpatch.io.ome import read_ome_geometry
from napari_medpatch.io.score_csv import read_patch_scores, write_patch_scores
from napari_medpatch.io.scores import PatchScores
from napari_medpatch.io.volume import VolumeSource

RNG = np.random.default_rng(0)
AFFINE = affine_of(orientations()[30], tilt=0.2)


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    return write_nifti1(tmp_path / "ct.nii.gz", numbered(), AFFINE)


@pytest.fixture
def mask(tmp_path: Path, ct: Path) -> Path:
    source = VolumeSource(ct)
    values = RNG.integers(0, 3, source.data.shape).astype(np.uint8)
    return write_mask(values, source, tmp_path / "mask.nii.gz", class_names=("lung", "heart"))


@pytest.fixture
def eye(tmp_path: Path) -> Path:
    pixels = RNG.integers(0, 255, (20, 30, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "eye.png")
    return tmp_path / "eye.png"


def assert_same_volume(first: Path, second: Path) -> None:
    a, b = nib.load(first), nib.load(second)
    assert np.array_equal(np.asarray(a.dataobj), np.asarray(b.dataobj))
    np.testing.assert_allclose(a.affine, b.affine)


def test_volume_to_nifti_keeps_values_and_grid(tmp_path, ct):
    assert export_path(ct, tmp_path / "copy.nii") == tmp_path / "copy.nii"
    assert_same_volume(ct, tmp_path / "copy.nii")
    assert nib.load(tmp_path / "copy.nii").get_data_dtype() == np.int16


def test_volume_to_ome_tiff_and_back(tmp_path, ct):
    export_path(ct, tmp_path / "ct.ome.tiff")
    geometry = read_ome_geometry(tmp_path / "ct.ome.tiff")
    assert geometry.pixel_size == pytest.approx(VolumeSource(ct).spacing.values)
    assert np.array_equal(tifffile.imread(tmp_path / "ct.ome.tiff"), VolumeSource(ct).data)
    again = VolumeSource(export_path(tmp_path / "ct.ome.tiff", tmp_path / "back.nii.gz"))
    assert np.array_equal(again.data, VolumeSource(ct).data)
    np.testing.assert_allclose(again.canonical_affine, VolumeSource(ct).canonical_affine, atol=1e-5)


def test_mask_through_ome_tiff_comes_back_on_the_grid_of_its_image(tmp_path, ct, mask):
    export_path(mask, tmp_path / "mask.ome.tiff")
    note = read_ome_geometry(tmp_path / "mask.ome.tiff").note
    assert (note.kind, note.class_names) == ("mask", ("lung", "heart"))
    assert tifffile.imread(tmp_path / "mask.ome.tiff").dtype == np.uint8
    export_path(tmp_path / "mask.ome.tiff", tmp_path / "back.nii.gz", like=ct)
    assert_same_volume(mask, tmp_path / "back.nii.gz")


def test_probabilities_keep_their_classes(tmp_path, ct):
    maps = RNG.random((2, *VolumeSource(ct).data.shape)).astype(np.float32)
    write_probabilities(maps, VolumeSource(ct), tmp_path / "p.nii.gz", class_names=("a", "b"))
    export_path(tmp_path / "p.nii.gz", tmp_path / "p.ome.tiff")
    assert np.array_equal(tifffile.imread(tmp_path / "p.ome.tiff"), maps)
    assert read_ome_geometry(tmp_path / "p.ome.tiff").channel_names == ("a", "b")
    export_path(tmp_path / "p.ome.tiff", tmp_path / "q.nii", like=ct)
    assert_same_volume(tmp_path / "p.nii.gz", tmp_path / "q.nii")
    export_path(tmp_path / "p.ome.tiff", tmp_path / "r.nii")
    assert nib.load(tmp_path / "r.nii").shape[3] == 2


def test_one_volume_of_a_series(tmp_path):
    series = numbered((5, 4, 3, 2))
    path = write_nifti1(tmp_path / "series.nii", series, AFFINE)
    with pytest.raises(ChoiceNeededError, match="holds 2 volumes"):
        export_path(path, tmp_path / "one.nii")
    export_path(path, tmp_path / "one.nii", volume_index=1)
    assert np.array_equal(np.asarray(nib.load(tmp_path / "one.nii").dataobj), series[..., 1])


def test_outlines_of_a_mask_have_the_names_of_its_classes(tmp_path):
    source = ArraySource(np.zeros((20, 30, 3), np.uint8), "photo")
    values = np.zeros((20, 30), np.uint8)
    values[3:7, 4:9] = 2
    write_mask(values, source, tmp_path / "m.png", class_names=("disc", "vessel"))
    export_path(tmp_path / "m.png", tmp_path / "m.geojson")
    (feature,) = json.loads((tmp_path / "m.geojson").read_text())["features"]
    assert feature["properties"]["classification"]["name"] == "vessel"


def test_black_and_white_mask_is_class_one(tmp_path):
    Image.fromarray(np.diag([255] * 5).astype(np.uint8)).save(tmp_path / "m.png")
    export_path(tmp_path / "m.png", tmp_path / "m.geojson")
    features = json.loads((tmp_path / "m.geojson").read_text())["features"]
    assert {f["properties"]["classification"]["name"] for f in features} == {"class 1"}


def test_photograph_and_its_mask(tmp_path, eye):
    export_path(eye, tmp_path / "eye.ome.tiff")
    assert np.array_equal(tifffile.imread(tmp_path / "eye.ome.tiff"), np.asarray(Image.open(eye)))
    values = RNG.integers(0, 2, (20, 30)).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "m.png")
    export_path(tmp_path / "m.png", tmp_path / "m.ome.tiff", like=eye)
    assert np.array_equal(tifffile.imread(tmp_path / "m.ome.tiff"), values)
    export_path(tmp_path / "m.ome.tiff", tmp_path / "again.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "again.png")), values)


def test_scores_between_csv_and_geojson(tmp_path):
    boxes = np.array([[0, 0, 64, 64], [0, 64, 64, 128]])
    scores = PatchScores(boxes, np.array([[0.25, 0.75], [0.5, 0.5]], np.float32), ("benign", "malignant"))
    write_patch_scores(tmp_path / "a.csv", scores)
    export_path(tmp_path / "a.csv", tmp_path / "a.geojson")
    export_path(tmp_path / "a.geojson", tmp_path / "b.csv")
    again = read_patch_scores(tmp_path / "b.csv")
    assert np.array_equal(again.boxes, boxes)
    assert np.array_equal(again.probabilities, scores.probabilities)
    assert again.class_names == ("benign", "malignant")


def test_combinations_without_sense_are_one_sentence(tmp_path, ct, mask, eye):
    csv = tmp_path / "a.csv"
    csv.write_text("minx,miny,width,height,prob_a\n0,0,1,1,0.5\n")
    stack = tmp_path / "stack.tif"
    tifffile.imwrite(stack, np.zeros((3, 9, 9), np.uint8), photometric="minisblack")
    cases = [
        (ct, "a.png", OutputError, "PNG holds one slice and the volume has 4; .* folder of slices"),
        (mask, "a.geojson", OutputError, "GeoJSON holds one slice"),
        (ct, "b.csv", OutputError, "only scores of patches"),
        (ct, "a.dcm", OutputError, "DICOM-SEG refers to the DICOM series"),
        (ct, "a.jpg", OutputError, "names no format"),
        (ct, "ct.nii.gz", OutputError, "is the input itself"),
        (eye, "a.nii.gz", OutputError, "is a photo and NIfTI is for volumes"),
        (eye, "a.geojson", OutputError, "is a photo and outlines are drawn of masks"),
        (csv, "a.png", OutputError, "holds CSV and can become GeoJSON only"),
        (stack, "a.nii", OutputError, "does not say how it lies in the body; give the volume with --like"),
        (stack, "a.png", OutputError, "PNG holds one plane and stack.tif has 3"),
        (tmp_path / "gone.nii", "a.nii", MedPatchError, "gone.nii"),
    ]
    for path, name, error, sentence in cases:
        with pytest.raises(error, match=sentence) as caught:
            export_path(path, tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not any((tmp_path / name).exists() for _, name, _, _ in cases if name != "ct.nii.gz")


def test_with_like_only_masks_and_maps_make_sense(tmp_path, ct, eye):
    with pytest.raises(LabelsError, match="is a colour picture; with --like give a mask"):
        export_path(eye, tmp_path / "a.png", like=eye)
    with pytest.raises(LabelsError, match="labels are whole numbers"):
        export_path(ct, tmp_path / "a.nii", like=ct)


def test_map_has_no_outlines(tmp_path):
    source = ArraySource(np.zeros((4, 5, 3), np.uint8), "photo")
    write_probabilities(np.zeros((1, 4, 5), np.uint8), source, tmp_path / "p.png")
    with pytest.raises(LabelsError, match="holds a map, not labels"):
        export_path(tmp_path / "p.png", tmp_path / "p.geojson")


def test_slides_become_pictures_if_they_fit(tmp_path, real_data, monkeypatch):
    slide = real_data / "wsi" / "boxes.tiff"
    export_path(slide, tmp_path / "boxes.png")
    with Image.open(tmp_path / "boxes.png") as picture:
        assert picture.size == (300, 250)
    monkeypatch.setattr("napari_medpatch.io.convert_image.MAX_PIXELS", 1000)
    with pytest.raises(OutputError, match="300 × 250 pixels, too many for one picture"):
        export_path(slide, tmp_path / "b.png")


def test_foreign_files_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    for path in (tmp_path / "a.txt", tmp_path):
        with pytest.raises(UnsupportedFormatError):
            export_path(path, tmp_path / "out.nii.gz")


def test_a_real_nrrd_volume_becomes_the_nifti_file_it_was_converted_to(tmp_path, real_data):
    export_path(real_data / "ct" / "CIP_10002K_ct-64.nrrd", tmp_path / "ct.nii.gz")
    mine, theirs = (nib.load(p) for p in (tmp_path / "ct.nii.gz", real_data / "ct" / "CIP_10002K_ct-64.nii.gz"))
    assert np.array_equal(np.asarray(mine.dataobj), np.asarray(theirs.dataobj))
    np.testing.assert_allclose(mine.affine, theirs.affine, atol=1e-3)
    assert mine.header.get_xyzt_units()[0] == "mm"


def test_real_mask_to_ome_tiff_and_back(tmp_path, real_data):
    image = real_data / "ct" / "CIP_10002K_ct-64.nii.gz"
    labels = real_data / "ct" / "CIP_10002K_lungs-64.nii.gz"
    export_path(labels, tmp_path / "m.ome.tiff", like=image)
    export_path(tmp_path / "m.ome.tiff", tmp_path / "m.nii.gz", like=image)
    assert_same_volume(labels, tmp_path / "m.nii.gz")
