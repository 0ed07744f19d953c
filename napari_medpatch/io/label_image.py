"""Label values out of image files: PNG, TIFF and BMP, of 1, 8 or 16 bits, palette or equal channels."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import LabelsError
from napari_medpatch.io.photo_file import check_size, photo_format, pillow_image, upright
from napari_medpatch.io.photo_tiff import TIFF_ERRORS
from napari_medpatch.io.reading import reading
from napari_medpatch.io.source import AnyArray

Labels = npt.NDArray[np.uint8]


def read_label_image(path: Path) -> Labels:
    """Read the label values of an image file.

    Parameters
    ----------
    path : Path
        PNG, TIFF or BMP. Palette images give their indices, colour images must have equal channels, 1-bit
        images give 0 and 1, and so do images with the two values 0 and 255, which mean no and yes.

    Returns
    -------
    ndarray
        ``(Y, X)``, or ``(Z, Y, X)`` of a TIFF stack, uint8.

    Raises
    ------
    LabelsError
        If the file is a JPEG, has colours, or values that are not whole numbers from 0 to 255.
    UnsupportedFormatError, DamagedFileError
        If it is no image or damaged.
    """
    kind = photo_format(path)
    if kind == "JPEG":
        raise LabelsError(f"{path} is a JPEG, whose compression changes label values; save labels as PNG or TIFF.")
    array, has_channels = _tiff(path) if kind == "TIFF" else _pillow(path)
    labels = to_labels(_one_channel(array, path) if has_channels else array, path)
    if array.dtype.kind == "b" or np.array_equal(np.unique(labels), [0, 255]):
        return (labels > 0).astype(np.uint8)
    return labels


def to_labels(array: AnyArray, path: Path) -> Labels:
    """Return values as uint8 labels.

    Raises
    ------
    LabelsError
        If a value is not a whole number from 0 to 255.
    """
    if array.dtype.kind == "f":
        whole = np.rint(array)
        wrong = array[~(np.isfinite(array) & (array == whole))]
        if wrong.size:
            raise LabelsError(f"{path} holds the value {wrong.flat[0]:g}; labels are whole numbers from 0 to 255.")
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if low < 0 or high > 255:
        raise LabelsError(f"{path} holds values from {low:g} to {high:g}; labels are whole numbers from 0 to 255.")
    return np.ascontiguousarray(array, dtype=np.uint8)


def _pillow(path: Path) -> tuple[AnyArray, bool]:
    """Return the pixels and whether their last axis is colour."""
    with pillow_image(path) as image:
        code = int(image.getexif().get(274, 1))
        array = upright(np.array(image), code)
    return array, array.ndim == 3


def _tiff(path: Path) -> tuple[AnyArray, bool]:
    """Return the first image or stack of a TIFF as stored, and whether its last axis is colour."""
    import tifffile

    try:
        with reading(path), tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            check_size(series.keyframe.imagelength, series.keyframe.imagewidth, path)
            array: AnyArray = series.asarray()
    except (tifffile.TiffFileError, *TIFF_ERRORS):
        return _pillow(path)
    colours = series.axes.endswith("S")
    if array.ndim > 3:
        array = array.reshape([n for n in array.shape[:-2] if n != 1] + list(array.shape[-2:]))
    if array.ndim not in (2, 3):
        raise LabelsError(f"{path} has the shape {array.shape}; labels are one image or one stack of slices.")
    return array, colours


def _one_channel(array: AnyArray, path: Path) -> AnyArray:
    """Drop colour channels that say the same; alpha must be opaque."""
    colours = array if array.shape[-1] in (1, 3) else array[..., :-1]
    if array.shape[-1] in (2, 4) and array[..., -1].min() != np.iinfo(array.dtype).max:
        raise LabelsError(f"{path} is partly transparent; save labels as a grey PNG of values from 0 to 255.")
    if (colours != colours[..., :1]).any():
        raise LabelsError(f"{path} is a colour picture; save labels as a grey PNG of values from 0 to 255.")
    return colours[..., 0]
