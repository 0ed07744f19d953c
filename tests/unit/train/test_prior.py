"""The training-free estimate and the choice of its recipe."""

import numpy as np
import pytest

from napari_medpatch.train.choose import Recipe, default_recipe
from napari_medpatch.train.config import Budget
from napari_medpatch.train.estimate import Evidence, Parts
from napari_medpatch.train.prior import make_prior


def unit(values):
    return ((values - values.min()) / np.ptp(values)).astype(np.float32)


def prior_for(finish, image, labels, classes, budget=None):
    grey = image.mean(axis=0)
    steps = make_prior(image, grey, labels, num_classes=classes, name="x", seed=0, budget=budget or Budget(1, steps=1))
    return finish(steps)


def iou(found, truth, value):
    return ((found == value) & (truth == value)).sum() / ((found == value) | (truth == value)).sum()


def test_three_slices_give_the_volume(phantom, finish):
    hu, mask = phantom
    labels = np.zeros(mask.shape, np.uint8)
    for z in (3, 12, 20):
        labels[z] = mask[z] + 1
    prior = prior_for(finish, unit(hu)[None], labels, 3)
    found = prior.probabilities.argmax(0)
    assert iou(found, mask, 1) > 0.9
    assert iou(found, mask, 2) > 0.85
    assert prior.choice.folds == 3
    assert prior.choice.tally.iou > 0.7
    np.testing.assert_array_equal(found[3], mask[3])
    assert prior.fold is None


def test_strokes_are_enough_for_what_differs_in_brightness(phantom, finish):
    hu, mask = phantom
    labels = np.zeros(mask.shape, np.uint8)
    for z in (4, 12, 20):
        for value in (1, 2):
            row = np.argwhere(mask[z] == value)
            y, x = row.mean(0).astype(int)
            labels[z, y, x - 2 : x + 3] = value + 1
        labels[z, 2:5, 5:35], labels[z, 34:37, 5:35] = 1, 1
    prior = prior_for(finish, unit(hu)[None], labels, 3)
    assert prior.choice.recipe.anchored
    assert prior.choice.recipe.walked
    assert iou(prior.probabilities.argmax(0), mask, 1) > 0.7


def test_with_five_slices_one_is_kept_from_the_network(phantom, finish):
    hu, mask = phantom
    labels = np.zeros(mask.shape, np.uint8)
    for z in (2, 7, 12, 17, 22):
        labels[z] = mask[z] + 1
    prior = prior_for(finish, unit(hu)[None], labels, 3)
    assert prior.fold is not None
    held = labels[prior.fold.held]
    assert (held > 0).all()
    assert prior.without_fold[:, prior.fold.held].max(axis=0).min() < 1
    assert (prior.probabilities[:, prior.fold.held].max(axis=0) == 1).all()


def test_in_pictures_unpainted_objects_are_found(photo, finish):
    source, mask = photo
    image = np.moveaxis(source.data.astype(np.float32) / 255, 2, 0)
    labels = np.zeros(mask.shape, np.uint8)
    labels[14:18, 14:18] = 2
    labels[0:3, 0:40] = 1
    prior = prior_for(finish, image, labels, 2)
    assert iou(prior.probabilities.argmax(0), mask, 1) > 0.8
    assert not prior.choice.recipe.anchored


def test_a_spent_budget_gives_up_flow_and_folds(phantom, finish):
    hu, mask = phantom
    labels = np.zeros(mask.shape, np.uint8)
    for z in (3, 12, 20):
        labels[z] = mask[z] + 1
    prior = prior_for(finish, unit(hu)[None], labels, 3, Budget(1e-6))
    assert prior.choice.folds == 0
    assert prior.choice.recipe.carry is None
    assert prior.probabilities.shape == (3, *mask.shape)


def test_carried_labels_count_most_near_paint():
    forest, carried = np.full((2, 1, 1, 3), 0.5, np.float32), np.zeros((2, 1, 1, 3), np.float32)
    carried[1] = 1
    gap = np.array([[[0, 1, 9]]], np.float32)
    blended = Recipe(0.5, carry=1.0).blend(Parts(forest, forest, carried, gap))[1, 0, 0]
    assert blended.tolist() == pytest.approx([1.0, 0.75, 0.55])
    assert Recipe(0.5).blend(Parts(forest, forest, carried, gap))[1, 0, 0].tolist() == [0.5] * 3


def test_defaults_fit_the_kind_of_image():
    flat, cube = np.zeros((1, 4, 4), np.float32), np.zeros((1, 4, 4, 4), np.float32)
    picture = default_recipe(Evidence(flat, flat[0], flat.reshape(16, 1), 2, 0), slices=False)
    volume = default_recipe(Evidence(cube, cube[0], cube.reshape(64, 1), 2, 0), slices=False)
    assert (picture.anchored, picture.walked, picture.texture) == (False, False, 1)
    assert (volume.anchored, volume.walked) == (True, True)
