"""In which units masks are measured: millimetres and millilitres, micrometres and mm², or pixels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from napari_medpatch.errors import GeometryError
from napari_medpatch.geometry import Spacing

_SIZES: Mapping[tuple[str, int], tuple[str, float]] = MappingProxyType(
    {
        ("mm", 3): ("ml", 1e3),
        ("mm", 2): ("mm2", 1.0),
        ("um", 3): ("mm3", 1e9),
        ("um", 2): ("mm2", 1e6),
        ("px", 3): ("voxels", 1.0),
        ("px", 2): ("px", 1.0),
    }
)
_TEXTS: Mapping[str, str] = MappingProxyType({"um": "µm", "mm2": "mm²", "mm3": "mm³"})


@dataclass(frozen=True, slots=True)
class Units:
    """Pixel size of a mask and the units that follow from it.

    Parameters
    ----------
    spacing : tuple of float
        Size of a pixel along each axis of the mask, ``(y, x)`` or ``(z, y, x)``, in ``length``.
    length : str
        ``"mm"``, ``"um"`` or ``"px"``; pixels when nobody knows the size.
    """

    spacing: tuple[float, ...]
    length: str

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) and v > 0 for v in self.spacing):
            raise GeometryError(f"A pixel size of {self.spacing} {self.length} is not positive; give the real one.")
        if (self.length, self.ndim) not in _SIZES:
            raise GeometryError(
                f"Masks of {self.ndim} axes in {self.length!r} cannot be measured; give 2 or 3 axes in mm, um or px."
            )

    @classmethod
    def of(cls, spacing: Spacing | None, ndim: int) -> "Units":
        """Return the units of an image: those of its spacing, pixels when it has none."""
        return cls((1.0,) * ndim, "px") if spacing is None else cls(spacing.values, spacing.unit)

    @classmethod
    def given(cls, spacing: Sequence[float] | None, unit: str, ndim: int) -> "Units":
        """Return the units of a pixel size without origin.

        Raises
        ------
        GeometryError
            If there is not one positive size per axis.
        """
        if spacing is not None and len(spacing) != ndim:
            raise GeometryError(f"A mask of {ndim} axes needs {ndim} pixel sizes, got {tuple(spacing)}.")
        return cls((1.0,) * ndim, "px") if spacing is None else cls(tuple(float(v) for v in spacing), unit)

    @property
    def ndim(self) -> int:
        """Axes of the mask."""
        return len(self.spacing)

    @property
    def axes(self) -> tuple[str, ...]:
        """``("z", "y", "x")`` or ``("y", "x")``."""
        return ("z", "y", "x")[-self.ndim :]

    @property
    def size(self) -> str:
        """Unit of volumes or areas, for column names: ``"ml"``, ``"mm2"``, ``"mm3"``, ``"voxels"``, ``"px"``."""
        return _SIZES[self.length, self.ndim][0]

    @property
    def pixel(self) -> str:
        """What a pixel is called: ``"px"`` or ``"voxels"``."""
        return _SIZES["px", self.ndim][0]

    @property
    def extent(self) -> str:
        """What :attr:`size` measures: ``"volume"`` or ``"area"``."""
        return "volume" if self.ndim == 3 else "area"

    @property
    def length_text(self) -> str:
        """Unit of length as people write it."""
        return _TEXTS.get(self.length, self.length)

    @property
    def size_text(self) -> str:
        """Unit of volumes or areas as people write it."""
        return _TEXTS.get(self.size, self.size)

    def size_of(self, pixels: float) -> float:
        """Return the volume or area of a number of pixels, in :attr:`size`."""
        return pixels * math.prod(self.spacing) / _SIZES[self.length, self.ndim][1]
