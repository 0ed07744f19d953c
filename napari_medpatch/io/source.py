"""What every image looks like to the rest of the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box, Spacing

Kind = Literal["slide", "photo", "volume"]
AnyArray = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of a source.

    Parameters
    ----------
    shape : tuple of int
        Spatial shape, ``(Y, X)`` or ``(Z, Y, X)``.
    downsample : tuple of float
        Level-0 pixels per pixel of this level, along each spatial axis; exact, never rounded.
    """

    shape: tuple[int, ...]
    downsample: tuple[float, ...]


@runtime_checkable
class Source(Protocol):
    """A calibrated image that can be read piece by piece.

    Slides and photographs are ``(Y, X, 3) uint8``. Volumes are ``(Z, Y, X) int16`` (HU for CT) in
    closest-canonical orientation; see :class:`napari_medpatch.io.volume.VolumeSource` for the affine.
    """

    @property
    def path(self) -> Path:
        """File or folder that was opened."""

    @property
    def kind(self) -> Kind:
        """``"slide"``, ``"photo"`` or ``"volume"``."""

    @property
    def format(self) -> str:
        """Short name of the file format, for people (``"Aperio SVS"``, ``"NIfTI-1"``)."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """Resolutions from finest to coarsest; synthetic ones included."""

    @property
    def spacing(self) -> Spacing | None:
        """Size of a level-0 pixel, None when nobody knows; never guessed."""

    @property
    def axes(self) -> str:
        """``"YXC"`` or ``"ZYX"``."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels that :meth:`read` returns."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Facts of the file, JSON-serialisable, for ``info`` and provenance."""

    def read(self, level: int, box: Box) -> AnyArray:
        """Read a box of a level; thread-safe.

        Parameters
        ----------
        level : int
            Index into :attr:`levels`.
        box : Box
            In pixels of that level. Parts outside are filled with the source's background, so the
            result always has the shape of the box.

        Returns
        -------
        ndarray
            ``(Y, X, 3) uint8`` or ``(Z, Y, X) int16``, C-contiguous.

        Raises
        ------
        DamagedFileError
            If the file is truncated or corrupt there.
        """

    def close(self) -> None:
        """Release the file; reading afterwards raises."""


def finest_level_at_least(source: Source, downsample: float) -> int:
    """Return the coarsest level that is at least as fine as a wanted downsample.

    Parameters
    ----------
    source : Source
        Any source.
    downsample : float
        Wanted level-0 pixels per pixel; the result's downsample is not larger (0 if all are).
    """
    best = 0
    for index, level in enumerate(source.levels):
        if max(level.downsample) <= downsample * (1 + 1e-6):
            best = index
    return best
