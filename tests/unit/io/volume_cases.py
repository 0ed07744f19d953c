"""NIfTI files that tests write, with nibabel, and ways to look at them that do not use our code."""

import itertools
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

SHAPE = (5, 4, 3)
SPACING = (0.75, 1.5, 4.0)


def orientations() -> list[np.ndarray]:
    """All 48 signed permutations as 3 × 3 matrices, file axes to RAS."""
    matrices = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((-1, 1), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[order, range(3)] = signs
            matrices.append(matrix)
    return matrices


def affine_of(matrix: np.ndarray, *, tilt: float = 0.0, origin: tuple[float, ...] = (-80.5, 33.25, 12.0)) -> np.ndarray:
    """An affine with ``SPACING`` along the file's axes, turned by ``tilt`` radians about an odd axis."""
    axis = np.array([0.3, -0.5, 0.81])
    k = np.cross(np.eye(3), axis / np.linalg.norm(axis))
    turn = np.eye(3) + np.sin(tilt) * k + (1 - np.cos(tilt)) * (k @ k)
    affine = np.eye(4)
    affine[:3, :3] = turn @ matrix @ np.diag(SPACING)
    affine[:3, 3] = origin
    return affine


def numbered(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Values that tell voxels apart, air included so that it looks like CT."""
    return (np.arange(np.prod(shape)).reshape(shape) * 3 - 1000).astype(np.int16)


def write_nifti1(path: Path, array: np.ndarray, affine: np.ndarray | None = None, **header: Any) -> Path:
    """Write with nibabel, then set header fields in the bytes themselves, past nibabel's repairs."""
    image = nib.Nifti1Image(array, np.diag([-1.0, -1, 1, 1]) if affine is None else affine)
    image.header.set_xyzt_units("mm", "sec")
    image.to_filename(path)
    if header:
        block = bytearray(path.read_bytes())
        fields = np.frombuffer(block, dtype=nib.nifti1.header_dtype, count=1)
        for name, value in header.items():
            fields[name] = value
        path.write_bytes(block)
    return path


def world(affine: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Positions of (N, 3) voxel indices."""
    return index @ affine[:3, :3].T + affine[:3, 3]
