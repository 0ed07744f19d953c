"""Which voxels of a paired organ are on the patient's left."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.infer.clean.pieces import Pieces
from napari_medpatch.infer.clean.work import Bools
from napari_medpatch.infer.clean.work import slabs as cut
from napari_medpatch.infer.resample import from_working, gather_steps
from napari_medpatch.infer.working_grid import WorkingGrid
from napari_medpatch.steps import part_of

_COARSE = 2.5
"""mm at which a waist is looked for; finer would be slower, not better."""
_SECOND = 0.08
"""Smallest share of the larger side that the other may have: a shrunken lung is still a lung."""
_APART = 0.2
"""Distance of two sides' centres as a share of the organ's width, so that two lobes of one side are no pair."""
_ONE_SIDED = 0.9

_CUT = "it is one piece without a waist, so it was cut at the middle of its width."
_SINGLE = "it lies on one side of the scan, so all of it was taken for the {side} one."


@dataclass(frozen=True, slots=True)
class Sides:
    """Where the left is.

    Parameters
    ----------
    slabs : callable
        Yields slabs of the first axis and where they are left, ``bool``; outside the organ it means nothing.
    note : str
        What the user should know, empty if it was clear.
    """

    slabs: Callable[[], Iterator[tuple[slice, Bools]]]
    note: str = ""


def find_sides(inside: Bools, voxel: Sequence[float], unit: str, first: int, width: int) -> Iterator[float | Sides]:
    """Find the left of an organ; yields shares done and, last, the :class:`Sides`.

    Parameters
    ----------
    inside : ndarray
        ``(Z, Y, X)`` bool, the organ in its bounding box; x runs to the patient's left.
    voxel : sequence of float
        Edges of a voxel.
    unit : str
        Theirs.
    first, width : int
        Where the box begins along x, and the size of the scan along x.
    """
    pieces = Pieces(inside)
    yield from (0.3 * share for share in pieces.find())
    centres = _centres(pieces)
    pair = _pair(pieces.sizes, centres, inside.shape[2])
    if pair is not None:
        yield _by_pieces(pieces, centres, pair)
        return
    yield 0.4
    waist = yield from _at_waist(inside, voxel if unit == "mm" else (1.0,) * 3)
    yield waist if waist is not None else _by_middle(inside, first, width)


def _centres(pieces: Pieces) -> npt.NDArray[np.float64]:
    """Return the mean x of each piece."""
    sums = np.zeros(len(pieces.sizes))
    for _, number in pieces.numbered():
        x = np.broadcast_to(np.arange(number.shape[2], dtype=np.float64), number.shape)
        sums += np.bincount(number.ravel(), weights=x.ravel(), minlength=len(sums))
    return np.asarray(sums / np.maximum(pieces.sizes, 1))


def _pair(sizes: npt.NDArray[np.int64], centres: npt.NDArray[np.float64], width: int) -> tuple[int, int] | None:
    """Return the numbers of the right and left main pieces, None if one side is missing."""
    order = [int(number) for number in np.argsort(-sizes, kind="stable") if number > 0]
    if not order:
        return None
    main = order[0]
    for other in order[1:]:
        if sizes[other] < _SECOND * sizes[main]:
            break
        if abs(centres[main] - centres[other]) >= _APART * width:
            return (main, other) if centres[main] < centres[other] else (other, main)
    return None


def _by_pieces(pieces: Pieces, centres: npt.NDArray[np.float64], pair: tuple[int, int]) -> Sides:
    middle = float(centres[list(pair)].mean())
    left = centres > middle
    left[pair[0]], left[pair[1]] = False, True

    def slabs() -> Iterator[tuple[slice, Bools]]:
        for rows, number in pieces.numbered():
            yield rows, left[number]

    return Sides(slabs)


def _at_waist(inside: Bools, voxel: Sequence[float]) -> Generator[float, None, Sides | None]:
    """Cut one piece in two where it is thinnest; returns None if it has no waist."""
    steps = [max(1.0, _COARSE / edge) for edge in voxel]
    grid = WorkingGrid.centred(inside.shape, steps)
    shares = yield from part_of(gather_steps(lambda a, b: inside[a:b], grid), 0.4, 0.2)
    edges = [step * edge for step, edge in zip(steps, voxel, strict=True)]
    seeds = _seeds(shares >= 0.5, edges)
    yield 0.8
    if seeds is None:
        return None
    from skimage.segmentation import watershed

    depth, markers = seeds
    # Beyond the organ too, so that every fine voxel has a side.
    basins = watershed(-depth, markers)
    yield 0.9
    field = np.where(basins == 2, 1.0, -1.0).astype(np.float32)[None]

    def slabs() -> Iterator[tuple[slice, Bools]]:
        for rows in cut(inside.shape):
            box = Box((rows.start, 0, 0), (rows.stop, *inside.shape[1:]))
            need = grid.working_box(box)
            yield rows, from_working(field[(slice(None), *need.slices)], grid, box, origin=need.start)[0] > 0

    return Sides(slabs)


def _seeds(coarse: Bools, edges: Sequence[float]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]] | None:
    """Return the distance to the border in mm and seeds, 1 right and 2 left, at the first depth that parts them."""
    from scipy.ndimage import distance_transform_edt, label

    # What lies beyond the box is outside: the organ ends there.
    depth = distance_transform_edt(np.pad(coarse, 1), sampling=edges)[1:-1, 1:-1, 1:-1]
    step = min(edges)
    for level in np.arange(step, depth.max(), step):
        labels, count = label(depth > level)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        sizes[0] = 0
        x = np.broadcast_to(np.arange(coarse.shape[2], dtype=np.float64), coarse.shape)
        centres = np.bincount(labels.ravel(), weights=x.ravel(), minlength=count + 1) / np.maximum(sizes, 1)
        pair = _pair(sizes, centres, coarse.shape[2])
        if pair is not None:
            markers = np.zeros(coarse.shape, np.int32)
            markers[labels == pair[0]], markers[labels == pair[1]] = 1, 2
            return depth, markers
    return None


def _by_middle(inside: Bools, first: int, width: int) -> Sides:
    """Give all to one side if the organ lies there, else cut it at the middle of its own width."""
    profile = inside.sum(axis=(0, 1))
    middle = (width - 1) / 2 - first
    x = np.arange(inside.shape[2])
    share = float(profile[x > middle].sum()) / max(1, int(profile.sum()))
    if share >= _ONE_SIDED or share <= 1 - _ONE_SIDED:
        cut = -1.0 if share >= _ONE_SIDED else float(inside.shape[2])
        note = _SINGLE.format(side="left" if cut < 0 else "right")
    else:
        cut, note = (inside.shape[2] - 1) / 2, _CUT
    left = np.broadcast_to(x > cut, inside.shape)

    def slabs() -> Iterator[tuple[slice, Bools]]:
        yield slice(0, len(left)), left

    return Sides(slabs, note)
