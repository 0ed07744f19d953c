"""Sparse labels that a command names."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medpatch.annotate.sparse import SparseLabels
    from napari_medpatch.io.source import Source


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
        Names of the values 2, 3, …; "class 1", "class 2"… without them.
    origins : Path, optional
        Where each label comes from, on the same grid: 1 painted, 2 interpolated, 3 predicted.
    """
    from napari_medpatch.annotate.sparse import SparseLabels
    from napari_medpatch.io.labels_file import read_labels

    array = read_labels(path, source)
    names = foreground or tuple(f"class {n}" for n in range(1, max(2, int(array.max()))))
    return SparseLabels(array, ("background", *names), origins=read_labels(origins, source) if origins else None)
