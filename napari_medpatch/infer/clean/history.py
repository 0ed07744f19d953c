"""Undo and redo of clean-ups, as many as were done."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.clean.changes import StepChange
from napari_medpatch.infer.clean.delta import MaskDelta


@dataclass(frozen=True, slots=True)
class CleanRecord:
    """One clean-up that was applied to a mask.

    Parameters
    ----------
    delta : MaskDelta
        What changed.
    names_before, names_after : tuple of str
        Classes.
    changes : tuple of StepChange
        What each step did.
    """

    delta: MaskDelta
    names_before: tuple[str, ...]
    names_after: tuple[str, ...]
    changes: tuple[StepChange, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return the steps and what each changed, JSON-serialisable, for provenance."""
        return {"steps": [change.to_record() for change in self.changes], "class_names": list(self.names_after)}

    def in_words(self) -> str:
        """Return a line per step: what it changed."""
        return "\n".join(change.in_words() for change in self.changes)


@dataclass(slots=True)
class CleanHistory:
    """What was done to one mask, and what was undone."""

    done: list[CleanRecord] = field(default_factory=list)
    undone: list[CleanRecord] = field(default_factory=list)

    def add(self, record: CleanRecord) -> None:
        """Remember a clean-up that has been applied; what was undone before cannot be redone any more."""
        self.done.append(record)
        self.undone.clear()

    def undo(self, mask: npt.NDArray[np.generic]) -> tuple[CleanRecord, int]:
        """Take the last clean-up back, in place.

        Returns
        -------
        record : CleanRecord
            What was undone.
        stayed : int
            Voxels that someone painted since and that therefore stay.
        """
        record = self.done.pop()
        self.undone.append(record)
        return record, record.delta.undo(mask)

    def redo(self, mask: npt.NDArray[np.generic]) -> tuple[CleanRecord, int]:
        """Apply the clean-up that was undone last; returns as :meth:`undo`."""
        record = self.undone.pop()
        self.done.append(record)
        return record, record.delta.redo(mask)

    def records(self) -> list[dict[str, Any]]:
        """Return what is in force, for provenance."""
        return [each.to_record() for each in self.done]
