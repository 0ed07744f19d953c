"""Bring any pixels to 8-bit RGB, by rules that do not depend on the picture's content more than they must.

*16 bits to 8.* Cameras store 10, 12 or 14 significant bits in 16. The range is the smallest of 8, 10, 12, 14
and 16 bits that holds the largest value, over all channels; the value ``2**bits - 1`` becomes 255. There is
no stretching, so exposure and hue stay, and values that fit 8 bits are not changed.

*Floats* from 0 to 1 are multiplied by 255; larger ones are taken as 8- or 16-bit values. *Transparency* is
laid over black, which is what a fundus camera sees outside its field.
"""

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io.source import AnyArray

_BITS = (8, 10, 12, 14, 16)
Pixels = npt.NDArray[np.uint8]


def significant_bits(largest: int) -> int:
    """Return 8, 10, 12, 14 or 16: the range that holds values up to ``largest``."""
    return next(bits for bits in _BITS if largest < 1 << bits)


def to_8bit(values: AnyArray, name: str = "The image", bits: int | None = None) -> Pixels:
    """Scale values of any real type to uint8.

    Parameters
    ----------
    values : ndarray
        Booleans, integers from 0 to 65,535, or floats of that range; NaN becomes 0.
    name : str
        For the sentence.
    bits : int, optional
        Range of the values when the file says it (1, 4, 12…); found from the largest value otherwise.

    Raises
    ------
    UnsupportedFormatError
        If values are negative, above 65,535, complex or not numbers.
    """
    if values.dtype.kind == "b":
        yes: Pixels = np.where(values, np.uint8(255), np.uint8(0))
        return yes
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0)
        if values.size and float(values.max()) <= 1 and float(values.min()) >= 0:
            return _rounded(values * 255)
        values = _whole(values, name)
    if values.dtype.kind not in "iu":
        raise UnsupportedFormatError(f"{name} holds {values.dtype} values, which are not pixels of a photograph.")
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if low < 0 or high > 65535:
        raise UnsupportedFormatError(f"{name} has values from {low} to {high}; a photograph has 0 to 65535.")
    bits = significant_bits(high) if bits is None or high >= 1 << bits else bits
    if bits == 8:
        return values.astype(np.uint8)
    top = (1 << bits) - 1
    table = np.rint(np.arange(top + 1) * (255 / top)).astype(np.uint8)
    scaled: Pixels = table[values]
    return scaled


def to_rgb(values: AnyArray, name: str = "The image", bits: int | None = None) -> Pixels:
    """Return ``(Y, X, 3) uint8`` of a grey, colour or transparent image.

    Parameters
    ----------
    values : ndarray
        ``(Y, X)``, or ``(Y, X, C)`` with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels.
    name : str
        For the sentence.
    bits : int, optional
        See :func:`to_8bit`.

    Raises
    ------
    UnsupportedFormatError
        If the shape or the values are not those of a photograph.
    """
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4) or not values.size:
        raise UnsupportedFormatError(f"{name} has the shape {values.shape}; a photograph has (rows, columns, 1 to 4).")
    pixels = to_8bit(values, name, bits)
    colour = pixels if pixels.shape[2] in (1, 3) else over_black(pixels)
    if colour.shape[2] == 1:
        colour = np.broadcast_to(colour, (*colour.shape[:2], 3))
    return np.ascontiguousarray(colour)


def over_black(pixels: Pixels) -> Pixels:
    """Lay ``(Y, X, C)`` pixels with alpha as last channel over black; the alpha channel goes."""
    colour, alpha = pixels[..., :-1], pixels[..., -1:]
    if alpha.min() == 255:
        return colour
    return ((colour.astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)


def _rounded(values: AnyArray) -> Pixels:
    pixels: Pixels = np.rint(values).astype(np.uint8)
    return pixels


def _whole(values: AnyArray, name: str) -> AnyArray:
    """Return floats as integers, if they are in the range of pixels."""
    if values.size and not (values.min() >= 0 and values.max() <= 65535):
        raise UnsupportedFormatError(
            f"{name} has values from {values.min():g} to {values.max():g}; a photograph has 0 to 65535."
        )
    return np.rint(values).astype(np.uint16)
