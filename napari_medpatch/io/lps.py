"""Grids in the axes of DICOM and ITK: world LPS+, to the patient's left, to posterior and up."""

import numpy as np

from napari_medpatch.io.orientation import Affine
from napari_medpatch.io.volume_grid import VolumeGrid

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def lps_affine(grid: VolumeGrid) -> Affine:
    """Return the (4, 4) map from the file's ``(i, j, k)`` index to LPS+ millimetres."""
    matrix = grid.affine.astype(np.float64, copy=True)
    matrix[:3] *= grid.unit_mm
    return np.asarray(RAS_TO_LPS @ matrix, dtype=np.float64)
