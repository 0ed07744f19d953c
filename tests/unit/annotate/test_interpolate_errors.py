"""What cannot be interpolated is refused in one sentence."""

import numpy as np
import pytest
from round_shapes import fill, painted, stack

from napari_medpatch.annotate.interpolate import InterpolateSettings, interpolate
from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import GeometryError, LabelsError, SettingsError, WrongKindError
from napari_medpatch.events import run
from napari_medpatch.io.array_source import ArraySource


def tube(depth=9):
    return stack(depth, 31, lambda _: ((15.0, 15.0), 6.0))


def labels_on(slices, **how):
    return painted(tube(), slices, **how)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (SparseLabels(np.zeros((5, 9, 9), np.uint8)), "No axial slice is painted"),
        (labels_on([4]), "Only axial slice 4 is painted"),
        (labels_on([3, 4, 5]), "slices 3 to 5 are neighbours"),
        (SparseLabels(np.minimum(labels_on([0, 8]).labels, 1)), "Only background is painted"),
        (SparseLabels(np.where(tube(), 4, 0).astype(np.uint8)), "value 4"),
    ],
)
def test_labels_with_nothing_between(labels, words):
    with pytest.raises(LabelsError, match=words) as caught:
        fill(labels, axis=0)
    assert str(caught.value).endswith(".")


def test_classes_that_lie_on_one_slice_each_leave_nothing_to_propose():
    labels = labels_on([0, 8], outside=False)
    labels.labels[8][labels.labels[8] > 0] = 3
    labels = SparseLabels(labels.labels, ("background", "a", "b"))
    labels.labels[8] = np.roll(labels.labels[8], 12, axis=1)
    with pytest.raises(LabelsError, match="nothing to propose"):
        fill(labels, axis=0)


def test_unknown_classes_are_named():
    with pytest.raises(LabelsError, match=r"no class 'liver'.*class 1"):
        fill(labels_on([0, 8]), classes=("liver",))


def test_labels_of_another_image_and_photographs_are_refused():
    source = ArraySource(np.zeros((4, 31, 31), np.int16), "volume")
    with pytest.raises(GeometryError):
        run(interpolate(source, labels_on([0, 8])))
    photo = ArraySource(np.zeros((31, 31, 3), np.uint8), "photo")
    with pytest.raises(WrongKindError, match="only volumes"):
        run(interpolate(photo, labels_on([0, 8])))


@pytest.mark.parametrize("wrong", [{"axis": 3}, {"method": "magic"}, {"beyond": -1}, {"band_mm": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError):
        InterpolateSettings(**wrong)
