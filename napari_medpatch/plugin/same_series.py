"""Many files of one DICOM series dropped or chosen at once are one volume, not one for each file."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source

_MOMENT_S = 3.0
"""napari hands over the files of one drop one after the other, and says nothing of the others."""


def files_of(source: object) -> frozenset[Path]:
    """Return the files that a DICOM series was read from; none of other sources."""
    slices: Iterable[Path | None] = getattr(source, "slice_files", ())
    return frozenset(path for path in slices if path is not None)


class JustOpened:
    """Remembers the series that was opened last, for as long as its other files keep coming."""

    def __init__(self) -> None:
        self._files: frozenset[Path] = frozenset()
        self._by, self._until = Path(), 0.0

    def note(self, path: str | os.PathLike[str], source: "Source") -> None:
        """Remember what was opened by a path."""
        self._files, self._by = files_of(source), Path(path)
        self._until = time.monotonic() + _MOMENT_S

    def covers(self, path: str | os.PathLike[str]) -> bool:
        """Whether a path is another file of that series; the same file again is meant to be opened again."""
        if Path(path) == self._by or Path(path) not in self._files or time.monotonic() > self._until:
            return False
        self._until = time.monotonic() + _MOMENT_S
        return True
