import numpy as np
import pytest
from scipy.ndimage import generate_binary_structure, label

from napari_medpatch.infer.clean.pieces import Pieces


def noise(shape: tuple[int, ...], share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def numbers(pieces: Pieces, shape: tuple[int, ...]) -> np.ndarray:
    list(pieces.find())
    result = np.zeros(shape, int)
    for rows, part in pieces.numbered():
        result[rows] = part
    return result


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("shape", [(13, 9, 11), (31, 17)])
@pytest.mark.parametrize("share", [0.15, 0.35, 0.6])
def test_slabs_give_the_pieces_of_the_whole(shape: tuple[int, ...], share: float, corners: bool) -> None:
    inside = noise(shape, share)
    structure = generate_binary_structure(len(shape), len(shape) if corners else 1)
    truth, count = label(inside, structure)
    found = numbers(Pieces(inside, corners=corners, slab_voxels=2 * int(np.prod(shape[1:]))), shape)
    assert found.max() == count
    # A one-to-one renaming, in the order of first voxels.
    assert len(np.unique(np.stack([truth.ravel(), found.ravel()]), axis=1).T) == count + 1
    first = [np.flatnonzero(found == n)[0] for n in range(1, count + 1)]
    assert first == sorted(first)


def test_sizes_and_borders_do_not_depend_on_the_slabs() -> None:
    inside = noise((12, 8, 8), 0.3)
    one, many = Pieces(inside), Pieces(inside, slab_voxels=64)
    assert np.array_equal(numbers(one, inside.shape), numbers(many, inside.shape))
    assert np.array_equal(one.sizes, many.sizes)
    assert np.array_equal(one.at_border, many.at_border)
    assert one.sizes.sum() == inside.sum()


def test_the_border_is_that_of_the_whole_array() -> None:
    inside = np.zeros((9, 9, 9), bool)
    inside[4, 4, 4] = inside[0, 2, 2] = inside[8, 6, 6] = inside[4, 0, 8] = True
    pieces = Pieces(inside, slab_voxels=81)
    found = numbers(pieces, inside.shape)
    assert not pieces.at_border[found[4, 4, 4]]
    assert pieces.at_border[[found[0, 2, 2], found[8, 6, 6], found[4, 0, 8]]].all()


def test_of_equal_pieces_the_first_is_the_largest() -> None:
    inside = np.zeros((1, 12), bool)
    inside[0, 1:3] = inside[0, 5:7] = inside[0, 8:11] = True
    pieces = Pieces(inside)
    list(pieces.find())
    assert pieces.largest(1).tolist() == [False, False, False, True]
    assert pieces.largest(2).tolist() == [False, True, False, True]
    assert pieces.largest(9).tolist() == [False, True, True, True]


def test_nothing_inside_is_no_piece() -> None:
    pieces = Pieces(np.zeros((4, 4, 4), bool))
    assert not numbers(pieces, (4, 4, 4)).any()
    assert pieces.largest(1).tolist() == [False]
