"""Sparse labels that a command names."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medpatch.annotate.sparse import SparseLabels
    from napari_medpatch.io.source import Source

_BACKGROUND = "background"


def read_sparse_labels(
    path: str, source: "Source", foreground: Sequence[str] | None = None, origins: Path | None = None
) -> "SparseLabels":
    """Read labels painted on an image.

    Parameters
    ----------
    path : str
        Label file on the image's grid: 0 unlabelled, 1 background, 2… classes.
    source : Source
        The image.
    foreground : sequence of str, optional
        Names of the values 2, 3, …; by default those that the file gives, or "class 1", "class 2"….
    origins : Path, optional
        Where each label comes from, on the same grid: 1 painted, 2 interpolated, 3 predicted.
    """
    from napari_medpatch.annotate.sparse import SparseLabels
    from napari_medpatch.io.labels_file import read_labels

    array = read_labels(path, source)
    names = tuple(foreground or _names(Path(path), max(1, int(array.max()) - 1)))
    return SparseLabels(array, (_BACKGROUND, *names), origins=read_labels(origins, source) if origins else None)


def _names(path: Path, count: int) -> tuple[str, ...]:
    """Return the names that a file gives to the values 2, 3, …, and others where it gives none."""
    given = _names_of(path)
    return (*given, *(f"class {n}" for n in range(len(given) + 1, count + 1)))


def _names_of(path: Path) -> tuple[str, ...]:
    """Return the names that a file gives to the values 2, 3, …; the user is told if it seems to be a mask."""
    from napari_medpatch.io.mask_note import mask_note

    first, *others = mask_note(path).class_names or (_BACKGROUND,)
    if first.casefold() == _BACKGROUND:
        return tuple(others)
    sys.stderr.write(
        f"{path.name}: the value 1 is called {first} there; it is taken for background, as in all sparse labels "
        "(0 unlabelled, 1 background, 2… classes).\n"
    )
    return ()
