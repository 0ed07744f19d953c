"""Outlines of masks along pixel edges."""

import numpy as np
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from napari_medpatch.io.outlines import Outline, outlines, signed_area

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))


def _filled(shape: tuple[int, int], pieces: list[Outline]) -> np.ndarray:
    """Fill rings: an edge going down the screen ends a piece to its left, one going up begins one."""
    steps = np.zeros((shape[0], shape[1] + 1), int)
    for piece in pieces:
        for ring in (piece.exterior, *piece.holes):
            for (y0, x0), (y1, x1) in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
                assert (y0 == y1) != (x0 == x1), "an edge is not along an axis"
                if x0 == x1:
                    steps[min(y0, y1) : max(y0, y1), x0] += 1 if y1 < y0 else -1
    return steps.cumsum(axis=1)[:, :-1]


@given(MASKS)
def test_rings_fill_exactly_the_mask(mask) -> None:
    assert np.array_equal(_filled(mask.shape, list(outlines(mask))), mask)


@given(MASKS)
def test_orientation_area_and_number_of_pieces(mask) -> None:
    from scipy import ndimage

    pieces = list(outlines(mask))
    assert len(pieces) == ndimage.label(mask)[1]
    assert all(signed_area(piece.exterior) > 0 for piece in pieces)
    assert all(signed_area(hole) < 0 for piece in pieces for hole in piece.holes)
    assert sum(signed_area(r) for p in pieces for r in (p.exterior, *p.holes)) == mask.sum()


@settings(max_examples=50)
@given(MASKS)
def test_rings_are_simple_and_have_corners_only(mask) -> None:
    for piece in outlines(mask):
        for ring in (piece.exterior, *piece.holes):
            steps = np.roll(ring, -1, axis=0) - ring
            assert ((steps[:, 0] == 0) != (np.roll(steps, 1, axis=0)[:, 0] == 0)).all()
        assert len({tuple(c) for c in piece.exterior.tolist()}) >= 4


def test_pixels_that_touch_by_a_corner_are_two_pieces() -> None:
    pieces = list(outlines(np.eye(2, dtype=bool)))
    assert [piece.exterior.tolist() for piece in pieces] == [
        [[0, 0], [0, 1], [1, 1], [1, 0]],
        [[1, 1], [1, 2], [2, 2], [2, 1]],
    ]


def test_hole_belongs_to_its_own_piece() -> None:
    mask = np.zeros((7, 12), bool)
    mask[1:6, 1:6] = mask[1:6, 7:11] = True
    mask[3, 3] = False
    pieces = list(outlines(mask))
    assert [len(piece.holes) for piece in pieces] == [1, 0]
    assert sorted(pieces[0].holes[0].tolist()) == [[3, 3], [3, 4], [4, 3], [4, 4]]


def test_empty_mask_has_no_outline() -> None:
    assert list(outlines(np.zeros((3, 3), bool))) == []
