"""Tell TIFF slides from TIFF photographs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_medpatch.io.slide_formats import FORMATS
from napari_medpatch.io.source import Kind

if TYPE_CHECKING:
    from napari_medpatch.io.detect import Reader

Answer: TypeAlias = "tuple[Kind, str, Reader]"

LARGE_SIDE = 8192
"""A TIFF with a longer side is read in pieces, as a slide."""


def detect_tiff(path: Path, kind: Kind | None = None) -> Answer:
    """Return kind, format and reader of a TIFF.

    A TIFF is a slide if OpenSlide opens it (all its formats are tiled), if it is tiled, if it is an OME-TIFF
    with a pixel size in µm, or if a side is longer than 8192 pixels; other TIFFs are photographs.

    Parameters
    ----------
    path : Path
        File with a TIFF signature.
    kind : {"slide", "photo"}, optional
        What the user says it is.

    Raises
    ------
    DamagedFileError
        If its directories cannot be read.
    """
    import openslide

    from napari_medpatch.io.tiff_file import open_tiff
    from napari_medpatch.io.tiff_levels import orientation

    vendor = openslide.OpenSlide.detect_format(path) if kind != "photo" else None
    if vendor not in (None, "generic-tiff"):
        return "slide", FORMATS.get(vendor, vendor), "openslide"
    with open_tiff(path) as tif:
        if vendor is not None and orientation(tif.pages.first) == 1:
            return "slide", FORMATS[vendor], "openslide"
        name = "OME-TIFF" if tif.is_ome else "BigTIFF" if tif.is_bigtiff else "TIFF"
        page = tif.pages.first
        as_slide = kind == "slide" or (kind is None and _looks_like_slide(tif, page))
    return ("slide", name, "tifffile") if as_slide else ("photo", name, "photo")


def _looks_like_slide(tif: Any, page: Any) -> bool:
    if page.is_tiled or max(page.imagelength, page.imagewidth) > LARGE_SIDE:
        return True
    return bool(tif.is_ome) and _ome_in_um(tif, page)


def _ome_in_um(tif: Any, page: Any) -> bool:
    from napari_medpatch.io.tiff_spacing import tiff_pixel_size

    size = tiff_pixel_size(tif, page).spacing
    return size is not None and size.origin.startswith("OME")
