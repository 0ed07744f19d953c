"""Read a folder of PNG slices back."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.events import Finished, Job
from napari_medpatch.geometry import Spacing
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.memory import MemorySource
from napari_medpatch.io.nifti_values import survey
from napari_medpatch.io.png_series import FORMAT_NAME, INDEX_NAME, SliceCoding
from napari_medpatch.io.reading import damaged, reading
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.volume_grid import VolumeGrid
from napari_medpatch.io.wording import size_text


class PngSeriesSource(MemorySource):
    """Slices that this package wrote, as the volume that they were.

    Parameters
    ----------
    folder : Path
        With ``index.json``.

    Raises
    ------
    UnsupportedFormatError
        If it is no series of this package.
    DamagedFileError
        If slices are missing or of another size.
    """

    def __init__(self, folder: Path) -> None:
        index = _read_index(folder)
        try:
            low, high = index["window"] or (None, None)
            coding = SliceCoding(int(index["axis"]), low, high, int(index["offset"]))
            shape = tuple(int(n) for n in index["shape_zyx"])
            names = [str(name) for name in index["files"]]
            affine = index["affine_xyz_to_ras_mm"]
            spacing = tuple(float(v) for v in index["spacing_zyx_mm"])
            self.note = ExportNote.from_json(json.dumps(index["note"])) or ExportNote("image")
            position = None if affine is None else np.asarray(affine, dtype=np.float64).reshape(4, 4)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DamagedFileError(damaged(folder / INDEX_NAME, f"{error}")) from error
        array = _read_slices(folder, names, shape, coding)
        super().__init__(
            folder,
            "volume",
            array,
            format="PNG series",
            spacing=Spacing(spacing, "mm", "index"),
            metadata=_metadata(array, coding, self.note),
            grid=VolumeGrid.of_array(shape, position, spacing),
        )


def png_series_steps(folder: Path) -> Job:
    """Open PNG slices as a job; its result is a :class:`PngSeriesSource`."""
    yield Finished(PngSeriesSource(folder))


def _metadata(array: AnyArray, coding: SliceCoding, note: ExportNote) -> dict[str, Any]:
    is_ct = note.kind == "image" and survey(array).is_ct
    windowed = f"The slices hold values from {coding.low} to {coding.high} in 256 steps."
    return {
        "value_unit": "HU" if is_ct else "arbitrary units",
        "notes": [] if coding.low is None else [windowed],
    }


def _read_index(folder: Path) -> dict[str, Any]:
    with reading(folder / INDEX_NAME):
        text = (folder / INDEX_NAME).read_text(encoding="utf-8", errors="replace")
    try:
        index: dict[str, Any] = json.loads(text)
        known = index.get("format") == FORMAT_NAME
    except (ValueError, AttributeError) as error:
        raise DamagedFileError(damaged(folder / INDEX_NAME, str(error))) from error
    if not known:
        raise UnsupportedFormatError(f"{folder / INDEX_NAME} is not the index of a PNG series of this package.")
    return index


def _read_slices(folder: Path, names: list[str], shape: tuple[int, ...], coding: SliceCoding) -> AnyArray:
    if len(shape) != 3 or len(names) != shape[coding.axis]:
        raise DamagedFileError(damaged(folder / INDEX_NAME, f"{len(names)} slices for {size_text(shape)} voxels"))
    planes = []
    for name in names:
        plane = coding.values(_pixels(folder / Path(name).name))
        if plane.shape != tuple(n for axis, n in enumerate(shape) if axis != coding.axis):
            raise DamagedFileError(damaged(folder / name, f"it has {size_text(plane.shape)} pixels"))
        planes.append(plane)
    # Planes whose values need 32 bits and planes that do not may lie side by side.
    return np.ascontiguousarray(np.stack(planes, axis=coding.axis))


def _pixels(path: Path) -> AnyArray:
    from PIL import Image

    with reading(path), Image.open(path, formats=("PNG",)) as picture:
        return np.array(picture)
