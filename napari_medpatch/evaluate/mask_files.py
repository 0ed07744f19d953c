"""Mask files on one grid, with their pixel size, place and class names."""

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import ChoiceNeededError, GeometryError, LabelsError, UnsupportedFormatError
from napari_medpatch.evaluate.masks import Mask
from napari_medpatch.evaluate.units import Units
from napari_medpatch.geometry import Spacing
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.dicom_seg_reading import is_dicom_seg
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.label_image import read_label_image, to_labels
from napari_medpatch.io.labels_file import is_nifti, labels_downsample, read_labels
from napari_medpatch.io.nifti_export import read_nifti_note
from napari_medpatch.io.photo_file import photo_format
from napari_medpatch.io.raster import read_raster
from napari_medpatch.io.read_volume import read_note
from napari_medpatch.io.segment_facts import seg_note
from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.volume_source import as_volume
from napari_medpatch.io.wording import size_text, spacing_text

_TABLES = (".csv", ".tsv", ".xlsx", ".json")
_OUTLINES = (".geojson", ".geojson.gz")
_OFF_BY_VOXELS = 0.25


@dataclass(frozen=True, slots=True)
class GridOfMasks:
    """The grid that masks share.

    Parameters
    ----------
    source : Source
        Image or mask that gave the grid.
    units : Units
        Pixel size of the masks.
    affine : ndarray or None
        (4, 4), ``(x, y, z)`` index to RAS+ mm of volumes whose place is known.
    """

    source: Source
    units: Units
    affine: AnyArray | None = None


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A mask out of a file.

    Parameters
    ----------
    path : Path
        The file.
    values : ndarray
        ``(Z, Y, X)`` or ``(Y, X)`` uint8, on the grid.
    class_names : tuple of str
        Of values 1, 2, …; empty if the file does not say.
    provenance : mapping
        What the file says of its making.
    """

    path: Path
    values: Mask
    class_names: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)


def open_grid(path: Path) -> Source:
    """Open what gives the grid: an image, or a mask in a file of its own.

    Raises
    ------
    UnsupportedFormatError
        If it is a table or holds outlines.
    LabelsError
        If it holds several volumes.
    """
    refuse_tables(path)
    if _is_raster(path) and (raster := read_raster(path)) is not None:
        labels = read_label_image(path)
        volume = labels.ndim == 3
        blank = np.broadcast_to(np.uint8(0), labels.shape if volume else (*labels.shape, 3))
        unit = "mm" if volume else "um"
        known = raster.pixel_size is not None and raster.unit == unit
        spacing = Spacing(raster.pixel_size[-labels.ndim :], unit, "file") if known and raster.pixel_size else None
        affine = raster.note.affine if raster.note is not None and volume else None
        return ArraySource(blank, "volume" if volume else "photo", spacing, path, affine)
    try:
        return open_source(path)
    except ChoiceNeededError as error:
        raise LabelsError(f"{path} holds {len(error.choices)} volumes; a mask is one.") from error


def read_mask(path: Path, source: Source) -> MaskFile:
    """Read a mask that lies on the grid of a source, in any orientation of it.

    Raises
    ------
    GeometryError
        If the grids differ; the sentence says how.
    LabelsError
        If values are not whole numbers from 0 to 255.
    UnsupportedFormatError, DamagedFileError
        If the file cannot be read.
    """
    refuse_tables(path)
    if is_nifti(path):
        note = read_nifti_note(path)
        return _noted(path, read_labels(path, source), note)
    if _is_raster(path):
        raster = read_raster(path)
        return _noted(path, read_labels(path, source), None if raster is None else raster.note)
    if is_dicom_seg(path):
        return _noted(path, read_labels(path, source), seg_note(path))
    note = read_note(path)
    with closing(open_source(path)) as other:
        return _noted(path, _on_grid(other, source), note)


def grid_of(source: Source, shape: tuple[int, ...]) -> GridOfMasks:
    """Return the grid of masks of a shape that lie on a source; on slides they may be coarser than it."""
    spacing = source.spacing
    if source.kind == "slide" and spacing is not None:
        spacing = spacing.scaled(labels_downsample(np.empty(shape, np.bool_), source))
    grid = getattr(source, "grid", None)
    affine = grid.canonical_affine if grid is not None and grid.known else None
    return GridOfMasks(source, Units.of(spacing, len(shape)), affine)


def refuse_tables(path: Path) -> None:
    """Raise :class:`UnsupportedFormatError` for tables and outlines."""
    name = path.name.lower()
    kinds = "masks (NIfTI, NRRD, MetaImage, PNG, TIFF)"
    if name.endswith(_TABLES):
        raise UnsupportedFormatError(f"{path} is a table; evaluate compares {kinds}, not scores of patches.")
    if name.endswith(_OUTLINES):
        raise UnsupportedFormatError(f"{path} holds outlines; evaluate compares {kinds}.")


def _noted(path: Path, values: Mask, note: ExportNote | None) -> MaskFile:
    if note is not None and note.kind == "probabilities":
        raise LabelsError(f"{path} holds probabilities; evaluate compares masks of whole numbers.")
    return MaskFile(path, values, note.class_names if note else (), dict(note.provenance) if note else {})


def _is_raster(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        photo_format(path)
    except UnsupportedFormatError:
        return False
    return True


def _on_grid(other: Source, source: Source) -> Mask:
    """Return the labels of a volume whose axes are those of the source, after checking that it lies there."""
    if other.kind != "volume" or source.kind != "volume":
        raise GeometryError(
            f"{other.path} is a {other.kind} and {source.path} a {source.kind}; compare like with like."
        )
    if other.levels[0].shape != source.levels[0].shape:
        raise GeometryError(_mismatch(other, source, "have other shapes"))
    own, theirs = as_volume(source).grid, as_volume(other).grid
    if own.known and theirs.known:
        corner = np.array([*(n - 1 for n in source.levels[0].shape[::-1]), 1.0])
        between = np.linalg.solve(own.canonical_affine, theirs.canonical_affine)
        offset = max(float(np.abs((between @ at - at)[:3]).max()) for at in (np.array([0, 0, 0, 1.0]), corner))
        if offset > _OFF_BY_VOXELS:
            raise GeometryError(_mismatch(other, source, f"lie {offset:.3g} voxels apart"))
    return to_labels(as_volume(other).data, other.path)


def _mismatch(other: Source, source: Source, how: str) -> str:
    def described(each: Source) -> str:
        size = spacing_text(each.spacing.values[::-1] if each.spacing else ())
        return f"{each.path} (x y z: {size_text(each.levels[0].shape[::-1])}, {size})"

    return f"{described(other)} and {described(source)} {how}; compare masks of one grid, or resample one of them."
