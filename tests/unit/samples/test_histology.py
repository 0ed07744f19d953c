import numpy as np
import pytest

from napari_medpatch.samples.histology import TISSUES, draw_stain, periodic_noise, texture


@pytest.mark.parametrize("kind", list(TISSUES))
def test_textures_are_dye_amounts_that_repeat_without_a_seam(kind):
    dyes = texture(kind, 160, 1.0, np.random.default_rng(2))
    assert dyes.shape == (160, 160, 2)
    assert dyes.dtype == np.float32
    assert dyes.min() >= 0
    seam = np.abs(dyes[0] - dyes[-1]).mean()
    within = np.abs(np.diff(dyes, axis=0)).mean((1, 2))
    assert seam <= 1.2 * within.max()


def test_tumour_is_bluer_than_stroma_and_fat_is_nearly_empty():
    blue = {kind: texture(kind, 192, 1.0, np.random.default_rng(0))[..., 0].mean() for kind in TISSUES}
    assert blue["tumour"] > 1.8 * blue["stroma"]
    assert blue["fat"] < 0.1


def test_more_dye_lets_less_light_through():
    stain = draw_stain(np.random.default_rng(0))
    dyes = np.zeros((1, 3, 2), np.float32)
    dyes[0, 1, 0] = dyes[0, 2, 1] = 1
    empty, blue, pink = stain.colour(dyes)[0].astype(int)
    assert empty.tolist() == stain.glass.astype(np.uint8).tolist()
    assert blue[0] < empty[0] - 60
    assert pink[1] < empty[1] - 60
    assert pink[0] > blue[0]


def test_stains_differ_between_laboratories_but_not_without_variation():
    same = [draw_stain(np.random.default_rng(s), 0.0).absorption for s in (1, 2)]
    other = [draw_stain(np.random.default_rng(s), 1.0).absorption for s in (1, 2)]
    assert np.array_equal(*same)
    assert np.abs(other[0] - other[1]).max() > 0.02


def test_noise_repeats_and_has_unit_variance():
    field = periodic_noise(64, (4.0, 9.0), np.random.default_rng(5))
    assert field.std() == pytest.approx(1.0, rel=1e-3)
    assert np.abs(field[0] - field[-1]).mean() <= 1.2 * np.abs(np.diff(field, axis=0)).mean(1).max()
