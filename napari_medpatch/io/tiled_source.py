"""Sources that decode tile by tile: slides, whatever their file format.

A format brings a :class:`~napari_medpatch.io.tile_reader.TileReader`; this module adds what all slides share:
synthetic levels, the tile cache, parallel decoding, padding with the background, and a close that waits for
running decodes.
"""

import itertools
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import DamagedFileError, MedPatchError, ResourceError
from napari_medpatch.geometry import Box, Spacing
from napari_medpatch.io.flat_overview import FlatOverview
from napari_medpatch.io.many_boxes import fill_patches
from napari_medpatch.io.open_file import OpenFile
from napari_medpatch.io.pyramid import PlannedLevel, halve, needs_overview, overview_note, plan_levels
from napari_medpatch.io.source import Kind, Level
from napari_medpatch.io.tile_cache import Tile, TileCache, default_cache
from napari_medpatch.io.tile_pieces import decoders, paste, tile_positions
from napari_medpatch.io.tile_reader import TileReader

_tokens = itertools.count()


class TiledSource:
    """A slide read through a :class:`TileReader`; see :class:`napari_medpatch.io.source.Source`.

    Parameters
    ----------
    path : Path
        File that was opened.
    reader : TileReader
        Decodes tiles of the stored levels; closed with the source.
    format : str
        Name of the format, for people.
    spacing : Spacing or None
        Size of a level-0 pixel in µm.
    metadata : mapping
        JSON-serialisable facts.
    cache : TileCache, optional
        :func:`default_cache` unless given.
    """

    def __init__(
        self,
        path: Path,
        reader: TileReader,
        *,
        format: str,  # noqa: A002 - the protocol's name
        spacing: Spacing | None,
        metadata: Mapping[str, Any],
        cache: TileCache | None = None,
    ) -> None:
        self._path, self._reader, self._format = path, reader, format
        self._spacing = spacing
        self._plan: tuple[PlannedLevel, ...] = plan_levels(reader.levels)
        self._associated = dict(reader.associated())
        self._metadata = {**metadata, "associated_images": sorted(self._associated)}
        note = overview_note(reader.levels)
        if note:
            self._metadata["notes"] = [*metadata.get("notes", ()), note]
        self._cache = cache if cache is not None else default_cache()
        self._token = next(_tokens)
        # A napari layer that is removed closes nothing: the file and the tiles go with the last reference.
        self._release = weakref.finalize(self, _release, reader, self._cache, self._token)
        self._overview = _overview(weakref.ref(self), self._plan, reader)
        self._bad_tiles: set[tuple[int, int, int]] = set()
        self._damage: str | None = None
        self._open = OpenFile(path)

    @property
    def path(self) -> Path:
        """File that was opened."""
        return self._path

    @property
    def kind(self) -> Kind:
        """Always ``"slide"``."""
        return "slide"

    @property
    def format(self) -> str:
        """Name of the format, for people."""
        return self._format

    @property
    def levels(self) -> tuple[Level, ...]:
        """Stored and synthetic levels, finest first."""
        return tuple(planned.level for planned in self._plan)

    @property
    def synthetic(self) -> tuple[bool, ...]:
        """For each level, whether it is computed from the next finer one and not in the file."""
        return tuple(planned.stored is None for planned in self._plan)

    @property
    def spacing(self) -> Spacing | None:
        """Size of a level-0 pixel in µm, ``(y, x)``; None when nobody knows."""
        return self._spacing

    @property
    def axes(self) -> str:
        """Always ``"YXC"``."""
        return "YXC"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Always uint8."""
        return np.dtype(np.uint8)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """JSON-serialisable facts of the file."""
        return self._metadata

    @property
    def background(self) -> tuple[int, int, int]:
        """Colour that pads reads beyond the edge."""
        return self._reader.background

    def tile_shape(self, level: int) -> tuple[int, int]:
        """Return the tile size ``(y, x)`` of a level: the piece that is decoded and cached as a whole."""
        return self._plan[level].tile

    def associated(self) -> dict[str, Callable[[], Tile]]:
        """Return the pictures beside the slide by name, each a function that gives ``(Y, X, 3) uint8``."""
        return {name: self._guarded(read) for name, read in self._associated.items()}

    def read(self, level: int, box: Box) -> Tile:
        """Read a box of a level; see :meth:`napari_medpatch.io.source.Source.read`.

        Raises
        ------
        DamagedFileError
            If a tile there cannot be decoded.
        MedPatchError
            If the source was closed.
        ResourceError
            If the box does not fit into memory.
        """
        return self._read(level, box, peek=False)

    def peek(self, level: int, box: Box) -> Tile:
        """Read a box for the eye: at once and whatever happens.

        Like :meth:`read`, but background where a tile is damaged (see :attr:`damage`) or where the overview of a
        slide without a pyramid is not computed yet (see :meth:`fill_overview`).
        """
        return self._read(level, box, peek=True)

    def peek_whole(self, level: int) -> Tile:
        """Look at a whole level, as :meth:`peek`.

        The coarsest level of a slide whose overview is being computed goes on changing: napari keeps this array for
        good, and so it shows what was computed since.
        """
        if self._overview is not None and level == len(self._plan) - 1 and not self.is_closed:
            return self._overview.live(level)
        return self.peek(level, Box.whole(self._plan[level].level.shape))

    @property
    def damage(self) -> str | None:
        """The first damage that :meth:`peek` or :meth:`fill_overview` met, one sentence; None so far."""
        return self._damage

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._open.is_closed

    @property
    def waits_for_overview(self) -> bool:
        """Whether :meth:`fill_overview` has work to do."""
        return self._overview is not None and not self._overview.is_done

    def fill_overview(self) -> Iterator[tuple[int, int]]:
        """Compute the overview of a slide without a pyramid, piece by piece; nothing to do for other slides.

        Yields
        ------
        tuple of int
            Pieces done and in all, a few times a second; stop when you like and go on later.

        Raises
        ------
        MedPatchError
            If the source is closed meanwhile.
        """
        if self._overview is not None:
            yield from self._overview.fill()

    def read_into(self, level: int, starts: npt.NDArray[np.int64], out: Tile) -> None:
        """Fill patches in the calling thread; see :class:`napari_medpatch.io.many_boxes.ReadsMany`.

        Raises
        ------
        DamagedFileError, MedPatchError
            As :meth:`read`.
        """
        corners = [(y, x) for y, x in starts.tolist()]
        self._open.check()
        if self._overview is None or level < self._overview.first:
            planned = self._plan[level]
            fill_patches(out, corners, planned.level.shape, planned.tile, lambda y, x: self._tile(level, y, x))
            return
        for patch, (y, x) in zip(out, corners, strict=True):
            inside = Box((y, x), (y + patch.shape[0], x + patch.shape[1])).clip(self._plan[level].level.shape)
            if inside.size:
                patch[inside.shift((-y, -x)).slices] = self.read(level, inside)

    def _read(self, level: int, box: Box, *, peek: bool) -> Tile:
        if not 0 <= level < len(self._plan):
            raise IndexError(f"{self._path} has {len(self._plan)} levels, level {level} was asked for")
        self._open.check()
        try:
            out = np.empty((*box.shape, 3), dtype=np.uint8)
        except MemoryError as error:
            size = " × ".join(map(str, box.shape))
            raise ResourceError(f"A region of {size} pixels does not fit into memory; read a smaller one.") from error
        inside = box.clip(self._plan[level].level.shape)
        if inside != box:
            out[...] = self._reader.background
        if not inside.size:
            return out
        if self._overview is not None and level >= self._overview.first:
            target = inside.shift([-a for a in box.start])
            out[target.slices] = self._overview.read(level, inside, wait=not peek)
        else:
            self._fill(out, box.start, level, inside, tolerant=peek)
        return out

    def _whole_or_background(self, level: int, box: Box) -> Tile:
        """Read stored pixels for the overview: without keeping tiles, and past damaged ones."""
        out = np.empty((*box.shape, 3), dtype=np.uint8)
        self._fill(out, box.start, level, box, tolerant=True, keep=False)
        return out

    def _fill(
        self, out: Tile, origin: tuple[int, ...], level: int, inside: Box, *, tolerant: bool, keep: bool = True
    ) -> None:
        """Paste the tiles under ``inside`` into ``out``, several at a time; damaged ones as background if tolerated."""
        tile, shape = self._tolerated if tolerant else self._tile, self._plan[level].tile

        def put(position: tuple[int, int]) -> None:
            pixels = tile(level, *position, keep=keep)
            if pixels is None:
                pixels = np.broadcast_to(np.array(self._reader.background, np.uint8), (*shape, 3))
            paste(out, origin, inside, pixels, shape, position)

        positions = tile_positions(inside, self._plan[level].tile)
        if len(positions) == 1:
            put(positions[0])
        elif positions:
            for _ in decoders().map(put, positions):
                pass

    def _tolerated(self, level: int, row: int, column: int, *, keep: bool = True) -> Tile | None:
        """Return a tile, None if it is damaged; remembers that, because finding out again is slow."""
        place = (level, row, column)
        if place in self._bad_tiles:
            return None
        try:
            return self._tile(level, row, column, keep=keep)
        except DamagedFileError as error:
            self._damage = self._damage or str(error)
            if self._path.exists():  # a network drive may come back
                self._bad_tiles.add(place)
            return None

    def _tile(self, level: int, row: int, column: int, *, keep: bool = True) -> Tile:
        planned = self._plan[level]
        stored = planned.stored

        def make() -> Tile:
            if stored is None:
                return self._halved(level, row, column)
            with self._open.read():
                return self._reader.tile(stored, row, column)

        return self._cache.get((self._token, level, row, column), make, keep=keep)

    def _halved(self, level: int, row: int, column: int) -> Tile:
        """Compute a tile of a synthetic level from the (at most four) tiles under it."""
        finer = self._plan[level - 1]
        height, width = self._plan[level].tile
        region = Box((2 * row * height, 2 * column * width), (2 * (row + 1) * height, 2 * (column + 1) * width))
        region = region.clip(finer.level.shape)
        pixels = np.empty((*region.shape, 3), dtype=np.uint8)
        for position in tile_positions(region, finer.tile):
            tile = self._tile(level - 1, *position, keep=finer.stored is None)
            paste(pixels, region.start, region, tile, finer.tile, position)
        return halve(pixels)

    def _guarded(self, read: Callable[[], Tile]) -> Callable[[], Tile]:
        def guarded() -> Tile:
            with self._open.read():
                return read()

        return guarded

    def close(self) -> None:
        """Release the file after running decodes end; reading afterwards raises. May be called again."""
        if self._open.close():
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _overview(
    source: "weakref.ref[TiledSource]", plan: tuple[PlannedLevel, ...], reader: TileReader
) -> FlatOverview | None:
    """Return the overview of a slide that stores none, None if it is not needed."""
    if not needs_overview(reader.levels):
        return None

    def read(level: int, box: Box) -> Tile:
        alive = source()
        if alive is None or alive.is_closed:
            raise MedPatchError("The slide was closed.")
        return alive._whole_or_background(level, box)

    return FlatOverview(plan, read, reader.background)


def _release(reader: TileReader, cache: TileCache, token: int) -> None:
    """Close the file and forget its tiles."""
    reader.close()
    cache.discard(token)
