"""Decode tiles of any slide that OpenSlide opens."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io.pyramid import StoredLevel, level_downsamples
from napari_medpatch.io.reading import damaged, gone
from napari_medpatch.io.tile_cache import Tile

if TYPE_CHECKING:
    from napari_medpatch.io.tiff_pages import FileBytes, PageTiles

_WANTED_TILE = 256
_LARGEST_TILE = 1024


class OpenSlideTiles:
    """A :class:`~napari_medpatch.io.tile_reader.TileReader` over one OpenSlide handle.

    Where ``direct`` gives a level's TIFF page, tiles are decoded straight from the file, four to five
    times faster and without OpenSlide's interpolation at fractional downsamples.

    Parameters
    ----------
    path : Path
        Any file of the slide.

    Raises
    ------
    UnsupportedFormatError
        If OpenSlide does not open it; the sentence holds its reason.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._slide = open_handle(path)
        self._lock = threading.Lock()
        self._direct: dict[int, PageTiles] = {}
        self._stream: FileBytes | None = None
        self._levels = _stored_levels(self._slide)
        self._background = _background(self.properties)

    @property
    def properties(self) -> Mapping[str, str]:
        """All properties that OpenSlide read from the file."""
        properties: Mapping[str, str] = self._slide.properties
        return properties

    @property
    def vendor(self) -> str:
        """OpenSlide's name of the format, ``"unknown"`` without one."""
        return self.properties.get("openslide.vendor", "unknown")

    @property
    def levels(self) -> tuple[StoredLevel, ...]:
        """Levels in the file."""
        return self._levels

    @property
    def background(self) -> tuple[int, int, int]:
        """The file's background colour, white if it names none."""
        return self._background

    @property
    def direct(self) -> tuple[bool, ...]:
        """For each level, whether its tiles are decoded without OpenSlide."""
        return tuple(index in self._direct for index in range(len(self._levels)))

    def use_pages(self, pages: Mapping[int, "PageTiles"], stream: "FileBytes") -> None:
        """Decode levels from TIFF pages from now on; those whose pixels differ from OpenSlide's are left out.

        Parameters
        ----------
        pages : mapping of int to PageTiles
            By level.
        stream : FileBytes
            Their file, closed with this reader.
        """
        self._stream = stream
        for index, page in pages.items():
            if page.shape == self._levels[index].shape and self._same_pixels(index, page):
                self._direct[index] = page
        self._levels = tuple(
            StoredLevel(
                level.shape, level.downsample, self._direct[index].tile_shape if index in self._direct else level.tile
            )
            for index, level in enumerate(self._levels)
        )

    def tile(self, level: int, row: int, column: int) -> Tile:
        """Decode a tile; OpenSlide is asked where the file stores none, and judges those that seem damaged.

        Raises
        ------
        DamagedFileError
            If it is corrupt; names the file and the place.
        """
        page = self._direct.get(level)
        if page is not None:
            with suppress(DamagedFileError):
                pixels = page.tile(row, column)
                if pixels is not None:
                    return pixels
        stored = self._levels[level]
        top, left = row * stored.tile[0], column * stored.tile[1]
        height, width = min(stored.tile[0], stored.shape[0] - top), min(stored.tile[1], stored.shape[1] - left)
        return self.region(level, top, left, height, width)

    def region(self, level: int, top: int, left: int, height: int, width: int) -> Tile:
        """Read pixels of a level through OpenSlide; a handle that met an error is replaced and asked once more.

        An OpenSlide handle stays unusable after its first error, also for other threads.
        """
        from openslide import OpenSlideError

        slide = self._slide
        try:
            return self._read(slide, level, top, left, height, width)
        except OpenSlideError:
            slide = self._replaced(slide)
        try:
            return self._read(slide, level, top, left, height, width)
        except OpenSlideError as error:
            self._replaced(slide)
            place = f"level {level}, rows {top}–{top + height - 1}, columns {left}–{left + width - 1}"
            raise DamagedFileError(f"{self._path} is damaged at {place} ({error}); copy it again.") from error

    def _read(self, slide: Any, level: int, top: int, left: int, height: int, width: int) -> Tile:
        # OpenSlide divides the location by its own downsample, so that one is used to address level pixels.
        downsample = slide.level_downsamples[level]
        location = round(left * downsample), round(top * downsample)
        return flatten(np.asarray(slide.read_region(location, level, (width, height))), self._background)

    def _replaced(self, broken: Any) -> Any:
        """Return a working handle; the broken one is closed when the last thread lets go of it."""
        with self._lock:
            if self._slide is broken:
                try:
                    self._slide = open_handle(self._path)
                except UnsupportedFormatError as error:
                    raise DamagedFileError(damaged(self._path, "it changed while it was open")) from error
            return self._slide

    def _same_pixels(self, level: int, page: "PageTiles") -> bool:
        """Compare the first and, where OpenSlide does not interpolate, a middle tile with OpenSlide's."""
        height, width = page.shape
        positions = {(0, 0)}
        if self._slide.level_downsamples[level] % 1 == 0:
            positions.add((height // 2 // page.tile_shape[0], width // 2 // page.tile_shape[1]))
        verdicts = {self._same_tile(level, page, *position) for position in positions}
        return True in verdicts and False not in verdicts

    def _same_tile(self, level: int, page: "PageTiles", row: int, column: int) -> bool | None:
        """Return whether both give the same pixels; None where the page's data are damaged.

        Where only OpenSlide stumbles (libtiff minds padded tiles and odd tags), the page is right.
        """
        try:
            tile = page.tile(row, column)
        except DamagedFileError:
            return None
        if tile is None:
            return True
        top, left = row * page.tile_shape[0], column * page.tile_shape[1]
        try:
            return np.array_equal(tile, self.region(level, top, left, *tile.shape[:2]))
        except DamagedFileError:
            return True

    def associated(self) -> dict[str, Callable[[], Tile]]:
        """Return label, macro, thumbnail and the like by name."""
        return {str(name): self._associated(str(name)) for name in self._slide.associated_images}

    def _associated(self, name: str) -> Callable[[], Tile]:
        def read() -> Tile:
            from openslide import OpenSlideError

            try:
                return flatten(np.asarray(self._slide.associated_images[name]), self._background)
            except OpenSlideError as error:
                self._replaced(self._slide)
                raise DamagedFileError(f"The {name} picture of {self._path} is damaged ({error}).") from error

        return read

    def close(self) -> None:
        """Release the file."""
        self._slide.close()
        if self._stream is not None:
            self._stream.close()


def open_handle(path: Path) -> Any:
    """Return an ``openslide.OpenSlide``.

    Raises
    ------
    UnsupportedFormatError
        If OpenSlide refuses the file, with its reason.
    DamagedFileError
        If the file is gone.
    """
    import openslide

    if not path.exists():
        raise DamagedFileError(gone(path))
    try:
        return openslide.OpenSlide(path)
    except openslide.OpenSlideError as error:
        reason = str(error).removeprefix(f"Reading {path}: ").rstrip(".")
        raise UnsupportedFormatError(f"{path} cannot be opened as a slide (OpenSlide: {reason}).") from error


def flatten(rgba: "np.ndarray[Any, Any]", background: tuple[int, int, int]) -> Tile:
    """Lay RGBA pixels on a background.

    Parameters
    ----------
    rgba : ndarray
        ``(Y, X, 4) uint8``, not premultiplied.
    background : tuple of int
        RGB.

    Returns
    -------
    ndarray
        ``(Y, X, 3) uint8``, C-contiguous.
    """
    alpha = rgba[..., 3:]
    if alpha.size == 0 or alpha.min() == 255:
        return np.ascontiguousarray(rgba[..., :3])
    weight = alpha.astype(np.uint16)
    under = np.asarray(background, dtype=np.uint16) * (255 - weight)
    return ((rgba[..., :3] * weight + under + 127) // 255).astype(np.uint8)


def _stored_levels(slide: Any) -> tuple[StoredLevel, ...]:
    shapes = [(int(height), int(width)) for width, height in slide.level_dimensions]
    downsamples = level_downsamples(shapes)
    tiles = [_tile_shape(slide.properties, index, shape) for index, shape in enumerate(shapes)]
    kept = [
        StoredLevel(shape, _downsample(slide, index, downsamples[index]), tiles[index])
        for index, shape in enumerate(shapes)
    ]
    return tuple(kept)


def _downsample(slide: Any, index: int, ratio: tuple[float, float]) -> tuple[float, float]:
    """Return the downsample by axis, or OpenSlide's own where it does not follow the shapes.

    OpenSlide gives one number, the mean over both axes. For formats that pad their levels (Philips) it
    takes the number from the file instead; then the shapes say nothing and the number is right.
    """
    stated = float(slide.level_downsamples[index])
    if abs(stated - sum(ratio) / 2) <= 1e-6 * stated:
        return ratio
    return stated, stated


def _tile_shape(properties: Mapping[str, str], level: int, shape: tuple[int, int]) -> tuple[int, int]:
    """Return the file's tile size, as a multiple where it is small, 512 where it is none or huge."""
    sides = [properties.get(f"openslide.level[{level}].tile-{name}") for name in ("height", "width")]
    native = [int(side) if side and side.isdigit() else 0 for side in sides]
    chosen = [n * max(1, -(-_WANTED_TILE // n)) if 0 < n <= _LARGEST_TILE else 512 for n in native]
    return min(chosen[0], shape[0]), min(chosen[1], shape[1])


def _background(properties: Mapping[str, str]) -> tuple[int, int, int]:
    text = properties.get("openslide.background-color", "")
    try:
        red, green, blue = bytes.fromhex(text)
    except ValueError:
        return 255, 255, 255
    return red, green, blue
