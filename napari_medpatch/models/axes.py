"""Directions of array axes by letters, as nibabel and MONAI write them: ``"RAS"`` is right, anterior, superior."""

from napari_medpatch.errors import BundleError

OWN_AXES = "SPL"
"""Volumes here: z to superior, y to posterior, x to left."""
_PAIRS = {"L": "LR", "R": "LR", "A": "AP", "P": "AP", "S": "SI", "I": "SI"}


def own_axes(slice_axis: int | None) -> str:
    """Return the letters of the axes that a network sees; those of the plane where slices are independent."""
    return OWN_AXES if slice_axis is None else OWN_AXES[:slice_axis] + OWN_AXES[slice_axis + 1 :]


def axis_moves(have: str, want: str) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Say how to bring an array to another orientation.

    Parameters
    ----------
    have, want : str
        A letter per axis: the direction in which its index grows.

    Returns
    -------
    order : tuple of int
        For each wanted axis, which axis of the array it is.
    flipped : tuple of bool
        For each axis of the array, whether it is reversed.

    Raises
    ------
    BundleError
        If ``want`` does not name each axis of ``have`` once.
    """
    pairs = [_PAIRS.get(letter) for letter in have]
    wanted = [_PAIRS.get(letter) for letter in want]
    if sorted(map(str, pairs)) != sorted(map(str, wanted)):
        raise BundleError(f"The orientation {want!r} does not name each axis of {have!r} once; RAS or LPS would.")
    order = tuple(pairs.index(pair) for pair in wanted)
    flipped = [False] * len(have)
    for axis, letter in zip(order, want, strict=True):
        flipped[axis] = have[axis] != letter
    return order, tuple(flipped)
