"""How much each step changed, by class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_medpatch.infer.clean.work import Mask, slabs


@dataclass(frozen=True, slots=True)
class StepChange:
    """What one step did.

    Parameters
    ----------
    step : str
        Its text.
    added, removed : mapping of str to int
        Voxels by class; classes that did not change are absent.
    voxel_ml : float or None
        Volume of a voxel, where it is known.
    """

    step: str
    added: Mapping[str, int]
    removed: Mapping[str, int]
    voxel_ml: float | None = None

    def to_record(self) -> dict[str, Any]:
        """Return JSON for provenance."""
        record: dict[str, Any] = {"step": self.step, "added": dict(self.added), "removed": dict(self.removed)}
        if self.voxel_ml is not None:
            record["added_ml"] = {name: round(count * self.voxel_ml, 3) for name, count in self.added.items()}
            record["removed_ml"] = {name: round(count * self.voxel_ml, 3) for name, count in self.removed.items()}
        return record

    def in_words(self) -> str:
        """Return ``"smooth:1mm: lung +1.2 −0.8 ml"``."""
        names = list(dict.fromkeys([*self.added, *self.removed]))
        parts = [f"{name} {self._amount(name)}" for name in names]
        return f"{self.step}: {', '.join(parts) if parts else 'nothing changed'}"

    def _amount(self, name: str) -> str:
        signed = [("+", self.added.get(name, 0)), ("−", self.removed.get(name, 0))]
        if self.voxel_ml is None:
            return " ".join(f"{sign}{count:,}" for sign, count in signed if count) + " px"
        return " ".join(f"{sign}{_ml(count * self.voxel_ml)}" for sign, count in signed if count) + " ml"


def compare(
    step: str, before: Mask, after: Mask, names: tuple[Sequence[str], Sequence[str]], voxel_ml: float | None
) -> StepChange:
    """Count what a step changed.

    Parameters
    ----------
    step : str
        Its text.
    before, after : ndarray
        ``(*spatial)`` uint8.
    names : tuple of sequence of str
        Classes before and after.
    voxel_ml : float or None
        Volume of a voxel.
    """
    table = np.zeros(65536, np.int64)
    for rows in slabs(before.shape):
        one, other = before[rows], after[rows]
        # Renamed classes count as changed everywhere, so that all voxels are looked at then.
        where = slice(None) if names[0] != names[1] else one != other
        table += np.bincount(one[where].ravel().astype(np.uint16) * 256 + other[where].ravel(), minlength=65536)
    old, new = (("background", *each) for each in names)
    added: dict[str, int] = {}
    removed: dict[str, int] = {}
    for pair in np.flatnonzero(table):
        was, became = old[pair // 256], new[pair % 256]
        if was == became:
            continue
        for name, counts, real in ((was, removed, pair // 256), (became, added, pair % 256)):
            if real:
                counts[name] = counts.get(name, 0) + int(table[pair])
    return StepChange(step, added, removed, voxel_ml)


def _ml(volume: float) -> str:
    return f"{volume:,.0f}" if volume >= 100 else f"{volume:.3g}"
