"""Grids in the axes of DICOM and ITK: world LPS+, to the patient's left, to posterior and up."""

import numpy as np

from napari_medpatch.io.orientation import Affine
from napari_medpatch.io.volume_grid import VolumeGrid

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_RIGHT_ANGLE_WITHIN = 1e-3
"""Cosine between two axes: a twentieth of a degree, well above what files round to."""


def lps_affine(grid: VolumeGrid) -> Affine:
    """Return the (4, 4) map from the file's ``(i, j, k)`` index to LPS+ millimetres."""
    matrix = grid.affine.astype(np.float64, copy=True)
    matrix[:3] *= grid.unit_mm
    return np.asarray(RAS_TO_LPS @ matrix, dtype=np.float64)


def is_sheared(affine: Affine) -> bool:
    """Return whether the axes of a grid do not stand at right angles, as after a tilted gantry."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return float(np.abs(directions.T @ directions - np.eye(3)).max()) > _RIGHT_ANGLE_WITHIN
