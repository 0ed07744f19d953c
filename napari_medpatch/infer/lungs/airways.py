"""Windpipe and main bronchi: air that is not lung.

Followed from the neck down in axial slices, then grown with rising threshold until it leaks into the lung (Mori et
al., *Automated extraction and visualization of bronchus from 3D CT images*, CVRMed 1995).
"""

from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.clean.work import Bools
from napari_medpatch.infer.working_grid import FloatArray

_AREA_MM2 = (25.0, 650.0)
_LONGEST_MM = 40.0
_DARK = -850.0
_CHAIN_MM = 16.0
_THRESHOLDS = np.arange(-980.0, -700.0, 20.0)
_MOST_ML = 140.0
_LEAK = 1.6
_LEAK_ML = 12.0
_WALL_MM = 2.0

Ints = npt.NDArray[np.int32]


def find_airways(hu: FloatArray, inside: Bools, edge_mm: float) -> Generator[float, None, Bools]:
    """Return windpipe and main bronchi with their walls, nothing if no windpipe is found.

    Parameters
    ----------
    hu : ndarray
        ``(Z, Y, X)`` float32, HU; z upwards.
    inside : ndarray
        Same shape, bool: air inside the patient.
    edge_mm : float
        Of a voxel.

    Yields
    ------
    float
        Share done.
    """
    from napari_medpatch.infer.clean.ball import Ball

    trachea = yield from _windpipe(hu, inside, edge_mm)
    if not trachea.any():
        return trachea
    tree = yield from _grown(hu, inside, trachea, edge_mm)
    # Thin branches inside the lung belong to it; windpipe and main bronchi are wide.
    wide = Ball(2 * edge_mm, (edge_mm,) * 3).opened(tree) | trachea
    yield 0.95
    return Ball(_WALL_MM, (edge_mm,) * 3).dilated(wide)


def _windpipe(hu: FloatArray, inside: Bools, edge_mm: float) -> Generator[float, None, Bools]:
    """Follow round, dark pieces of slices downwards; return the best chain of them."""
    from scipy.ndimage import label

    chains: list[list[tuple[int, Bools]]] = []
    open_chains: list[list[tuple[int, Bools]]] = []
    height = _lowest_start(inside)
    for z in range(len(inside) - 1, -1, -1):
        numbers, count = label(inside[z])
        rounds = _round_pieces(numbers, count, hu[z], edge_mm)
        open_chains, ended = _continued(open_chains, [(z, piece) for piece in rounds], start=z >= height)
        chains += ended
        yield 0.4 * (len(inside) - z) / len(inside)
    chains += open_chains
    result = np.zeros_like(inside)
    long = [chain for chain in chains if len(chain) * edge_mm >= _CHAIN_MM]
    if long:
        for z, piece in max(long, key=len):
            result[z] |= piece
    return result


def _lowest_start(inside: Bools) -> int:
    """Return the slice below which no windpipe begins: half of all air lies above it."""
    heights = np.cumsum(np.count_nonzero(inside, axis=(1, 2)))
    return int(np.searchsorted(heights, heights[-1] / 2)) if len(heights) else 0


def _round_pieces(numbers: Ints, count: int, hu: FloatArray, edge_mm: float) -> list[Bools]:
    from scipy.ndimage import find_objects

    found = []
    sizes = np.bincount(numbers.ravel(), minlength=count + 1) * edge_mm**2
    for index, box in enumerate(find_objects(numbers), start=1):
        if box is None or not _AREA_MM2[0] <= sizes[index] <= _AREA_MM2[1]:
            continue
        height, width = ((part.stop - part.start) * edge_mm for part in box)
        piece = numbers == index
        compact = sizes[index] > 0.45 * height * width
        if compact and max(height, width) <= min(_LONGEST_MM, 2.6 * min(height, width)) and hu[piece].min() < _DARK:
            found.append(piece)
    return found


def _continued(
    chains: list[list[tuple[int, Bools]]], pieces: list[tuple[int, Bools]], *, start: bool
) -> tuple[list[list[tuple[int, Bools]]], list[list[tuple[int, Bools]]]]:
    """Add each piece to the chain that it lies under; return chains that go on and chains that ended."""
    going, used = [], set()
    for chain in chains:
        for index, (_, piece) in enumerate(pieces):
            if index not in used and (chain[-1][1] & piece).any():
                chain.append(pieces[index])
                used.add(index)
                going.append(chain)
                break
    ended = [chain for chain in chains if not any(chain is other for other in going)]
    if start:
        going += [[piece] for index, piece in enumerate(pieces) if index not in used]
    return going, ended


def _grown(hu: FloatArray, inside: Bools, seed: Bools, edge_mm: float) -> Generator[float, None, Bools]:
    """Let the windpipe grow into ever denser voxels until it leaks."""
    from scipy.ndimage import label

    voxel_ml = edge_mm**3 / 1000
    best, before = seed, float(np.count_nonzero(seed)) * voxel_ml
    for index, threshold in enumerate(_THRESHOLDS):
        numbers, _ = label((inside & (hu < threshold)) | seed)
        wanted = np.unique(numbers[seed])
        tree = np.isin(numbers, wanted[wanted > 0])
        size = float(np.count_nonzero(tree)) * voxel_ml
        if size > min(_MOST_ML, _LEAK * before + _LEAK_ML):
            break
        best, before = tree, size
        yield 0.4 + 0.5 * (index + 1) / len(_THRESHOLDS)
    return best
