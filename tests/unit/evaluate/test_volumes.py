"""Measuring a mask by itself."""

import numpy as np
import pytest
from mask_cases import blobs, slab

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.evaluate.settings import EvaluationSettings
from napari_medpatch.evaluate.volumes import measure_mask
from napari_medpatch.evaluate.volumes_result import VolumesResult
from napari_medpatch.events import Started, Working, run


def measured(mask: np.ndarray, **options: object) -> VolumesResult:
    result: VolumesResult = run(measure_mask(mask, **options))
    return result


def test_volume_mean_and_spread_per_class_and_object() -> None:
    mask = slab((6, 10, 10), (0, 2), (0, 5), (0, 5)) | slab((6, 10, 10), (4, 6), (5, 10), (5, 10), value=2)
    image = np.where(mask == 1, -800, 40).astype(np.int16)
    image[0] += 100
    result = measured(mask, spacing=(4.0, 1.0, 1.0), class_names=("lung",), image=image, value_unit="HU")
    lung, other = result.class_rows()
    assert (lung["name"], lung["volume_ml"], lung["volume_voxels"], lung["objects"]) == ("lung", 0.2, 50, 1)
    assert (lung["mean_HU"], lung["sd_HU"]) == (-750.0, 50.0)
    assert (other["mean_HU"], other["sd_HU"]) == (40.0, 0.0)
    assert [row["class"] for row in result.object_rows()] == [1, 2]


@pytest.mark.parametrize("seed", range(3))
def test_values_agree_with_numpy(seed: int) -> None:
    mask = blobs(seed)
    image = np.random.default_rng(seed).normal(1000, 30, mask.shape).astype(np.float32)
    image[mask == 2] -= 5000
    result = measured(mask, image=image)
    assert [row["class"] for row in result.class_rows()] == [1, 2]
    for row in result.class_rows():
        inside = image[mask == row["class"]].astype(np.float64)
        assert row["mean"] == pytest.approx(inside.mean())
        assert row["sd"] == pytest.approx(inside.std(), rel=1e-6)
        objects = [each for each in result.object_rows() if each["class"] == row["class"]]
        assert sum(each["volume_voxels"] for each in objects) == row["volume_voxels"]
        assert [each["volume_voxels"] for each in objects] == sorted(
            (each["volume_voxels"] for each in objects), reverse=True
        )


def test_holes_of_the_image_are_left_out() -> None:
    mask, image = np.ones((2, 2, 2), np.uint8), np.full((2, 2, 2), 7.0)
    image[0, 0] = np.nan
    assert measured(mask, image=image).class_rows()[0]["mean"] == 7.0
    image[:] = np.nan
    assert measured(mask, image=image).class_rows()[0]["mean"] is None


def test_curve_is_the_area_of_each_slice() -> None:
    mask = slab((4, 10, 20), (1, 3), (0, 10), (0, 20))
    result = measured(mask, spacing=(5.0, 2.0, 1.0))
    assert result.curve(1, 0) == pytest.approx([0, 4.0, 4.0, 0])
    assert result.curve_label == "area (cm²)"
    assert measured(mask).curve_label == "area (px)"


def test_small_objects_are_not_listed_but_their_voxels_count() -> None:
    mask = slab((4, 10, 10), (0, 2), (0, 5), (0, 5)) | slab((4, 10, 10), (3, 4), (9, 10), (9, 10))
    result = measured(mask, settings=EvaluationSettings(min_object=10))
    assert len(result.object_rows()) == 1
    assert result.class_rows()[0]["volume_voxels"] == 51


def test_pictures_are_measured_in_area() -> None:
    result = measured(slab((8, 8), (0, 4), (0, 4)), spacing=(500.0, 500.0), unit="um")
    assert result.class_rows()[0]["area_mm2"] == 4.0
    assert {row["axis"] for row in result.slice_rows()} == {"y", "x"}


def test_events_and_empty_masks() -> None:
    events = list(measure_mask(blobs(1)))
    assert sum(isinstance(event, Started) for event in events) == 1
    assert sum(isinstance(event, Working) for event in events) > 10
    assert measured(np.zeros((3, 3, 3), np.uint8)).to_json()["classes"] == {}


def test_an_image_of_another_shape_or_wrong_values_are_refused() -> None:
    with pytest.raises(GeometryError, match=r"3 × 3 × 3.*2 × 3 × 3"):
        measured(np.zeros((3, 3, 3), np.uint8), image=np.zeros((2, 3, 3)))
    with pytest.raises(LabelsError, match="1000"):
        measured(np.full((3, 3), 1000))
