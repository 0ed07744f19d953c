"""Values in PNG and TIFF files that are not pictures: masks, maps, stacks, with their calibration."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.ome import read_ome_geometry
from napari_medpatch.io.photo_file import check_size, photo_format, pillow_image
from napari_medpatch.io.photo_tiff import TIFF_ERRORS
from napari_medpatch.io.png import read_png_note
from napari_medpatch.io.reading import reading
from napari_medpatch.io.source import AnyArray

_GREY_MODES = {"1", "L", "P", "I", "I;16", "I;16B"}
_AXES = {"YX", "CYX", "ZYX", "CZYX"}


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Values and what is known of them.

    Parameters
    ----------
    values : ndarray
        As stored.
    axes : str
        ``"YX"``, ``"CYX"``, ``"ZYX"`` or ``"CZYX"``.
    pixel_size, origin : tuple of float or None
        Along the spatial axes, in ``unit``.
    unit : str
        ``"um"`` or ``"mm"``.
    channel_names : tuple of str
        Of the channels.
    note : ExportNote or None
        Of files that this package wrote.
    """

    values: AnyArray
    axes: str
    pixel_size: tuple[float, ...] | None = None
    origin: tuple[float, ...] | None = None
    unit: str = "um"
    channel_names: tuple[str, ...] = ()
    note: ExportNote | None = None

    @property
    def is_map(self) -> bool:
        """Whether these are probabilities and not labels."""
        return self.note.kind == "probabilities" if self.note is not None else self.values.dtype.kind == "f"


def read_raster(path: Path) -> Raster | None:
    """Read a file of values.

    Parameters
    ----------
    path : Path
        PNG, TIFF or BMP.

    Returns
    -------
    Raster or None
        None if the file is a picture in colours.

    Raises
    ------
    UnsupportedFormatError, DamagedFileError
        If the file is no image, too large or damaged.
    """
    kind = photo_format(path)
    if kind == "TIFF":
        return _read_tiff(path)
    if kind == "JPEG":
        return None
    with pillow_image(path) as image:
        if image.mode not in _GREY_MODES:
            return None
        values = np.array(image)
    return Raster(values.astype(np.uint8) if values.dtype.kind == "b" else values, "YX", note=read_png_note(path))


def _read_tiff(path: Path) -> Raster | None:
    import tifffile

    try:
        with reading(path), tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            page = series.keyframe
            axes = series.axes.replace("I", "Z").replace("Q", "Z")
            if axes not in _AXES or page.photometric.name not in ("MINISBLACK", "MINISWHITE", "PALETTE"):
                return None
            check_size(page.imagelength, page.imagewidth, path)
            values = series.asarray()
    except (tifffile.TiffFileError, AttributeError, *TIFF_ERRORS):
        return None
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    geometry = read_ome_geometry(path)
    if geometry is None:
        return Raster(values, axes)
    return Raster(
        values, axes, geometry.pixel_size, geometry.origin, geometry.unit, geometry.channel_names, geometry.note
    )
