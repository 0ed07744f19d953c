"""Rules for the masks of a model that is used without paint to hold on to."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_medpatch.train.features import FloatArray

_SHARE = 0.1


def clean_up_rules(
    probabilities: FloatArray, class_names: Sequence[str], spacing: Sequence[float] | None
) -> dict[str, Any]:
    """Return rules that drop pieces much smaller than the objects that were painted.

    Parameters
    ----------
    probabilities : ndarray
        ``(C, Z, Y, X)``, of pieces that hang together with paint only.
    class_names : sequence of str
        Foreground classes.
    spacing : sequence of float or None
        Voxel size in mm; without it there are no rules.

    Returns
    -------
    dict
        For ``ModelCard.postprocess``: pieces below a tenth of the smallest painted object go.
    """
    from scipy.ndimage import label

    if spacing is None:
        return {}
    mask, voxel_ml = probabilities.argmax(axis=0), float(np.prod(spacing)) / 1000
    rules = {}
    for value, name in enumerate(class_names, start=1):
        pieces, count = label(mask == value)
        if count:
            smallest = int(np.bincount(pieces.reshape(-1))[1:].min())
            rules[name] = {"min_component_ml": round(_SHARE * smallest * voxel_ml, 4)}
    return {"classes": rules} if rules else {}
