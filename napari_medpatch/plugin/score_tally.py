"""What is known of a run's patches so far, counted so that a window can ask ten times a second."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 50
"""Of the histogram of probabilities, from 0 to 1."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ScoreTally:
    """Probabilities on the patch grid, filled batch by batch.

    Parameters
    ----------
    rows, cols : int
        Of the patch grid.
    class_names : sequence of str
        Of the model.
    extra_names : sequence of str
        What else is known of each patch: ``"uncertainty"``, ``"attention"``.

    Attributes
    ----------
    values : ndarray
        ``(C, rows, cols) float32``, NaN where not scored. Class first, so that each class is one
        contiguous picture. Layers draw these very arrays.
    extras : dict of str to ndarray
        ``(rows, cols) float32`` by name, as the job gave them.
    scored : int
        Patches scored.
    """

    def __init__(self, rows: int, cols: int, class_names: Sequence[str], extra_names: Sequence[str] = ()) -> None:
        self.class_names = tuple(class_names)
        self.values = np.full((len(self.class_names), rows, cols), np.nan, np.float32)
        self.extras = {name: np.full((rows, cols), np.nan, np.float32) for name in extra_names}
        self.scored = 0
        self._counts = np.zeros((len(self.class_names), BINS), np.int64)

    def put(
        self,
        cells: npt.NDArray[np.int64],
        probabilities: npt.NDArray[np.float32],
        extras: Mapping[str, npt.NDArray[np.float32]] = _NOTHING,
    ) -> None:
        """Take a batch in.

        Parameters
        ----------
        cells : ndarray
            ``(N, 2) int64``, row and column; none twice. Those scored before are replaced.
        probabilities : ndarray
            ``(N, C) float32``.
        extras : mapping
            ``(N,) float32`` by name.
        """
        rows, cols = cells[:, 0], cells[:, 1]
        before = self.values[:, rows, cols]
        self._count(before, -1)
        self._count(probabilities.T, 1)
        self.scored += len(cells) - int(np.isfinite(before).all(axis=0).sum())
        self.values[:, rows, cols] = probabilities.T
        for name, target in self.extras.items():
            if name in extras:
                target[rows, cols] = extras[name]

    def replace(
        self, probabilities: npt.NDArray[np.float32], extras: Mapping[str, npt.NDArray[np.float32]] = _NOTHING
    ) -> None:
        """Take the final ``(rows, cols, C)`` map in, in place."""
        self.values[...] = np.moveaxis(probabilities, -1, 0)
        for name, target in self.extras.items():
            if name in extras:
                target[...] = extras[name]
        self._counts[...] = 0
        self._count(self.values.reshape(len(self.class_names), -1), 1)
        self.scored = int(np.isfinite(self.values).all(axis=0).sum())

    def histogram(self, name: str) -> npt.NDArray[np.int64]:
        """Return how many patches lie in each of the ``BINS`` bins; of an extra, as :meth:`shown` gives it."""
        if name in self.class_names:
            return self._counts[self.class_names.index(name)]
        return np.bincount(_bins(self.shown(name)), minlength=BINS)

    def above(self, name: str, threshold: float) -> int:
        """Return how many patches have a value of at least ``threshold``."""
        return int(np.count_nonzero(self.shown(name) >= np.float32(threshold)))

    def shown(self, name: str) -> npt.NDArray[np.float32]:
        """Return ``(rows, cols)``: a class's probabilities themselves, or an extra as it is drawn, 0 to 1.

        Attention logits become weights relative to the highest, as in files.
        """
        if name in self.class_names:
            return self.values[self.class_names.index(name)]
        values = self.extras[name]
        if name != "attention":
            return values
        from napari_medpatch.infer.attention import relative_attention

        return relative_attention(values)

    def class_map(self, threshold: float | None) -> npt.NDArray[np.uint8]:
        """Return ``(rows, cols) uint8``: 0 nothing, 1… classes; see :func:`napari_medpatch.io.scores.winners`."""
        from napari_medpatch.patches.stitch import class_map

        return class_map(np.moveaxis(self.values, 0, -1), threshold)

    def _count(self, values: npt.NDArray[np.float32], sign: int) -> None:
        for counts, each in zip(self._counts, values, strict=True):
            counts += sign * np.bincount(_bins(each), minlength=BINS)


def _bins(values: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return the bin of each finite value."""
    known = values[np.isfinite(values)]
    return np.clip((known * BINS).astype(np.int64), 0, BINS - 1)
