"""Pixel sizes of slides: taken from the file or the user, refused where they cannot be true, never guessed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_medpatch.errors import GeometryError
from napari_medpatch.geometry import Spacing

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source

PRINT_UM = 20.0
"""Coarser than this in a TIFF without a scanner's name is a print or screen resolution (1270 dpi and less)."""

ABSURD_UM = 100.0
"""Coarser than this is not believed of any scanner's slide; DICOM thumbnails state such sizes and mean them."""

FINEST_UM = 0.005
"""Finer than this no light microscope's camera samples."""


COARSEST_UM = 1000.0
"""Coarser than this is not believed of anybody: a slide would be a few dozen pixels wide."""


@dataclass(frozen=True, slots=True)
class PixelSize:
    """A pixel size, or the reason why there is none.

    Parameters
    ----------
    spacing : Spacing or None
        µm, ``(y, x)``.
    note : str
        One sentence for the user when the file's own value is missing or not believed.
    """

    spacing: Spacing | None
    note: str = ""


def user_spacing(mpp: float | Sequence[float]) -> Spacing:
    """Return the pixel size that the user gave.

    Parameters
    ----------
    mpp : float or (float, float)
        µm per level-0 pixel; two values are ``(y, x)``.

    Raises
    ------
    GeometryError
        If it is not one or two positive numbers, or cannot be true of a microscope slide.
    """
    values = (mpp, mpp) if isinstance(mpp, int | float) else tuple(mpp)
    if len(values) != 2:
        raise GeometryError(f"A pixel size is one number or (y, x) in µm, not {mpp!r}.")
    spacing = Spacing((float(values[0]), float(values[1])), "um", "user")
    if max(spacing.values) > COARSEST_UM or min(spacing.values) < FINEST_UM:
        raise GeometryError(
            f"A pixel of {spacing.values[1]:g} × {spacing.values[0]:g} µm is none of a microscope slide; "
            "give the size in µm per pixel, such as 0.25."
        )
    return spacing


def judged(y: float, x: float, origin: str, *, limit: float) -> PixelSize:
    """Accept a file's pixel size if it can be true.

    Parameters
    ----------
    y, x : float
        µm per pixel.
    origin : str
        Which property it is from.
    limit : float
        Largest size that is believed, in µm.
    """
    if not all(math.isfinite(v) and v > 0 for v in (y, x)):
        return PixelSize(None, f"{origin} says {x:g} × {y:g} µm per pixel, which is impossible; give the real size.")
    if max(y, x) > limit:
        what = "a print or screen resolution" if limit <= PRINT_UM else "not plausible"
        dpi = f" ({25400 / x:.0f} dpi)" if limit <= PRINT_UM else ""
        return PixelSize(
            None,
            f"{origin} says {x:.4g} × {y:.4g} µm per pixel{dpi}, which is {what} and not used; give the real size.",
        )
    if min(y, x) < FINEST_UM:
        return PixelSize(
            None, f"{origin} says {x:.3g} × {y:.3g} µm per pixel, too fine to be true and not used; give the real size."
        )
    return PixelSize(Spacing((float(y), float(x)), "um", origin))


def unknown(reason: str) -> PixelSize:
    """Return a missing pixel size with its reason, for example ``"the file has no resolution tags"``."""
    return PixelSize(None, f"The pixel size is unknown ({reason}); give it in µm where sizes matter.")


def why_unknown(source: "Source") -> str:
    """Return why a slide has no pixel size, as the beginning of a sentence that says what to do.

    Parameters
    ----------
    source : Source
        Without a spacing.

    Returns
    -------
    str
        Names the file, and the value in it if there is one that cannot be true.
    """
    stated, _, _ = str(source.metadata.get("spacing_note", "")).partition(";")
    if " says " in stated:
        return f"In {source.path.name}, {stated}"
    return f"{source.path.name} does not say how large its pixels are"
