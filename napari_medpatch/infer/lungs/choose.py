"""Which pieces of air inside the patient are lung: not bowel gas, sinuses, cushions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.clean.ball import Ball
from napari_medpatch.infer.clean.work import Bools
from napari_medpatch.infer.lungs.air import Air
from napari_medpatch.infer.working_grid import FloatArray

_GAS_ABOVE_AIR = 32.0
"""Gas is as dark as the air around the patient, lung even in emphysema is not."""
_CORE_MM = 4.0
_IN_BODY = 0.6
_VESSELS = 0.01
_THICK_MM = 20.0
"""Lung at the edge of the picture has vessels in it or is thick, a cushion or the core of a table is neither."""
_FREE = 0.1
"""Around lung is tissue of some thickness; around a cushion, also one in a thin skin, is in part air."""
_SHELL_MM = 14.0
_RIND_MM = 4.0
"""What was taken from a piece before, to part it from others."""
_SHARE = 0.02
_LARGE_ML = 500.0
_ABOVE_MM = 20.0

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Piece:
    """One piece of air, in its bounding box."""

    number: int
    ml: float
    box: tuple[slice, ...]


def choose_lungs(hu: FloatArray, numbers: Ints, air: Air, body: Bools, edge_mm: float, smallest_ml: float) -> list[int]:
    """Return the numbers of the pieces that are lung, largest first.

    Parameters
    ----------
    hu : ndarray
        ``(Z, Y, X)`` float32, HU.
    numbers : ndarray
        Same shape, int: pieces of air inside the patient.
    air : Air
        Air around the patient.
    body : ndarray
        Same shape, bool: the patient.
    edge_mm : float
        Of a voxel.
    smallest_ml : float
        Smaller pieces are none.
    """
    sizes = np.bincount(numbers.ravel()) * edge_mm**3 / 1000
    pieces = [piece for piece in _pieces(numbers, sizes) if piece.ml >= smallest_ml]
    lungs = [piece for piece in pieces if _is_lung(hu, numbers, air, body, edge_mm, piece)]
    lungs.sort(key=lambda piece: -piece.ml)
    if not lungs:
        return []
    return [piece.number for piece in lungs if _is_beside(piece, lungs[0], edge_mm)]


def _pieces(numbers: Ints, sizes: npt.NDArray[np.float64]) -> list[_Piece]:
    from scipy.ndimage import find_objects

    return [
        _Piece(number, float(sizes[number]), box)
        for number, box in enumerate(find_objects(numbers), start=1)
        if box is not None
    ]


def _is_lung(hu: FloatArray, numbers: Ints, air: Air, body: Bools, edge_mm: float, piece: _Piece) -> bool:
    inside = numbers[piece.box] == piece.number
    values = hu[piece.box]
    core = Ball(_CORE_MM, (edge_mm,) * 3).eroded(np.pad(inside, 1))[1:-1, 1:-1, 1:-1]
    if not core.any() or float(np.median(values[core])) < air.level + _GAS_ABOVE_AIR:
        return False
    if np.count_nonzero(body[piece.box] & inside) >= _IN_BODY * np.count_nonzero(inside):
        return True
    shell, around = _shell(numbers, piece, edge_mm)
    beyond = shell & air.beyond[around]
    free = bool(np.count_nonzero(shell & air.outside[around]) <= _FREE * np.count_nonzero(shell & ~beyond))
    cut = _is_cut(piece, numbers.shape, edge_mm) or bool(beyond.any())
    return cut and free and (_has_vessels(inside, edge_mm) or _is_thick(inside, edge_mm))


def _is_cut(piece: _Piece, shape: tuple[int, ...], edge_mm: float) -> bool:
    """Return whether a piece reaches the edge of the picture within its slices, but for its rind."""
    near = int(_RIND_MM / edge_mm)
    return any(part.start <= near or part.stop >= n - near for part, n in zip(piece.box[1:], shape[1:], strict=True))


def _shell(numbers: Ints, piece: _Piece, edge_mm: float) -> tuple[Bools, tuple[slice, ...]]:
    """Return what lies around a piece, beyond its rind, and the box of that."""
    far = int(_SHELL_MM / edge_mm) + 1
    around = tuple(
        slice(max(0, part.start - far), min(size, part.stop + far))
        for part, size in zip(piece.box, numbers.shape, strict=True)
    )
    inside, voxel = numbers[around] == piece.number, (edge_mm,) * 3
    return Ball(_SHELL_MM, voxel).dilated(inside) & ~Ball(_RIND_MM, voxel).dilated(inside), around


def _has_vessels(inside: Bools, edge_mm: float) -> bool:
    closed = Ball(_CORE_MM, (edge_mm,) * 3).closed(inside)
    return bool(np.count_nonzero(closed & ~inside) >= _VESSELS * np.count_nonzero(inside))


def _is_thick(inside: Bools, edge_mm: float) -> bool:
    """Return whether a ball fits in that is larger than the top of a table is thick; the picture's edge is open."""
    return bool(Ball(_THICK_MM, (edge_mm,) * 3).eroded(inside).any())


def _is_beside(piece: _Piece, largest: _Piece, edge_mm: float) -> bool:
    """Refuse crumbs beside a large lung, and what lies entirely below or well above it."""
    if largest.ml < _LARGE_ML:
        return True
    rows, own = largest.box[0], piece.box[0]
    high_enough = own.stop > rows.start
    low_enough = own.start < rows.stop + _ABOVE_MM / edge_mm
    return piece.ml >= _SHARE * largest.ml and high_enough and low_enough
