"""Which tiles a box touches, and how they are put together."""

import numpy as np

from napari_medpatch.geometry import Box
from napari_medpatch.io.tile_pieces import decoders, paste, tile_positions


def test_tile_positions_cover_a_box_row_by_row() -> None:
    assert tile_positions(Box((31, 47), (33, 49)), (32, 48)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert tile_positions(Box((32, 48), (64, 96)), (32, 48)) == [(1, 1)]
    assert tile_positions(Box((5, 5), (5, 9)), (32, 48)) == []


def test_tiles_are_pasted_where_they_belong_and_not_beyond_the_box() -> None:
    inside = Box((5, 6), (17, 19))
    out = np.zeros((20, 20, 3), np.uint8)
    for row, column in tile_positions(inside, (8, 10)):
        tile = np.full((8, 10, 3), 10 * (row + 1) + column + 1, np.uint8)
        paste(out, (0, 0), inside, tile, (8, 10), (row, column))
    assert out[5, 6, 0] == 11
    assert out[16, 18, 2] == 32
    assert (out[:5] == 0).all()
    assert (out[5:17, 6:19] > 0).all()
    assert out[17:].max() == out[:, 19:].max() == 0


def test_the_threads_are_shared() -> None:
    assert decoders() is decoders()
    assert decoders().submit(lambda: 7).result(timeout=5) == 7
