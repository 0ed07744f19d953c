"""Read volumes of any format, with what files of this package and of 3D Slicer say about their values."""

import re
from collections.abc import Mapping
from pathlib import Path

from napari_medpatch.errors import WrongKindError
from napari_medpatch.io.export_note import KEY, ExportNote
from napari_medpatch.io.labels_file import is_nifti
from napari_medpatch.io.memory import MemorySource
from napari_medpatch.io.nifti_export import read_nifti_note
from napari_medpatch.io.png_series import is_png_series
from napari_medpatch.io.png_series_reading import PngSeriesSource
from napari_medpatch.io.reading import reading

_HEADER_BYTES = 1 << 20


def read_volume_file(path: Path, volume_index: int | None = None) -> MemorySource:
    """Open a volume, folders of PNG slices included.

    Raises
    ------
    WrongKindError
        If it is a slide or a photograph.
    """
    from napari_medpatch.io.detect import open_source

    source = open_source(path, volume_index=volume_index)
    if not isinstance(source, MemorySource) or source.kind != "volume":
        source.close()
        raise WrongKindError(f"{path} is a {source.kind}, not a volume.")
    return source


def read_note(path: Path) -> ExportNote | None:
    """Return what a volume's file says about its values, None if it says nothing."""
    if path.is_dir():
        return PngSeriesSource(path).note if is_png_series(path) else None
    if is_nifti(path):
        return read_nifti_note(path)
    fields = header_fields(path)
    if KEY in fields:
        return ExportNote.from_json(fields[KEY])
    names = segment_names(fields)
    return ExportNote("mask", names) if names else None


def header_fields(path: Path) -> Mapping[str, str]:
    """Return the keys and values of a NRRD or MetaImage header; empty for other files."""
    with reading(path), path.open("rb") as stream:
        head = stream.read(_HEADER_BYTES)
    if head.startswith(b"NRRD000"):
        lines = head.split(b"\n\n", 1)[0].decode("utf-8", "replace").splitlines()
        pairs = [line.partition(":=") for line in lines if not line.startswith("#")]
        return {key: re.sub(r"\\(.)", _unescaped, value) for key, sign, value in pairs if sign}
    if not head.startswith(b"ObjectType"):
        return {}
    lines = head.partition(b"ElementDataFile")[0].decode("utf-8", "replace").splitlines()
    return {key.strip(): value.strip() for key, sign, value in (line.partition("=") for line in lines) if sign}


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def segment_names(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that 3D Slicer gave to the values 1, 2, …; a value between that has none is numbered."""
    names: dict[int, str] = {}
    for index in range(len(fields)):
        value = fields.get(f"Segment{index}_LabelValue", "")
        if value.isdigit():
            names[int(value)] = fields.get(f"Segment{index}_Name") or f"class {value}"
    return tuple(names.get(value, f"class {value}") for value in range(1, max(names, default=0) + 1))
