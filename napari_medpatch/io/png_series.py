"""A volume as a folder of PNG slices with an ``index.json`` that brings it back to its place.

Slices are as the window shows them: axial slices go up, with the patient's front on top and the right side on the
left; coronal and sagittal ones are turned so that the head is on top.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import OutputError
from napari_medpatch.io.atomic import atomic_folder, write_json
from napari_medpatch.io.class_colours import class_colour
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.export_steps import Steps
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.volume_grid import VolumeGrid

INDEX_NAME = "index.json"
FORMAT_NAME = "napari-medpatch PNG series"


@dataclass(frozen=True, slots=True)
class SliceCoding:
    """How values become pixels.

    Parameters
    ----------
    axis : int
        Of ``(Z, Y, X)``, along which slices are cut.
    low, high : float or None
        Values of black and white; None keeps values.
    offset : int
        Added to whole values so that 16 bits without sign hold them.
    palette : tuple
        ``#rrggbb`` of the values 1, 2, … where a mask gets colours; empty for grey.
    coloured : bool
        Whether the pixels are indices of a palette.
    """

    axis: int = 0
    low: float | None = None
    high: float | None = None
    offset: int = 0
    palette: tuple[str, ...] = ()
    coloured: bool = False

    @classmethod
    def of_image(cls, values: AnyArray, axis: int, window: tuple[float, float] | None, path: Path) -> "SliceCoding":
        """Return the coding of a volume: its window as 8 bit, or every whole value as 16 bit.

        Raises
        ------
        OutputError
            If the values span more than 16 bits hold, or are no whole numbers, and no window is given.
        """
        if window is not None:
            return cls(axis, *window)
        low, high = float(values.min()), float(values.max())
        if values.dtype.kind not in "iu" or high - low > 65535:
            raise OutputError(
                f"{path} was not written: 16-bit PNG cannot hold {values.dtype} values from {low:g} to {high:g}; "
                "give a window, such as --window lung or --window -1000,400."
            )
        return cls(axis, offset=-min(0, int(low)) if high <= 65535 + min(0, low) else -int(low))

    def pixels(self, plane: AnyArray) -> AnyArray:
        """Return 8 or 16-bit pixels of a plane, turned as it is shown."""
        shown = plane[::-1] if self.axis else plane
        if self.low is not None and self.high is not None:
            scaled = (shown.astype(np.float32) - self.low) * (255 / (self.high - self.low))
            grey: AnyArray = np.rint(scaled.clip(0, 255)).astype(np.uint8)
            return grey
        if shown.dtype == np.uint8 and not self.offset:
            return np.ascontiguousarray(shown)
        return (shown.astype(np.int32) + self.offset).astype(np.uint16)

    def values(self, pixels: AnyArray) -> AnyArray:
        """Return the values of a picture's pixels; of windowed ones, as near as 8 bits are."""
        plane = pixels[::-1] if self.axis else pixels
        if self.low is not None and self.high is not None:
            back: AnyArray = np.rint(plane.astype(np.float32) * ((self.high - self.low) / 255) + self.low)
            return back.astype(np.int16)
        if plane.dtype == np.uint8 and not self.offset:
            return plane
        whole = plane.astype(np.int32) - self.offset
        return whole.astype(np.int16) if whole.min() >= -32768 and whole.max() <= 32767 else whole


def write_png_series(
    values: AnyArray, grid: VolumeGrid, folder: Path, *, coding: SliceCoding, note: ExportNote
) -> Steps:
    """Write one PNG per slice and the index.

    Parameters
    ----------
    values : ndarray
        ``(Z, Y, X)``, uint8 for masks.
    grid : VolumeGrid
        Of the volume; its canonical affine goes into the index.
    folder : Path
        Made, or replaced if it holds a series of this package.
    coding : SliceCoding
        How values become pixels.
    note : ExportNote
        Kind, class names, provenance.

    Raises
    ------
    OutputError
        If the folder holds other things, or cannot be written.
    """
    check_replaceable(folder)
    planes = values.shape[coding.axis]
    names = [f"slice-{index:0{max(4, len(str(planes - 1)))}d}.png" for index in range(planes)]
    with atomic_folder(folder) as temporary:
        for done, name in enumerate(names, start=1):
            _save(coding, np.take(values, done - 1, axis=coding.axis), temporary / name)
            yield done / planes
        write_json(temporary / INDEX_NAME, _index(values.shape, grid, coding, names, note))
    return folder


def check_replaceable(folder: Path) -> None:
    """Raise :class:`OutputError` if a folder exists that is neither empty nor a series of ours."""
    if folder.is_dir() and any(folder.iterdir()) and not is_png_series(folder):
        raise OutputError(
            f"{folder} was not written: it is a folder with other files, which a series of slices would replace; "
            "name a new folder."
        )


def is_png_series(folder: Path) -> bool:
    """Return whether a folder holds slices of this package."""
    index = folder / INDEX_NAME
    try:
        if not index.is_file() or index.stat().st_size > 64 << 20:
            return False
        return bool(json.loads(index.read_text(encoding="utf-8")).get("format") == FORMAT_NAME)
    except (OSError, ValueError, AttributeError):
        return False


def _save(coding: SliceCoding, plane: AnyArray, path: Path) -> None:
    from PIL import Image

    picture = Image.fromarray(coding.pixels(plane))
    if coding.coloured:
        picture.putpalette(_palette(coding.palette))
    picture.save(path, format="PNG")


def _palette(colours: Sequence[str]) -> list[int]:
    """Return red, green, blue of the values 0 to 255; 0 is black."""
    return [0, 0, 0, *(part for value in range(1, 256) for part in class_colour(value, colours))]


def _index(
    shape: tuple[int, ...], grid: VolumeGrid, coding: SliceCoding, names: list[str], note: ExportNote
) -> dict[str, Any]:
    return {
        "format": FORMAT_NAME,
        "version": 1,
        "shape_zyx": list(shape),
        "axis": coding.axis,
        "turned": bool(coding.axis),
        "spacing_zyx_mm": list(grid.spacing),
        "affine_xyz_to_ras_mm": grid.canonical_affine.tolist() if grid.known else None,
        "window": None if coding.low is None else [coding.low, coding.high],
        "offset": coding.offset,
        "values": "value = pixel - offset" if coding.low is None else "value = low + pixel / 255 * (high - low)",
        "note": json.loads(note.to_json()),
        "files": names,
    }
