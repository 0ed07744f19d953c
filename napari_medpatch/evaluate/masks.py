"""Masks ready to be compared: one shape, uint8, bounding boxes of classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.geometry import Box
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.wording import size_text

Mask = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MaskPair:
    """Two masks as volumes: a picture is a volume of one slice.

    Parameters
    ----------
    predicted, true : ndarray
        ``(Z, Y, X) uint8``, 0 wherever pixels are left out.
    ignored : ndarray of bool or None
        Pixels left out.
    flat : bool
        They were pictures.
    """

    predicted: Mask
    true: Mask
    ignored: Bools | None
    flat: bool

    @classmethod
    def of(cls, prediction: AnyArray, truth: AnyArray, keep: AnyArray | None = None) -> "MaskPair":
        """Check and prepare two masks.

        Parameters
        ----------
        prediction, truth : ndarray
            ``(Y, X)`` or ``(Z, Y, X)`` booleans or whole numbers from 0 to 255; 0 background, 1… classes.
        keep : ndarray of bool, optional
            Which pixels are compared; all by default.

        Raises
        ------
        GeometryError
            If the shapes differ or are neither of 2 nor 3 axes.
        LabelsError
            If values are not whole numbers from 0 to 255, or no pixel is to be compared.
        """
        masks = [to_mask(prediction, "prediction"), to_mask(truth, "truth")]
        shapes = {each.shape for each in (*masks, *([] if keep is None else [keep]))}
        if len(shapes) > 1 or masks[0].ndim not in (2, 3):
            raise GeometryError(
                f"The prediction has the shape {size_text(masks[0].shape)} and the truth {size_text(masks[1].shape)}; "
                "compare masks of 2 or 3 axes on one grid."
            )
        flat = masks[0].ndim == 2
        ignored = None
        if keep is not None and not keep.all():
            if not keep.any():
                raise LabelsError("No pixel is left to compare: all of them are left out.")
            ignored = ~keep.astype(bool)
            masks = [np.where(ignored, np.uint8(0), each) for each in masks]
            ignored = ignored[None] if flat else ignored
        if flat:
            masks = [each[None] for each in masks]
        return cls(masks[0], masks[1], ignored, flat)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(Z, Y, X)``."""
        z, y, x = self.predicted.shape
        return z, y, x

    @property
    def compared(self) -> int:
        """Number of pixels that are compared."""
        return self.true.size - (0 if self.ignored is None else int(np.count_nonzero(self.ignored)))

    def crop(self, array: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
        """Return a part of an array of :attr:`shape`, a picture again if it was one."""
        part = array[box.slices]
        return part[0] if self.flat else part


def to_mask(array: AnyArray, what: str) -> Mask:
    """Return a mask as uint8.

    Raises
    ------
    LabelsError
        If values are not whole numbers from 0 to 255.
    """
    values = np.asarray(array)
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "bui":
        raise LabelsError(f"The {what} holds {values.dtype} values; masks hold whole numbers from 0 to 255.")
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if low < 0 or high > 255:
        raise LabelsError(
            f"The {what} holds values from {low} to {high}; masks hold classes from 0 to 255 (objects of a class are "
            "found by themselves)."
        )
    return values.astype(np.uint8)


def class_boxes(*masks: Mask) -> dict[int, Box]:
    """Return where each class lies in any of the masks, one pixel wider, clipped to the masks."""
    from scipy.ndimage import find_objects

    found: dict[int, Box] = {}
    for mask in masks:
        for value, slices in enumerate(find_objects(mask), start=1):
            if slices is not None:
                box = Box(tuple(s.start for s in slices), tuple(s.stop for s in slices))
                found[value] = around(found[value], box) if value in found else box
    return {value: found[value].grow((1,) * masks[0].ndim).clip(masks[0].shape) for value in sorted(found)}


def around(one: Box, other: Box) -> Box:
    """Return the box around two boxes."""
    return Box(
        tuple(map(min, one.start, other.start)),
        tuple(map(max, one.stop, other.stop)),
    )
