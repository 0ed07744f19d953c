"""Where a mask is wrong, and how."""

import numpy as np
import numpy.typing as npt

from napari_medpatch.evaluate.masks import MaskPair
from napari_medpatch.io.source import AnyArray

ERROR_NAMES = ("false positive", "false negative", "wrong class")
"""Of the values 1, 2 and 3 of :func:`error_map`."""


def error_map(
    prediction: AnyArray, truth: AnyArray, keep: AnyArray | None = None, *, value: int = 0
) -> npt.NDArray[np.uint8]:
    """Return where two masks differ.

    Parameters
    ----------
    prediction, truth, keep
        As :func:`napari_medpatch.evaluate.evaluation.evaluate_masks`.
    value : int
        Look at this class alone; at all of them by default.

    Returns
    -------
    ndarray
        Shape of the masks, uint8: 1 false positive, 2 false negative, 3 another class than the truth's (only when
        all classes are looked at), 0 elsewhere.
    """
    masks = MaskPair.of(prediction, truth, keep)
    result = np.zeros(masks.shape, np.uint8)
    for z, (predicted, true) in enumerate(zip(masks.predicted, masks.true, strict=True)):
        p, t = (plane == value if value else plane > 0 for plane in (predicted, true))
        result[z][p & ~t], result[z][t & ~p] = 1, 2
        if not value:
            result[z][p & t & (predicted != true)] = 3
    return result[0] if masks.flat else result
