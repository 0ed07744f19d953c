"""Check and convert the values of results before they are written."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError, LabelsError, OutputError
from napari_medpatch.io.source import AnyArray, Source


def mask_values(mask: AnyArray) -> npt.NDArray[np.uint8]:
    """Return a mask as uint8; :class:`LabelsError` if its values do not fit."""
    if mask.dtype.kind not in "biu" or (mask.size and (mask.min() < 0 or mask.max() > 255)):
        raise LabelsError(
            f"A mask holds whole numbers from 0 to 255, not {mask.dtype} from {mask.min()} to {mask.max()}."
        )
    return mask.astype(np.uint8, copy=False)


def probability_values(probabilities: AnyArray, source: Source, path: Path) -> AnyArray:
    """Return ``(C, …)`` uint8 or float32."""
    spatial = len(source.levels[0].shape)
    values = probabilities[None] if probabilities.ndim == spatial else probabilities
    if values.ndim != spatial + 1 or not values.shape[0]:
        raise GeometryError(f"Probability maps of shape {values.shape} need the axes classes, {source.axes}.")
    if values.dtype == np.uint8:
        return values
    # NaN, a voxel that no one scored, is neither below nor above.
    if values.dtype.kind != "f" or bool(((values < 0) | (values > 1)).any()):
        raise OutputError(f"{path} was not written: probabilities are floats from 0 to 1 or uint8, not {values.dtype}.")
    return values.astype(np.float32, copy=False)


def one_slice(values: AnyArray) -> AnyArray:
    """Return ``(Y, X)`` of a photograph's mask or of a volume of one slice."""
    return values[0] if values.ndim == 3 else values


def one_class(values: AnyArray, path: Path) -> AnyArray:
    """Return the only map of ``(C, …)``; :class:`OutputError` if there are several."""
    if values.shape[0] != 1:
        raise OutputError(f"{path} was not written: PNG holds one map and there are {values.shape[0]}; use .ome.tiff.")
    only: AnyArray = values[0]
    return only


def as_bytes(values: AnyArray) -> AnyArray:
    """Return probability × 255."""
    if values.dtype == np.uint8:
        return values
    pixels: AnyArray = np.rint(np.nan_to_num(values) * 255).astype(np.uint8)
    return pixels


def as_unit_floats(values: AnyArray) -> AnyArray:
    """Return float32 from 0 to 1."""
    if values.dtype != np.uint8:
        return values
    table = np.arange(256, dtype=np.float32) / np.float32(255)
    floats: AnyArray = table[values]
    return floats
