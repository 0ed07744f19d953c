"""Turn the samples of a TIFF page into RGB bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io.openslide_tiles import flatten
from napari_medpatch.io.pixels import to_8bit
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.tile_cache import Tile
from napari_medpatch.io.ycbcr import ycbcr_to_rgb

ToRGB: TypeAlias = Callable[[AnyArray], Tile]

_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_PHOTOMETRIC = {4: "transparency mask", 5: "CMYK", 8: "CIELab", 9: "ICCLab", 32803: "raw camera", 34892: "linear raw"}
_DECODES_TO_RGB = {7, 33003, 33005, 34712, 33007, 34892, 50001}
_OLD_JPEG, _APERIO_YCBCR = 6, 33003
_UNASSOCIATED_ALPHA, _ASSOCIATED_ALPHA = 2, 1
_WHITE = (255, 255, 255)


def colour_reader(page: Any, path: Path, bits: int | None = None) -> ToRGB:
    """Return the function that turns decoded samples of a page into RGB.

    Parameters
    ----------
    page : tifffile.TiffPage
        1 to 16 bits per sample; grey (either polarity), palette, RGB or JPEG's YCbCr, with or without alpha.
    path : Path
        For the sentence.
    bits : int, optional
        Bits that the values really use, where a file stores 12-bit values in 16 bits; all by default.

    Returns
    -------
    callable
        ``(y, x, samples)`` as stored to ``(y, x, 3) uint8``. More than 8 bits are scaled down linearly; alpha
        is laid on white.

    Raises
    ------
    UnsupportedFormatError
        If the page's compression, sample type or colour space is not read.
    """
    _refuse(page, path)
    photometric, used_bits = int(page.photometric), bits or int(page.bitspersample)
    if int(page.compression) == _APERIO_YCBCR and page.samplesperpixel == 3:
        return ycbcr_to_rgb
    if photometric == _PALETTE:
        return _palette(np.asarray(page.colormap))
    colours = 3 if photometric in (_RGB, _YCBCR) else 1
    alpha = _alpha(page, colours)
    invert = photometric == _MIN_IS_WHITE

    def convert(samples: AnyArray) -> Tile:
        pixels = scaled(samples, used_bits)
        rgb = pixels[..., :3] if colours == 3 else np.repeat(pixels[..., :1], 3, axis=-1)
        if invert:
            rgb = 255 - rgb
        if alpha is None:
            return np.ascontiguousarray(rgb)
        return _on_white(rgb, pixels[..., colours], associated=alpha == _ASSOCIATED_ALPHA)

    return convert


def scaled(samples: AnyArray, bits: int) -> Tile:
    """Bring samples of ``bits`` significant bits to 8 bits by the rule for photographs; larger values are clipped."""
    if bits == 8 and samples.dtype == np.uint8:
        return samples
    return to_8bit(np.minimum(samples, (1 << bits) - 1), bits=bits)


def _palette(colormap: AnyArray) -> ToRGB:
    """Return a look-up; the TIFF standard has 16-bit entries, some writers put 8-bit ones."""
    entries = colormap >> 8 if colormap.max() > 255 else colormap
    table = np.ascontiguousarray(entries.T.astype(np.uint8))

    def convert(samples: AnyArray) -> Tile:
        looked_up: Tile = table[samples[..., 0]]
        return looked_up

    return convert


def _on_white(rgb: Tile, alpha: Tile, *, associated: bool) -> Tile:
    if not associated:
        return flatten(np.concatenate([rgb, alpha[..., None]], axis=-1), _WHITE)
    # Associated alpha: the colours are multiplied already, only the white below is missing.
    under = 255 - alpha[..., None].astype(np.uint16)
    laid: Tile = np.minimum(rgb.astype(np.uint16) + under, 255).astype(np.uint8)
    return laid


def _alpha(page: Any, colours: int) -> int | None:
    """Return the kind of alpha that follows the colours, None without."""
    extra = tuple(int(kind) for kind in page.extrasamples)
    if page.samplesperpixel > colours and extra and extra[0] in (_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA):
        return extra[0]
    return None


def _refuse(page: Any, path: Path) -> None:
    """Raise for what cannot be turned into RGB."""
    photometric, compression = int(page.photometric), int(page.compression)
    if compression == _OLD_JPEG:
        raise UnsupportedFormatError(f"{path} uses old-style JPEG (TIFF 6.0, obsolete since 1995); save it anew.")
    if photometric not in (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _YCBCR):
        name = _PHOTOMETRIC.get(photometric, f"colour space {photometric}")
        raise UnsupportedFormatError(f"{path} holds {name} pixels, which are not read; save it as RGB.")
    if photometric == _YCBCR and compression not in _DECODES_TO_RGB:
        raise UnsupportedFormatError(f"{path} holds YCbCr pixels without JPEG compression; save it as RGB.")
    if page.dtype is None or page.dtype.kind not in "bu" or not 1 <= int(page.bitspersample) <= 16:
        what = "unknown" if page.dtype is None else page.dtype.name
        raise UnsupportedFormatError(
            f"{path} holds {what} values of {page.bitspersample} bits, not 8- or 16-bit colours; save it as 8-bit RGB."
        )
    wanted = 3 if photometric in (_RGB, _YCBCR) else 1
    if page.samplesperpixel not in (wanted, wanted + 1):
        raise UnsupportedFormatError(
            f"{path} has {page.samplesperpixel} samples per pixel, not grey or RGB; save the channels to show as RGB."
        )
