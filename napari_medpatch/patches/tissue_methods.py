"""Ways to find tissue, by name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from napari_medpatch.errors import GeometryError
from napari_medpatch.io.source import Source
from napari_medpatch.patches.blank import unblank_steps
from napari_medpatch.patches.tissue import TissueMask, tissue_steps
from napari_medpatch.patches.wsinfer_tissue import wsinfer_steps

Steps = Callable[[Source], Iterator[float | TissueMask]]


@dataclass(frozen=True, slots=True)
class TissueMethod:
    """One way to find tissue.

    Parameters
    ----------
    name : str
        What tilings call it.
    version : int
        Raised when the same slide may give another mask, so that kept masks are found anew.
    title : str
        What people call it.
    steps : callable
        Yields finished fractions and at last the mask of a slide.
    """

    name: str
    version: int
    title: str
    steps: Steps


TISSUE_METHODS = {
    method.name: method
    for method in (
        TissueMethod("stain", 2, "Stain against glass, pen and shadow left out", tissue_steps),
        TissueMethod("wsinfer", 1, "WSInfer's threshold of saturation", wsinfer_steps),
        TissueMethod("not-blank", 1, "Neither nearly white nor black", unblank_steps),
    )
}
"""The methods by name."""


def method_named(name: str) -> TissueMethod:
    """Return a method.

    Raises
    ------
    GeometryError
        If there is none of that name.
    """
    try:
        return TISSUE_METHODS[name]
    except KeyError:
        raise GeometryError(
            f"There is no way to find tissue named {name!r}; choose one of {', '.join(TISSUE_METHODS)}."
        ) from None


def steps_of(source: Source, method: str = "stain") -> Iterator[float | TissueMask]:
    """Yield the finished fraction after each block read and the mask at last.

    Parameters
    ----------
    source : Source
        A slide or a photograph; the field of view of a photograph is found in one way only.
    method : str
        A name in :data:`TISSUE_METHODS`.

    Raises
    ------
    GeometryError
        If there is no such method.
    DamagedFileError
        If the file cannot be read at low resolution.
    """
    find = method_named(method).steps
    return tissue_steps(source) if source.kind == "photo" else find(source)
