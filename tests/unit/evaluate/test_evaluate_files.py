"""Mask files: formats, orientations, names, what is left out, what does not fit."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from mask_cases import ball, slab
from PIL import Image

from napari_medpatch.cli import main
from napari_medpatch.errors import GeometryError, LabelsError, MedPatchError, UnsupportedFormatError
from napari_medpatch.evaluate.files import evaluate_files
from napari_medpatch.events import Noted, run
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_mask

SHAPE = (10, 14, 12)
SPACING = (3.0, 1.0, 2.0)
TRUTH = ball(SHAPE, (5, 7, 6), 4) + slab(SHAPE, (0, 2), (0, 3), (0, 3), value=2)
PREDICTION = np.roll(TRUTH, 1, 1)


@pytest.fixture
def image() -> ArraySource:
    affine = np.diag([-SPACING[2], -SPACING[1], SPACING[0], 1.0])
    affine[:3, 3] = 20, 30, -40
    return ArraySource(np.where(TRUTH, 50, -900).astype(np.int16), "volume", path=Path("ct.nii.gz"), affine=affine)


def names_and_masks(folder: Path, image: ArraySource, suffix: str) -> tuple[Path, Path]:
    paths = folder / f"prediction{suffix}", folder / f"truth{suffix}"
    for path, mask in zip(paths, (PREDICTION, TRUTH), strict=True):
        write_mask(mask, image, path, class_names=("ball", "box"), provenance={"model": "by hand"})
    return paths


def compared(prediction: Path, truth: Path, ignore: Path | None = None) -> dict[str, Any]:
    found: dict[str, Any] = run(evaluate_files(prediction, truth, ignore=ignore)).to_json()
    return found


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".ome.tiff"])
def test_formats_of_volumes_give_the_same(tmp_path: Path, image: ArraySource, suffix: str) -> None:
    prediction, truth = names_and_masks(tmp_path, image, suffix)
    result = run(evaluate_files(prediction, truth))
    assert [each.name for each in result.classes] == ["ball", "box"]
    assert result.units.spacing == pytest.approx(SPACING)
    assert result.classes[0].surface.hd == pytest.approx(1.0)
    (row,) = (row for row in result.object_rows() if row["name"] == "ball")
    assert (row["R_mm"], row["A_mm"], row["S_mm"]) == pytest.approx((8.0, 23.0, -25.0))
    assert result.provenance["made"]["truth"] == {"model": "by hand"}


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_volumes_of_itk_lie_on_the_same_grid(tmp_path: Path, image: ArraySource, suffix: str) -> None:
    prediction, truth = names_and_masks(tmp_path, image, ".nii.gz")
    expected = compared(prediction, truth)
    other = tmp_path / f"prediction{suffix}"
    write_mask(PREDICTION, image, other, class_names=("ball", "box"))
    for pair in ((other, truth), (prediction, other)):
        assert [each.name for each in run(evaluate_files(*pair)).classes] == ["ball", "box"]
    assert compared(other, truth)["classes"] == expected["classes"]
    far = ArraySource(image.data, "volume", path=Path("far"), affine=image.affine @ np.diag([1, 1, 1.5, 1]))
    write_mask(PREDICTION, far, tmp_path / f"far{suffix}")
    with pytest.raises(GeometryError, match=r"voxels apart|voxel size"):
        run(evaluate_files(tmp_path / f"far{suffix}", truth))


def test_formats_may_be_mixed(tmp_path: Path, image: ArraySource) -> None:
    as_tiff, _ = names_and_masks(tmp_path, image, ".ome.tiff")
    _, as_nifti = names_and_masks(tmp_path, image, ".nii.gz")
    expected = compared(names_and_masks(tmp_path, image, ".nii.gz")[0], as_nifti)["classes"]
    assert compared(as_tiff, as_nifti)["classes"] == expected


@pytest.mark.parametrize("axes", ["RAS", "LPI", "SAR", "PIR"])
def test_any_orientation_of_the_grid(tmp_path: Path, image: ArraySource, axes: str) -> None:
    prediction, truth = names_and_masks(tmp_path, image, ".nii.gz")
    expected = compared(prediction, truth)
    loaded = nib.load(prediction)
    change = nib.orientations.ornt_transform(
        nib.io_orientation(loaded.affine), nib.orientations.axcodes2ornt(tuple(axes))
    )
    turned = loaded.as_reoriented(change)
    turned.header.extensions.clear()
    nib.save(turned, tmp_path / "turned.nii.gz")
    found = compared(tmp_path / "turned.nii.gz", truth)
    assert found["classes"] == expected["classes"]
    assert found["objects"] == expected["objects"]


def test_keys_of_earlier_versions_are_there(tmp_path: Path, image: ArraySource) -> None:
    found = compared(*names_and_masks(tmp_path, image, ".nii.gz"))
    assert {"dice", "iou", "mean_dice", "mean_iou", "classes"} <= set(found)
    assert set(found["classes"]) == {"1", "2"}
    old = {"dice", "iou", "sensitivity", "precision", "specificity", "predicted", "true"}
    assert old <= set(found["classes"]["1"])
    dices = [found["classes"][value]["dice"] for value in ("1", "2")]
    assert found["mean_dice"] == pytest.approx(np.mean(dices))


def test_ignored_labels_are_left_out(tmp_path: Path, image: ArraySource) -> None:
    prediction, truth = names_and_masks(tmp_path, image, ".nii.gz")
    write_mask((PREDICTION != TRUTH).astype(np.uint8), image, tmp_path / "ignore.nii.gz")
    found = compared(prediction, truth, ignore=tmp_path / "ignore.nii.gz")
    assert found["dice"] == found["mean_iou"] == 1.0
    assert found["compared"] == np.count_nonzero(PREDICTION == TRUTH)


def test_sparse_truth_counts_labelled_voxels_only(tmp_path: Path, image: ArraySource) -> None:
    prediction, _ = names_and_masks(tmp_path, image, ".nii.gz")
    sparse = np.zeros(SHAPE, np.uint8)
    sparse[5] = TRUTH[5] + 1
    write_mask(sparse, image, tmp_path / "strokes.nii.gz", class_names=("background", "ball", "box"))
    result = run(evaluate_files(prediction, tmp_path / "strokes.nii.gz", sparse_truth=True))
    assert result.compared == TRUTH[5].size
    (found,) = result.classes
    both = np.count_nonzero((PREDICTION[5] == 1) & (TRUTH[5] == 1))
    assert (found.name, found.overlap.both, found.overlap.true) == ("ball", both, np.count_nonzero(TRUTH[5] == 1))
    write_mask(np.zeros(SHAPE, np.uint8), image, tmp_path / "none.nii.gz")
    with pytest.raises(LabelsError, match="holds no labels"):
        run(evaluate_files(prediction, tmp_path / "none.nii.gz", sparse_truth=True))


def test_names_that_differ_are_told(tmp_path: Path, image: ArraySource) -> None:
    prediction, truth = tmp_path / "p.nii.gz", tmp_path / "t.nii.gz"
    write_mask(PREDICTION, image, prediction, class_names=("heart", "box"))
    write_mask(TRUTH, image, truth, class_names=("ball",))
    notes = [event.message for event in evaluate_files(prediction, truth) if isinstance(event, Noted)]
    assert notes == ["Class 1 is called heart in the prediction and ball in the truth; they are compared by value."]
    result = run(evaluate_files(prediction, truth))
    assert [each.name for each in result.classes] == ["ball", "box"]


def test_pictures_with_and_without_an_image(tmp_path: Path) -> None:
    truth, prediction = slab((30, 40), (5, 25), (5, 25)), slab((30, 40), (5, 25), (7, 27))
    for name, mask in (("t.png", truth * 255), ("p.png", prediction)):
        Image.fromarray(mask).save(tmp_path / name)
    result = run(evaluate_files(tmp_path / "p.png", tmp_path / "t.png"))
    assert result.units.length == "px"
    assert result.classes[0].surface.hd == 2.0
    Image.fromarray(np.full((30, 40, 3), 200, np.uint8)).save(tmp_path / "photo.png")
    job = evaluate_files(
        tmp_path / "p.png", tmp_path / "t.png", image=tmp_path / "photo.png", report=tmp_path / "report"
    )
    assert run(job).foreground.overlap.dice == pytest.approx(0.9)
    assert (tmp_path / "report" / "report.html").exists()


def test_masks_of_a_slide_have_its_pixel_size(tmp_path: Path) -> None:
    from napari_medpatch.io.detect import open_source
    from napari_medpatch.samples import sample_path

    slide = Path(sample_path("slide"))
    with closing(open_source(slide)) as source:
        level = source.levels[-1]
        expected = [size * step for size, step in zip(source.spacing.values, level.downsample, strict=True)]
    mask = np.zeros(level.shape, np.uint8)
    mask[2:10, 2:10] = 1
    Image.fromarray(mask).save(tmp_path / "m.png")
    result = run(evaluate_files(tmp_path / "m.png", tmp_path / "m.png", image=slide, report=tmp_path / "report"))
    assert result.units.spacing == pytest.approx(expected)
    assert result.class_rows()[0]["true_mm2"] == pytest.approx(64 * np.prod(expected) / 1e6)


def test_without_truth_the_mask_is_measured(tmp_path: Path, image: ArraySource) -> None:
    mask, _ = names_and_masks(tmp_path, image, ".nii.gz")
    write_mask(TRUTH, image, mask, class_names=("ball", "box"))
    ct = nib.Nifti1Image(image.to_original(image.data), image.affine)
    nib.save(ct, tmp_path / "ct.nii.gz")
    result = run(evaluate_files(mask, image=tmp_path / "ct.nii.gz"))
    ball_row, box_row = result.class_rows()
    assert ball_row["volume_ml"] == pytest.approx(np.count_nonzero(TRUTH == 1) * 6 / 1000)
    assert (ball_row["mean_HU"], box_row["sd_HU"]) == (50.0, 0.0)


@pytest.mark.parametrize("name", ["scores.csv", "scores.json", "cells.geojson"])
def test_tables_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x,y,score\n1,2,0.5\n")
    with pytest.raises(UnsupportedFormatError, match="compares masks"):
        run(evaluate_files(tmp_path / name, tmp_path / name))


def test_grids_that_differ_are_one_sentence(tmp_path: Path, image: ArraySource) -> None:
    prediction, truth = names_and_masks(tmp_path, image, ".nii.gz")
    moved = nib.load(prediction)
    affine = moved.affine.copy()
    affine[0, 3] += 30
    nib.save(nib.Nifti1Image(np.asarray(moved.dataobj), affine), tmp_path / "moved.nii.gz")
    with pytest.raises(GeometryError, match="voxels apart") as caught:
        run(evaluate_files(tmp_path / "moved.nii.gz", truth))
    assert str(caught.value).count("12 × 14 × 10") == 2
    nib.save(nib.Nifti1Image(np.zeros((12, 14, 9), np.uint8), affine), tmp_path / "short.nii.gz")
    with pytest.raises(GeometryError, match=r"12 × 14 × 9.*12 × 14 × 10"):
        run(evaluate_files(tmp_path / "short.nii.gz", truth))


def test_four_dimensions_and_fractions_are_no_masks(tmp_path: Path, image: ArraySource) -> None:
    _, truth = names_and_masks(tmp_path, image, ".nii.gz")
    affine = nib.load(truth).affine
    nib.save(nib.Nifti1Image(np.zeros((12, 14, 10, 3), np.uint8), affine), tmp_path / "many.nii.gz")
    nib.save(nib.Nifti1Image(np.full((12, 14, 10), 0.5, np.float32), affine), tmp_path / "soft.nii.gz")
    for pair in (("many.nii.gz", truth.name), (truth.name, "many.nii.gz"), ("soft.nii.gz", truth.name)):
        with pytest.raises(MedPatchError) as caught:
            run(evaluate_files(tmp_path / pair[0], tmp_path / pair[1]))
        assert "\n" not in str(caught.value)


def test_a_volume_of_a_4d_image_is_chosen_by_its_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape, affine = (8, 9, 10), np.diag([-1.0, -1.0, 2.0, 1.0])
    mask = np.zeros(shape, np.uint8)
    mask[2:5, 3:6, 4:7] = 1
    nib.Nifti1Image(mask, affine).to_filename(tmp_path / "m.nii.gz")
    times = np.stack([np.full(shape, value, np.int16) for value in (100, -700)], axis=3)
    nib.Nifti1Image(times, affine).to_filename(tmp_path / "ct.nii.gz")
    words = ["evaluate", str(tmp_path / "m.nii.gz"), "--image", str(tmp_path / "ct.nii.gz"), "--json", "--quiet"]
    assert main(words) == 2
    assert "--volume-index N" in capsys.readouterr().err
    assert main([*words, "--volume-index", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"]["1"]["mean_HU"] == -700.0
