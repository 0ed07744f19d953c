"""The pixel size that a TIFF states, in its OME-XML, its ImageJ header or its resolution tags."""

import math
from typing import Any
from xml.etree import ElementTree

from napari_medpatch.io.pixel_size import PRINT_UM, PixelSize, judged, unknown

_OME_UM = {
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "nm": 1e-3,
    "Å": 1e-4,
    "pm": 1e-6,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "in": 25400.0,
}
_IMAGEJ_UM = {"um", "µm", "μm", "micron", "microns", "micrometer", "\\u00b5m"}
_RESOLUTION_UNIT_UM = {2: ("inch", 25400.0), 3: ("centimetre", 10000.0), 4: ("millimetre", 1000.0), 5: ("µm", 1.0)}


def tiff_pixel_size(tif: Any, page: Any, image_index: int = 0) -> PixelSize:
    """Return the pixel size of a page, or why it is not known.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    page : tifffile.TiffPage
        Full-resolution page.
    image_index : int
        Which ``Image`` of the OME-XML the page belongs to.

    Notes
    -----
    Resolution tags without a unit, or in inches as screens and printers have them, say nothing about a
    specimen and are not used.
    """
    if tif.is_ome:
        size = _ome(tif.ome_metadata, image_index)
        if size is not None:
            return size
    if tif.is_imagej:
        size = _imagej(tif.imagej_metadata or {}, page)
        if size is not None:
            return size
    return resolution_size(page)


def resolution_size(page: Any) -> PixelSize:
    """Return the pixel size that the TIFF resolution tags state."""
    x, y = (_ratio(page.tags.valueof(code)) for code in (282, 283))
    if x is None or y is None:
        return unknown("the file has no resolution tags")
    unit = page.tags.valueof(296)
    if unit is None or int(unit) not in _RESOLUTION_UNIT_UM:
        return unknown("the TIFF resolution has no unit")
    _, scale = _RESOLUTION_UNIT_UM[int(unit)]
    return judged(scale / y, scale / x, "TIFF resolution", limit=PRINT_UM)


def _ome(xml: str, image_index: int) -> PixelSize | None:
    """Return the size from OME-XML, None if it gives none."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None
    images = [node for node in root if node.tag.rpartition("}")[2] == "Image"]
    if image_index >= len(images):
        return None
    pixels = next((node for node in images[image_index] if node.tag.rpartition("}")[2] == "Pixels"), None)
    sizes = [None if pixels is None else _ome_length(pixels, axis) for axis in "YX"]
    if sizes[0] is None or sizes[1] is None:
        return None
    return judged(sizes[0], sizes[1], "OME PhysicalSizeX/Y", limit=math.inf)


def _ome_length(pixels: ElementTree.Element, axis: str) -> float | None:
    unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
    try:
        return float(pixels.get(f"PhysicalSize{axis}", "")) * _OME_UM[unit]
    except (ValueError, KeyError):
        return None


def _imagej(metadata: dict[str, Any], page: Any) -> PixelSize | None:
    """Return the size from ImageJ's header, whose resolution tags count pixels per unit."""
    x, y = (_ratio(page.tags.valueof(code)) for code in (282, 283))
    if str(metadata.get("unit", "")).lower() not in _IMAGEJ_UM or not x or not y:
        return None
    return judged(1 / y, 1 / x, "ImageJ resolution in µm", limit=math.inf)


def _ratio(value: Any) -> float | None:
    """Return a TIFF rational as a number, None if it is missing or not a positive number."""
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return None
    return value[0] / value[1] or None
