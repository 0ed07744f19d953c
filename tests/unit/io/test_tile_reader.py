"""Whether a file is readable at all is judged from a few tiles."""

import numpy as np
import pytest
from slide_cases import ArrayTiles, picture

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.tile_reader import probe


class PartlyRuined(ArrayTiles):
    """Only the given tiles of level 0 can be decoded; nothing of the others."""

    readable: tuple[tuple[int, int], ...] = ()

    def tile(self, level: int, row: int, column: int) -> np.ndarray:
        pixels = super().tile(level, row, column)
        if level or (row, column) not in self.readable:
            raise DamagedFileError(f"Tile {level}, {row}, {column} is damaged.")
        return pixels


def reader(*readable: tuple[int, int]) -> PartlyRuined:
    made = PartlyRuined([picture(256, 384), picture(64, 96)])
    made.readable = readable
    return made


def test_a_good_slide_costs_one_tile() -> None:
    good = ArrayTiles([picture(256, 384), picture(64, 96)])
    probe(good)
    assert good.decoded == [(1, 1, 1)]


def test_a_slide_with_a_readable_quarter_is_not_refused() -> None:
    ruined = reader((6, 2))
    probe(ruined)
    assert ruined.decoded[-1] == (0, 6, 2)
    assert len(ruined.decoded) < 11


def test_a_ruined_slide_is_refused_with_the_first_reason() -> None:
    ruined = reader()
    with pytest.raises(DamagedFileError, match="Tile 1, 1, 1 is damaged"):
        probe(ruined)
    assert len(ruined.decoded) == len(set(ruined.decoded))
