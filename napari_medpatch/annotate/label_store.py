"""Painted labels on disk: one file, written whole or not at all, in well under a second.

The file is a ZIP archive that ``numpy.load`` reads too: ``labels.npy`` and ``about.json`` (class names,
colours, where the labels lie). One file rather than an array and a description, so that the two can never
disagree after a crash.
"""

import json
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import DamagedFileError
from napari_medpatch.geometry import GridTransform
from napari_medpatch.io.atomic import atomic_file

SUFFIX = ".npz"
_ARRAY, _ABOUT = "labels.npy", "about.json"
# Labels are mostly zero: the fastest level already shrinks them a hundredfold.
_LEVEL = 1


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
    with (
        atomic_file(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive,
    ):
        archive.writestr(_ABOUT, json.dumps(about, ensure_ascii=False))
        with archive.open(_ARRAY, "w", force_zip64=True) as member:
            np.lib.format.write_array(member, labels.labels, allow_pickle=False)


def read_label_file(path: Path) -> SavedLabels:
    """Read a label file.

    Raises
    ------
    DamagedFileError
        If the file is truncated, altered or none of ours.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read(_ABOUT))
            with archive.open(_ARRAY) as member:
                array = np.lib.format.read_array(member, allow_pickle=False)
        labels = SparseLabels(array, tuple(about["class_names"]), tuple(about["colours"]))
        transform = GridTransform(tuple(about["scale"]), tuple(about["translate"])) if "scale" in about else None
        return SavedLabels(labels, path.name.removesuffix(SUFFIX), transform, str(about["saved"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedFileError(f"The saved labels {path} cannot be read ({error}); delete or restore them.") from error
