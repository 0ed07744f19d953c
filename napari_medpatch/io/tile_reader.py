"""What a file format of slides must offer, and whether a file of it is readable at all."""

from collections.abc import Callable, Mapping
from typing import Protocol

from napari_medpatch.errors import DamagedFileError, MedPatchError
from napari_medpatch.io.pyramid import StoredLevel
from napari_medpatch.io.tile_cache import Tile


class TileReader(Protocol):
    """What a file format must offer; :meth:`tile` is called from many threads."""

    @property
    def levels(self) -> tuple[StoredLevel, ...]:
        """Levels in the file, finest first."""

    @property
    def background(self) -> tuple[int, int, int]:
        """Colour of what was not scanned."""

    def tile(self, level: int, row: int, column: int) -> Tile:
        """Decode a tile: ``(y, x, 3) uint8``, cropped where it hangs over the level's edge."""

    def associated(self) -> Mapping[str, Callable[[], Tile]]:
        """Pictures beside the slide (label, macro, thumbnail), each read when called."""

    def close(self) -> None:
        """Release the file; no tile is being decoded then."""


def probe(reader: TileReader) -> None:
    """Decode one of five tiles of some level, beginning with the middle of the coarsest.

    Raises
    ------
    DamagedFileError
        If none can be decoded: a ruined file is refused at once.
    """
    failure: MedPatchError | None = None
    for index in reversed(range(len(reader.levels))):
        for row, column in _spread(reader.levels[index]):
            try:
                reader.tile(index, row, column)
                return
            except DamagedFileError as error:
                failure = failure or error
    if failure is not None:
        raise failure


def _spread(level: StoredLevel) -> list[tuple[int, int]]:
    """Return rows and columns of the tiles in the middle of a level and of its quarters, each once."""
    places = ((2, 2), (1, 1), (1, 3), (3, 1), (3, 3))
    (height, width), (tall, wide) = level.shape, level.tile
    return list(dict.fromkeys((height * y // 4 // tall, width * x // 4 // wide) for y, x in places))
