"""A tissue mask on disk: one file, written whole or not at all.

It holds the mask and where that lies, how it was found, on which image, and whether the user edited it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.array_archive import BAD_ARCHIVE, read_array_archive, write_array_archive
from napari_medpatch.patches.tissue import TissueMask

_ARRAY = "mask"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class TissueRecord:
    """A mask and where it comes from.

    Parameters
    ----------
    tissue : TissueMask
        The mask.
    method : str
        Name of the segmentation in :data:`napari_medpatch.patches.tissue_methods.TISSUE_METHODS`.
    version : int
        Of the method.
    image : mapping
        :func:`napari_medpatch.io.fingerprint.fingerprint` of the image.
    edited : bool
        Whether the user corrected it.
    saved : str
        Date and time, ISO 8601, UTC; empty before it is written.
    """

    tissue: TissueMask
    method: str
    version: int
    image: Mapping[str, Any]
    edited: bool = False
    saved: str = ""


def write_tissue(path: Path, record: TissueRecord) -> None:
    """Write a tissue file atomically.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full; the previous file is kept.
    """
    about = {
        "format": _FORMAT,
        "downsample": list(record.tissue.downsample),
        "outlined": record.tissue.outlined,
        "method": record.method,
        "version": record.version,
        "image": dict(record.image),
        "edited": record.edited,
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_array_archive(path, _ARRAY, np.asarray(record.tissue.mask, bool), about)


def read_tissue(path: Path) -> TissueRecord:
    """Read a tissue file.

    Raises
    ------
    DamagedFileError
        If the file is truncated, altered or none of ours.
    """
    try:
        mask, about = read_array_archive(path, _ARRAY)
        y, x = (float(value) for value in about["downsample"])
        if mask.dtype != bool or mask.ndim != 2:
            raise ValueError(f"{mask.dtype} of {mask.ndim} axes is no mask")
        tissue = TissueMask(mask, (y, x), bool(about["outlined"]))
        return TissueRecord(
            tissue, str(about["method"]), int(about["version"]), dict(about["image"]), bool(about["edited"]),
            str(about["saved"]),
        )  # fmt: skip
    except BAD_ARCHIVE as error:
        raise DamagedFileError(f"The saved tissue mask {path} cannot be read ({error}); delete it.") from error
