import nibabel
import numpy as np
import pytest

from napari_medpatch.errors import GeometryError
from napari_medpatch.samples import THORAX_CLASSES, make_thorax
from napari_medpatch.samples.thorax import add_noise

SMALL = {"shape": (48, 56, 64), "spacing": (7.0, 6.0, 6.0)}


@pytest.fixture(scope="module")
def thorax():
    return make_thorax(**SMALL, seed=4)


def test_every_structure_is_there(thorax):
    assert thorax.hu.dtype == np.int16
    assert thorax.labels.dtype == np.uint8
    assert set(np.unique(thorax.labels)) == set(range(len(THORAX_CLASSES)))


def test_density_fits_the_labels(thorax):
    median = {name: np.median(thorax.hu[thorax.labels == i]) for i, name in enumerate(THORAX_CLASSES)}
    assert median["background"] < -900
    assert -950 < median["left lung"] < -600
    assert -950 < median["right lung"] < -600
    assert median["heart"] > 0
    assert thorax.hu.max() > 250


def test_lungs_are_two_of_plausible_size_on_their_own_sides(thorax):
    litres = thorax.lungs.sum() * 7 * 6 * 6 / 1e6
    assert 1.0 < litres < 8.0
    middle = SMALL["shape"][2] / 2
    assert np.nonzero(thorax.labels == 2)[2].mean() > middle
    assert np.nonzero(thorax.labels == 3)[2].mean() < middle


def test_the_seed_decides():
    again, other = make_thorax(**SMALL, seed=4), make_thorax(**SMALL, seed=5)
    assert np.array_equal(make_thorax(**SMALL, seed=4).hu, again.hu)
    assert not np.array_equal(again.labels, other.labels)


@pytest.mark.parametrize("oblique", [False, True])
def test_the_affine_has_the_spacing_and_turns_only_if_asked(oblique):
    affine = make_thorax((8, 10, 12), spacing=(5.0, 3.0, 2.0), oblique=oblique, nodules=0).affine
    assert nibabel.affines.voxel_sizes(affine) == pytest.approx([2.0, 3.0, 5.0])
    assert nibabel.aff2axcodes(affine) == ("L", "P", "S")
    assert (nibabel.affines.obliquity(affine).max() > 0.01) == oblique
    centre = affine @ [5.5, 4.5, 3.5, 1]
    assert centre[:3] == pytest.approx([0, 0, 0], abs=1e-9)


def test_noise_has_the_asked_strength():
    hu = np.zeros((20, 40, 40), np.float32)
    add_noise(hu, 25.0, np.random.default_rng(0))
    assert hu.std() == pytest.approx(25.0, rel=0.02)
    silent = np.zeros((4, 4, 4), np.float32)
    add_noise(silent, 0.0, np.random.default_rng(0))
    assert not silent.any()


def test_a_thin_slab_is_cut_from_the_middle_of_the_chest():
    thorax = make_thorax((4, 40, 40), spacing=(2.0, 9.0, 9.0), seed=1)
    assert thorax.lungs.any((1, 2)).all()


@pytest.mark.parametrize(("shape", "spacing"), [((0, 5, 5), (1.0, 1.0, 1.0)), ((5, 5, 5), (1.0, 0.0, 1.0))])
def test_impossible_grids_are_refused(shape, spacing):
    with pytest.raises(GeometryError, match="impossible"):
        make_thorax(shape, spacing=spacing)
