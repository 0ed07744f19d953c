"""What a segmentation file says of its segments: names, colours, and how they were made."""

from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.io.dicom_seg_reading import SegFile, is_dicom_seg
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.read_volume import header_fields, segment_names


def segment_labels(path: Path) -> tuple[str, ...]:
    """Return the names of the values 1, 2, … of a DICOM-SEG or a segmentation of 3D Slicer; nothing for other files."""
    return SegFile(path).names if is_dicom_seg(path) else segment_names(header_fields(path))


def seg_note(path: Path) -> ExportNote:
    """Return what a DICOM-SEG says of its segments, as other files of masks say it in a note of ours.

    Parameters
    ----------
    path : Path
        A DICOM-SEG.

    Returns
    -------
    ExportNote
        Class names; and as provenance ``made_by``, ``model``, ``version`` and ``family`` of all segments together, and
        under ``segments`` of each of them by name. Segments that were made in different ways are, taken together,
        semiautomatic.
    """
    file = SegFile(path)
    made = {name: facts for name, facts in file.made.items() if "made_by" in facts}
    return ExportNote("mask", file.names, _together(list(made.values())) | {"segments": made} if made else {})


def segment_colours(path: Path) -> tuple[str, ...]:
    """Return ``#rrggbb`` of the values 1, 2, …; empty text where the file gives a segment none."""
    if is_dicom_seg(path):
        return SegFile(path).colours
    fields = header_fields(path)
    chosen: dict[int, str] = {}
    for index in range(len(fields)):
        value, parts = fields.get(f"Segment{index}_LabelValue", ""), fields.get(f"Segment{index}_Color", "").split()
        if value.isdigit() and len(parts) == 3:
            chosen[int(value)] = _hex(parts)
    return tuple(chosen.get(value, "") for value in range(1, max(chosen, default=0) + 1))


def _together(made: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what holds for all segments; the way they were made is told in any case."""
    common = {key: value for key, value in made[0].items() if all(other.get(key) == value for other in made)}
    return {"made_by": "semiautomatic"} | common


def _hex(parts: list[str]) -> str:
    """Return three shares from 0 to 1 as ``#rrggbb``, empty text if they are none."""
    try:
        shares = np.array([float(part) for part in parts]).clip(0, 1)
    except ValueError:
        return ""
    return "#{:02x}{:02x}{:02x}".format(*np.rint(shares * 255).astype(int))
