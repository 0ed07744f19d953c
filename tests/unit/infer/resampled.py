"""A whole image on a working grid."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_medpatch.infer.resample import gather_steps
from napari_medpatch.infer.working_grid import WorkingGrid
from napari_medpatch.steps import finish


def to_working(
    image: np.ndarray[Any, Any], spacing: Sequence[float], working: Sequence[float]
) -> tuple[np.ndarray[Any, Any], WorkingGrid]:
    """Resample an image from its own voxel size to another, per axis and in the same unit."""
    grid = WorkingGrid.centred(image.shape, [w / s for w, s in zip(working, spacing, strict=True)])
    return finish(gather_steps(lambda a, b: image[a:b], grid)), grid
