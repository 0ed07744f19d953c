"""Working resolution, intensities and the way back to the image."""

import numpy as np
import pytest

from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import MissingSpacingError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.preprocess import normalise_image, normalise_volume
from napari_medpatch.train.clean_up import clean_up_rules
from napari_medpatch.train.intensity import Window, detail_window, rescale, value_range
from napari_medpatch.train.overlay import mask_blocks
from napari_medpatch.train.problem import pose_problem, with_resolution


def card_for(source, classes=("background", "a")):
    volume = source.kind == "volume"
    task = "segment-3d" if volume else "segment-2d"
    network = {"levels": 2, "channels": 4}
    return ModelCard("m", task, "unet", classes, in_channels=1 if volume else 3, network=network)


def some_labels(shape):
    labels = np.zeros(shape, np.uint8)
    labels[0], labels[-1] = 1, 2
    return SparseLabels(labels)


def spacing_of(source, label_shape=None):
    shape = label_shape or source.levels[0].shape
    return with_resolution(source, some_labels(shape), card_for(source), None)


def test_small_cubic_volumes_keep_their_voxels():
    card = spacing_of(ArraySource(np.zeros((8, 9, 10), np.int16), "volume", (4.0, 4.2, 4.2)))
    assert card.spacing == (4.0, 4.2, 4.2)


def test_large_volumes_become_isotropic_and_small_enough():
    source = ArraySource(np.zeros((60, 256, 256), np.int16), "volume", (5.0, 1.0, 1.0))
    card = spacing_of(source)
    edge = card.spacing[0]
    assert card.spacing == (edge,) * 3
    assert 300 * 256 * 256 / edge**3 == pytest.approx(1.5e6, rel=0.01)


def test_thin_stacks_are_not_made_finer_than_their_pixels():
    card = spacing_of(ArraySource(np.zeros((5, 40, 40), np.int16), "volume", (5.0, 0.7, 0.7)))
    assert card.spacing == (0.7,) * 3


def test_large_volumes_need_a_voxel_size():
    small = ArraySource(np.zeros((8, 9, 10), np.int16), "volume")
    assert spacing_of(small).spacing is None
    large = ArraySource(np.zeros((120, 260, 260), np.int16), "volume")
    with pytest.raises(MissingSpacingError, match="voxel size"):
        spacing_of(large)


def test_slides_work_at_the_resolution_of_the_paint():
    rgb = np.full((64, 96, 3), 200, np.uint8)
    card = spacing_of(ArraySource(rgb, "slide", (0.5, 0.5)), (16, 24))
    assert (card.spacing, card.spacing_unit) == ((2.0, 2.0), "um")
    unknown = ArraySource(rgb, "slide")
    assert spacing_of(unknown).spacing is None
    with pytest.raises(MissingSpacingError, match="µm"):
        spacing_of(unknown, (16, 24))


def test_photographs_of_an_eye_are_measured_by_their_field_of_view():
    y, x = np.indices((120, 160))
    disc = (y - 60) ** 2 + (x - 80) ** 2 < 50**2
    card = spacing_of(ArraySource((disc[..., None] * [180, 90, 40]).astype(np.uint8), "photo"))
    assert card.spacing_unit == "fov"
    assert card.spacing[0] == pytest.approx(1 / 99, rel=0.03)
    plain = ArraySource(np.full((40, 50, 3), 90, np.uint8), "photo")
    assert spacing_of(plain).spacing is None


def test_the_network_sees_what_inference_will_show_it(volume, phantom, finish):
    labels = SparseLabels.from_mask(np.minimum(phantom[1], 1), [5, 15])
    card = with_resolution(volume, labels, card_for(volume), None)
    problem = finish(pose_problem(volume, labels, card, None))
    expected = normalise_volume(phantom[0], problem.card)
    np.testing.assert_allclose(problem.inputs[0], expected, atol=2e-3)
    assert problem.labels.shape == problem.inputs.shape[1:]
    assert problem.image.min() >= 0
    assert problem.image.max() <= 1


def test_the_same_holds_for_photographs(photo, finish):
    source, mask = photo
    labels = SparseLabels((mask + 1).astype(np.uint8))
    problem = finish(pose_problem(source, labels, with_resolution(source, labels, card_for(source), None), None))
    expected = np.moveaxis(normalise_image(source.data, problem.card), 2, 0)
    np.testing.assert_allclose(problem.inputs, expected, atol=1e-4)
    assert problem.inputs.std() == pytest.approx(1, abs=0.1)


def test_windows_follow_the_values_and_the_paint():
    values = np.zeros((10, 20, 20), np.float32)
    values[:, :, 10:] = 100
    values[0, 0, 0] = 1e6
    source = ArraySource(values, "volume", (1, 1, 1))
    wide = value_range(source)
    assert wide == Window(0.0, 100.0)
    assert value_range(source, {"low": -1000, "high": 50}) == Window(-1000.0, 100.0)
    constant = value_range(ArraySource(np.full((3, 4, 4), 7, np.int16), "volume", (1, 1, 1)))
    assert constant.low < constant.high


def test_detail_is_where_objects_are_painted():
    image = np.linspace(0, 1, 40, dtype=np.float32)[None, None].repeat(12, 0).repeat(12, 1)
    labels = np.zeros(image.shape, np.uint8)
    labels[6] = 1
    labels[6, :, 18:22] = 2
    wide = Window(0, 1000)
    narrow = detail_window(image, labels, wide)
    assert 250 < narrow.low < 400
    assert 600 < narrow.high < 750
    wider = narrow.widened(wide)
    assert wider.low < narrow.low
    assert wider.high > narrow.high
    assert detail_window(image, np.minimum(labels, 1), wide) == wide


def test_rescaling_is_windowing():
    image = np.array([0, 0.25, 0.5, 1], np.float32)
    changed = rescale(image, Window(-1000, 1000), Window(-500, 500))
    np.testing.assert_allclose(changed, [0, 0, 0.5, 1])


def test_masks_come_back_at_full_resolution_with_paint_standing(finish):
    hu = np.zeros((10, 40, 40), np.int16)
    hu[:, :, 20:] = 500
    source = ArraySource(hu, "volume", (4.0, 1.0, 1.0))
    array = np.zeros(hu.shape, np.uint8)
    array[2, :, :20], array[2, :, 20:] = 1, 2
    array[5, 3, 3] = 2
    labels = SparseLabels(array)
    problem = finish(pose_problem(source, labels, with_resolution(source, labels, card_for(source), None), None))
    assert problem.labels.shape == (40, 40, 40)
    probabilities = np.zeros((2, 40, 40, 40), np.float32)
    probabilities[1, :, :, 20:] = 1
    probabilities[0] = 1 - probabilities[1]
    blocks = list(mask_blocks(probabilities, problem.plan, array))
    mask = np.concatenate([block.labels for block in blocks])
    maps = np.concatenate([block.probabilities for block in blocks], axis=1)
    assert mask.shape == hu.shape
    assert maps.shape == (1, *hu.shape)
    assert mask[5, 3, 3] == 1
    assert maps[0, 5, 3, 3] == 255
    mask[5, 3, 3] = 0
    np.testing.assert_array_equal(mask, hu > 0)


def test_small_pieces_are_measured_against_painted_objects():
    probabilities = np.zeros((2, 10, 10, 10), np.float32)
    probabilities[0] = 1
    probabilities[:, 2:7, 2:7, 2:6] = np.array([0, 1])[:, None, None, None]
    rules = clean_up_rules(probabilities, ("a",), (2.0, 2.0, 2.0))
    assert rules == {"classes": {"a": {"min_component_ml": pytest.approx(0.08)}}}
    assert clean_up_rules(probabilities, ("a",), None) == {}
