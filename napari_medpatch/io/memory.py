"""Sources whose pixels are all in memory: photographs, volumes and plain arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import MedPatchError, WrongKindError
from napari_medpatch.geometry import Box, Spacing
from napari_medpatch.io.orientation import Affine
from napari_medpatch.io.source import AnyArray, Kind, Level
from napari_medpatch.io.volume_grid import VolumeGrid


class NotAVolumeError(WrongKindError, AttributeError):
    """A volume's property was asked of a photograph; ``hasattr`` and ``getattr`` see it as absent."""


class MemorySource:
    """A one-level source over an array; see :class:`napari_medpatch.io.source.Source`.

    Parameters
    ----------
    path : Path
        File the array came from, or a name for it.
    kind : {"photo", "volume", "slide"}
        What it is.
    array : ndarray
        ``(Y, X, 3) uint8``, or ``(Z, Y, X)`` for a volume; C-contiguous.
    format : str
        Name of the format, for people.
    spacing : Spacing or None
        Size of a pixel.
    metadata : mapping
        JSON-serialisable facts.
    grid : VolumeGrid or None
        Of a volume.
    """

    def __init__(
        self,
        path: Path,
        kind: Kind,
        array: AnyArray,
        *,
        format: str,  # noqa: A002 - the protocol's name
        spacing: Spacing | None = None,
        metadata: Mapping[str, Any] | None = None,
        grid: VolumeGrid | None = None,
    ) -> None:
        shape = array.shape if kind == "volume" else array.shape[:2]
        self._array: AnyArray | None = array
        self._dtype = array.dtype
        self._path, self._kind, self._format = path, kind, format
        self._levels = (Level(tuple(int(n) for n in shape), (1.0,) * len(shape)),)
        self._spacing = spacing
        self._metadata = dict(metadata or {})
        self._grid = grid
        self._background: Any = array.min() if kind == "volume" else 255 * (kind == "slide")
        self._fov: AnyArray | None = None

    @property
    def path(self) -> Path:
        """File that was opened."""
        return self._path

    @property
    def kind(self) -> Kind:
        """What it is."""
        return self._kind

    @property
    def format(self) -> str:
        """Name of the format, for people."""
        return self._format

    @property
    def levels(self) -> tuple[Level, ...]:
        """The one level."""
        return self._levels

    @property
    def spacing(self) -> Spacing | None:
        """Size of a pixel, None when nobody knows."""
        return self._spacing

    @property
    def axes(self) -> str:
        """``"YXC"`` or ``"ZYX"``."""
        return "ZYX" if self._kind == "volume" else "YXC"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return self._dtype

    @property
    def metadata(self) -> Mapping[str, Any]:
        """JSON-serialisable facts; ``notes`` lists what was changed or assumed on reading."""
        return self._metadata

    @property
    def array(self) -> AnyArray:
        """All pixels: ``(Y, X, 3) uint8``, or ``(Z, Y, X)`` for a volume. Read-only by agreement."""
        if self._array is None:
            raise MedPatchError(f"{self._path} was closed; open it again to read from it.")
        return self._array

    @property
    def data(self) -> AnyArray:
        """The same as :attr:`array`."""
        return self.array

    def read(self, level: int, box: Box) -> AnyArray:
        """Read a box; outside is the lowest value of a volume, black in a photograph, white in a slide.

        Returns
        -------
        ndarray
            Shape of the box (and 3 channels), C-contiguous, a copy.
        """
        if level != 0:
            raise IndexError(f"{self._path} has one level, level {level} was asked for")
        array, spatial = self.array, self._levels[0].shape
        inside = box.clip(spatial)
        if inside == box:
            return array[box.slices].copy()
        result = np.full(box.shape + array.shape[len(spatial) :], self._background, dtype=array.dtype)
        if inside.size:
            result[inside.shift([-a for a in box.start]).slices] = array[inside.slices]
        return result

    def close(self) -> None:
        """Let go of the pixels; reading afterwards raises."""
        self._array = None
        self._fov = None

    def fov_mask(self) -> AnyArray:
        """Return where a fundus photograph shows the eye.

        Returns
        -------
        ndarray
            ``(Y, X) bool``; all True when there is no dark border.

        Raises
        ------
        WrongKindError
            If this is a volume.
        """
        from napari_medpatch.io.fov import field_of_view

        if self._kind == "volume":
            raise WrongKindError(f"{self._path} is a volume; only photographs have a round field of view.")
        if self._fov is None:
            self._fov = field_of_view(self.array)
        return self._fov

    @property
    def grid(self) -> VolumeGrid:
        """Grid of a volume.

        Raises
        ------
        NotAVolumeError
            If this is not a volume.
        """
        if self._grid is None:
            raise NotAVolumeError(f"{self._path} is a {self._kind}, not a volume, and has no affine.")
        return self._grid

    @property
    def affine(self) -> Affine:
        """(4, 4), the file's ``(i, j, k)`` index to RAS+ world, as stored."""
        return self.grid.affine

    @property
    def canonical_affine(self) -> Affine:
        """(4, 4), our ``(x, y, z)`` index to RAS+ mm."""
        return self.grid.canonical_affine

    @property
    def original_shape(self) -> tuple[int, int, int]:
        """Shape of the file's grid."""
        return self.grid.shape

    @property
    def is_oblique(self) -> bool:
        """Whether the volume's grid is turned against the world's axes."""
        return self.grid.is_oblique

    @property
    def header(self) -> Any:
        """The file's nibabel header, None for plain arrays."""
        return self.grid.header

    def to_original(self, array: AnyArray) -> AnyArray:
        """Bring a ``(Z, Y, X)`` array to the file's grid; see :class:`VolumeGrid`."""
        return self.grid.to_original(array)

    def from_original(self, array: AnyArray) -> AnyArray:
        """Bring an array on the file's grid to ``(Z, Y, X)``; see :class:`VolumeGrid`."""
        return self.grid.from_original(array)
