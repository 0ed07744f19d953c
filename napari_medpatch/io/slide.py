"""Slides that OpenSlide opens: vendor formats, generic tiled TIFF and DICOM WSI."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io.openslide_tiles import OpenSlideTiles
from napari_medpatch.io.pixel_size import ABSURD_UM, PixelSize, judged, unknown, user_spacing
from napari_medpatch.io.slide_formats import FORMATS
from napari_medpatch.io.tile_cache import TileCache
from napari_medpatch.io.tile_reader import probe
from napari_medpatch.io.tiled_source import TiledSource

if TYPE_CHECKING:
    from napari_medpatch.io.tiff_pages import FileBytes, PageTiles

_DIRECT_VENDORS = {"aperio", "generic-tiff"}
_UNBOUNDED = float("inf")


class OpenSlideSource(TiledSource):
    """A slide read with OpenSlide; JPEG-tiled TIFF and SVS straight from the file where pixels are the same.

    Parameters
    ----------
    path : path-like
        Any file of the slide; for DICOM any instance, or the folder they are in.
    mpp : float or (float, float), optional
        µm per level-0 pixel, two values are ``(y, x)``; overrides what the file says.
    cache : TileCache, optional
        The shared one by default.
    direct : bool
        Whether tiles may be decoded without OpenSlide; tests compare the two.

    Raises
    ------
    UnsupportedFormatError
        If OpenSlide does not open it.
    DamagedFileError
        If not even one tile can be decoded.
    """

    def __init__(
        self,
        path: str | Path,
        mpp: float | Sequence[float] | None = None,
        cache: TileCache | None = None,
        *,
        direct: bool = True,
    ) -> None:
        path = Path(path)
        entry = path
        if path.is_dir():
            from napari_medpatch.io.detect_dicom import slide_in_folder

            entry = slide_in_folder(path)
        reader = OpenSlideTiles(entry)
        try:
            size, facts = _opened(reader, entry, direct=direct)
            spacing = size.spacing if mpp is None else user_spacing(mpp)
            name = FORMATS.get(facts["vendor"], facts["vendor"])
        except BaseException:
            reader.close()
            raise
        super().__init__(path, reader, format=name, spacing=spacing, metadata=facts, cache=cache)


def _opened(reader: OpenSlideTiles, path: Path, *, direct: bool) -> tuple[PixelSize, dict[str, Any]]:
    """Prepare a reader and collect what the file says."""
    # A copy: a handle that meets an error while pixels are compared answers no questions any more.
    properties, vendor = dict(reader.properties), reader.vendor
    size = _stated_size(properties, vendor)
    if vendor in _DIRECT_VENDORS:
        tiff_size = _use_tiff(reader, path, direct=direct)
        if vendor == "generic-tiff":
            size = tiff_size
    probe(reader)
    facts: dict[str, Any] = {
        "vendor": vendor,
        "objective_power": _number(properties.get("openslide.objective-power")),
        "stored_levels": len(reader.levels),
        "direct_levels": sum(reader.direct),
        "icc_profile": "openslide.icc-size" in properties,
        "spacing_note": size.note,
        "notes": [],
    }
    return size, facts


def _use_tiff(reader: OpenSlideTiles, path: Path, *, direct: bool) -> PixelSize:
    """Let the reader decode TIFF tiles itself; returns the size in the resolution tags."""
    from napari_medpatch.io.tiff_file import open_tiff
    from napari_medpatch.io.tiff_levels import orientation, tiled_pages
    from napari_medpatch.io.tiff_pages import FileBytes
    from napari_medpatch.io.tiff_spacing import tiff_pixel_size

    with open_tiff(path) as tif:
        if orientation(tif.pages.first) != 1:
            # libtiff, below OpenSlide, then turns every tile by itself: the picture falls apart.
            raise UnsupportedFormatError(f"{path} has an orientation tag that OpenSlide mishandles; use TiffSource.")
        pages = tiled_pages(tif)
        if direct:
            stream = FileBytes(path)
            reader.use_pages({}, stream)  # from here on the reader closes it
            reader.use_pages(_decoders(reader, pages, stream), stream)
        return tiff_pixel_size(tif, pages.get(reader.levels[0].shape, tif.pages.first))


def _decoders(
    reader: OpenSlideTiles, pages: Mapping[tuple[int, int], Any], stream: "FileBytes"
) -> dict[int, "PageTiles"]:
    """Return the decoders of the levels that can be read straight from the file."""
    from napari_medpatch.io.tiff_pages import PageTiles

    decoders: dict[int, PageTiles] = {}
    for index, level in enumerate(reader.levels):
        with suppress(KeyError, UnsupportedFormatError):
            decoders[index] = PageTiles(pages[level.shape], stream)
        if index in decoders and decoders[index].is_sparse and reader.vendor == "aperio":
            # Aperio's coarser levels are wrong where a finer tile is missing; OpenSlide computes them anew.
            break
    return decoders


def _stated_size(properties: Mapping[str, str], vendor: str) -> PixelSize:
    """Return the pixel size in OpenSlide's properties. Objective power is not a pixel size."""
    y, x = (_number(properties.get(f"openslide.mpp-{axis}")) for axis in "yx")
    if y is None or x is None:
        stated = properties.get("aperio.MPP")
        if stated is not None:
            return PixelSize(None, f"aperio.MPP says {stated!r} µm per pixel, which is no number; give the real size.")
        power = properties.get("openslide.objective-power")
        return unknown(f"the file gives only the objective, {power}×" if power else "the file gives none")
    return judged(y, x, "openslide.mpp-x/-y", limit=_UNBOUNDED if vendor == "dicom" else ABSURD_UM)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
