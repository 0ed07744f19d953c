"""Painted labels on disk: one file, written whole or not at all, in well under a second.

It holds the labels, class names, colours, where the labels lie, and where each came from unless all was painted.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import DamagedFileError
from napari_medpatch.geometry import GridTransform
from napari_medpatch.io.array_archive import BAD_ARCHIVE, read_array_archive, read_further_array, write_array_archive

SUFFIX = ".npz"
_ARRAY = "labels"
_ORIGINS = "origins"


@dataclass(frozen=True, slots=True)
class SavedLabels:
    """Labels as they were saved.

    Parameters
    ----------
    labels : SparseLabels
        What was painted.
    name : str
        Name in the project.
    transform : GridTransform or None
        Where the labels lie over their image; None is the image's own grid.
    saved : str
        Date and time, ISO 8601, UTC.
    """

    labels: SparseLabels
    name: str
    transform: GridTransform | None
    saved: str


def write_label_file(path: Path, labels: SparseLabels, transform: GridTransform | None = None) -> None:
    """Write a label file atomically.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full; the previous file is kept.
    """
    about: dict[str, Any] = {
        "class_names": list(labels.class_names),
        "colours": list(labels.colours),
        "saved": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    if transform is not None:
        about |= {"scale": list(transform.scale), "translate": list(transform.translate)}
    more = {} if labels.origins is None else {_ORIGINS: labels.origins}
    write_array_archive(path, _ARRAY, labels.labels, about, more)


def read_label_file(path: Path) -> SavedLabels:
    """Read a label file.

    Raises
    ------
    DamagedFileError
        If the file is truncated, altered or none of ours.
    """
    try:
        array, about = read_array_archive(path, _ARRAY)
        names, colours = tuple(about["class_names"]), tuple(about["colours"])
        labels = SparseLabels(array, names, colours, read_further_array(path, _ORIGINS))
        transform = GridTransform(tuple(about["scale"]), tuple(about["translate"])) if "scale" in about else None
        return SavedLabels(labels, path.name.removesuffix(SUFFIX), transform, str(about["saved"]))
    except BAD_ARCHIVE as error:
        raise DamagedFileError(f"The saved labels {path} cannot be read ({error}); delete or restore them.") from error
