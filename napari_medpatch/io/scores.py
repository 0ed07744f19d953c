"""Probabilities of patches and images, as they are written to and read from files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

EXTRA_NAMES = ("uncertainty", "attention")
"""What files may hold per patch beside probabilities, in the order of their columns."""

Extras = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class PatchScores:
    """Scores of the patches of one image.

    Parameters
    ----------
    boxes : ndarray
        ``(N, 4) int64``, ``y0, x0, y1, x1`` in level-0 pixels.
    probabilities : ndarray
        ``(N, C) float32``.
    class_names : tuple of str
        One per column of ``probabilities``.
    extras : mapping of str to ndarray
        ``(N,) float32`` by name, of :data:`EXTRA_NAMES`: the spread of several looks at a patch; how much
        a multiple-instance model minds it, relative to the patch that it minds most (0…1).
    """

    boxes: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    class_names: tuple[str, ...]
    extras: Extras = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ImageScores:
    """Scores of the images of a folder.

    Parameters
    ----------
    files : tuple of str
        Paths relative to the folder, with ``/``.
    probabilities : ndarray
        ``(N, C) float32``.
    class_names : tuple of str
        One per column of ``probabilities``.
    extras : mapping of str to ndarray
        As in :class:`PatchScores`.
    """

    files: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    class_names: tuple[str, ...]
    extras: Extras = field(default_factory=dict)


def winners(probabilities: npt.NDArray[np.float32], threshold: float | None = None) -> npt.NDArray[np.int64]:
    """Return the class of each patch.

    Parameters
    ----------
    probabilities : ndarray
        ``(…, C) float32``; NaN where nothing was scored.
    threshold : float, optional
        Operating point of a binary model: the last class is taken from this probability on. By default
        the most probable class, or 0.5 where there is only one class.

    Returns
    -------
    ndarray
        ``(…) int64`` index of the class; -1 where nothing was scored, or a single class is below the
        threshold.
    """
    classes = probabilities.shape[-1]
    scored = np.isfinite(probabilities).all(axis=-1)
    filled: npt.NDArray[np.float32] = np.where(np.expand_dims(scored, -1), probabilities, np.float32(0))
    chosen: npt.NDArray[np.int64]
    if classes == 1:
        chosen = np.where(filled[..., 0] >= (0.5 if threshold is None else threshold), 0, -1)
    elif classes == 2 and threshold is not None:
        chosen = (filled[..., 1] >= threshold).astype(np.int64)
    else:
        chosen = filled.argmax(axis=-1)
    result: npt.NDArray[np.int64] = np.where(scored, chosen, -1).astype(np.int64)
    return result
