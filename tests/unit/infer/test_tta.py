"""Test-time augmentation."""

import numpy as np
import pytest
import torch

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.scoring import AveragedScores
from napari_medpatch.infer.tta import BRIGHTNESS, CONTRAST, SMALLEST_CROP, augmented_looks, random_views

# flip, turns, size of the crop, its place along y and x, brightness, contrast
PLAIN = (0.9, 0.0, 1.0, 0.5, 0.5, 0.5, 0.5)


def _patches(count: int, edge: int = 24) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, edge, edge, 3), np.uint8))


def _view(patches: torch.Tensor, **draws: float) -> np.ndarray:
    names = ("flip", "turns", "size", "y", "x", "brightness", "contrast")
    values = dict(zip(names, PLAIN, strict=True)) | draws
    return random_views(patches, np.tile(list(values.values()), (len(patches), 1))).numpy()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_flips_and_quarter_turns_keep_every_pixel(turns, flip) -> None:
    patches = _patches(2)
    found = _view(patches, flip=0.1 if flip else 0.9, turns=turns / 4 + 0.1)
    plain = patches.numpy()
    candidates = [np.rot90(p, k, axes=(1, 2)) for p in (plain, plain[:, :, ::-1]) for k in range(4)]
    same = [np.array_equal(found, candidate) for candidate in candidates]
    assert sum(same) == 1
    assert same.index(True) >= 4 if flip else same.index(True) < 4, "a flip is no turn"


def test_the_eight_positions_are_all_different() -> None:
    views = [_view(_patches(1), flip=f, turns=t / 4 + 0.1).tobytes() for f in (0.1, 0.9) for t in range(4)]
    assert len(set(views)) == 8


def test_smallest_crop_enlarges_the_part_that_was_asked_for() -> None:
    y, x = np.mgrid[:96, :96]
    ramp = np.stack([2 * y, 2 * x, np.zeros_like(x)], axis=-1).astype(np.uint8)[None]
    found = _view(torch.from_numpy(ramp), size=0.0, y=0.0, x=1.0)[0].astype(float)
    # Ninety of 96 pixels, from the top right corner.
    assert found[0, 0, 0] == pytest.approx(0, abs=1)
    assert found[-1, 0, 0] == pytest.approx(2 * 89.5, abs=1.1)
    assert found[0, 0, 1] == pytest.approx(2 * 6, abs=1.1)
    assert found[0, -1, 1] == pytest.approx(2 * 95, abs=1.1)


def test_crops_never_show_what_is_outside() -> None:
    """A border of another colour around a crop of the patch would show at its edge."""
    flat = torch.full((64, 32, 32, 3), 100, dtype=torch.uint8)
    draws = np.random.default_rng(1).random((64, 7))
    draws[:, 5:] = 0.5
    assert (random_views(flat, draws).numpy() == 100).all()
    assert SMALLEST_CROP == 0.9375


def test_brightness_is_added_and_contrast_multiplied() -> None:
    flat = torch.full((1, 8, 8, 3), 100, dtype=torch.uint8)
    assert (_view(flat, brightness=1.0) == round(100 + 255 * BRIGHTNESS)).all()
    assert (_view(flat, contrast=0.0) == round(100 * (1 - CONTRAST))).all()
    white = torch.full((1, 8, 8, 3), 250, dtype=torch.uint8)
    assert (_view(white, brightness=1.0) == 255).all()


def test_oblong_patches_keep_their_shape() -> None:
    patches = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), np.uint8))
    assert _view(patches, turns=0.3).shape == (2, 20, 30, 3)


def _mean_top(patches: torch.Tensor) -> torch.Tensor:
    """Logits that depend on where things are: mean red of the upper and of the left half."""
    images = patches.float()[..., 0] / 50
    return torch.stack([images[:, : images.shape[1] // 2].mean(dim=(1, 2)), images[:, :, :12].mean(dim=(1, 2))], dim=1)


def test_scores_do_not_depend_on_order_or_batches(patch_card) -> None:
    method = AveragedScores(patch_card(), augmented_looks(4, seed=5))
    patches = _patches(6)
    keys = np.array([[0, 0], [0, 1], [3, 2], [9, 9], [2, 3], [1, 0]])
    whole = method(_mean_top, patches, keys)
    order = [4, 0, 5, 2, 1, 3]
    parts = [method(_mean_top, patches[order][a : a + 2], keys[order][a : a + 2]) for a in (0, 2, 4)]
    torch.testing.assert_close(torch.cat(parts), whole[order], atol=1e-6, rtol=0)
    other = AveragedScores(patch_card(), augmented_looks(4, seed=6))(_mean_top, patches, keys)
    assert not torch.allclose(other, whole, atol=1e-3)


def test_a_patch_has_the_same_views_in_every_batch() -> None:
    views = []
    look = augmented_looks(1, seed=2)[1]
    keys, patches = np.arange(12).reshape(6, 2), _patches(6)
    for part in (slice(None), slice(3, 5)):
        look(lambda view: views.append(view) or view, patches[part], keys[part])
    assert torch.equal(views[0][3:5], views[1])
    assert not torch.equal(views[1], patches[3:5])


def test_uncertainty_is_the_spread_of_the_winning_class(patch_card) -> None:
    looks = augmented_looks(5, seed=0)
    method = AveragedScores(patch_card(), looks)
    patches, keys = _patches(4), np.arange(8).reshape(4, 2)
    found = method(_mean_top, patches, keys).numpy()
    each = np.stack([look(_mean_top, patches, keys).softmax(dim=1).numpy() for look in looks])
    np.testing.assert_allclose(found[:, :2], each.mean(axis=0), atol=1e-6)
    winner = each.mean(axis=0).argmax(axis=1)
    np.testing.assert_allclose(found[:, 2], each[:, np.arange(4), winner].std(axis=0), atol=1e-6)
    assert method.extra_names == ("uncertainty",)


def test_a_network_that_sees_no_difference_is_certain(patch_card) -> None:
    method = AveragedScores(patch_card(), augmented_looks(3, seed=0))
    found = method(lambda patches: torch.ones(len(patches), 2), _patches(3), np.zeros((3, 2), np.int64))
    assert torch.equal(found, torch.tensor([[0.5, 0.5, 0.0]] * 3))


def test_prepared_patches_cannot_be_augmented(patch_card) -> None:
    method = AveragedScores(patch_card(), augmented_looks(1, seed=0))
    with pytest.raises(SettingsError, match="--exact"):
        method(lambda patches: torch.ones(len(patches), 2), torch.zeros(1, 3, 8, 8), np.zeros((1, 2), np.int64))
