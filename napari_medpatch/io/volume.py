"""CT and other volumes from NIfTI files."""

import os
from dataclasses import dataclass
from typing import Any

from napari_medpatch.errors import ChoiceNeededError
from napari_medpatch.events import Finished, Job, Started, counted, run
from napari_medpatch.geometry import Spacing
from napari_medpatch.io.memory import MemorySource
from napari_medpatch.io.nifti_file import NiftiFile, open_nifti
from napari_medpatch.io.nifti_values import ValueFacts, read_volume, value_notes
from napari_medpatch.io.orientation import axis_codes, oblique_degrees
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.volume_grid import VolumeGrid


class VolumeSource(MemorySource):
    """A NIfTI volume in memory, ``(Z, Y, X)`` along the closest of the axes S, P and L.

    ``data`` is int16 for whole numbers that fit and for CT (HU, rounded), float32 otherwise. The file's own
    grid is kept: :meth:`to_original` brings a mask back to it, exactly.

    Parameters
    ----------
    path : path-like
        ``.nii``, ``.nii.gz``, or either file of a ``.hdr``/``.img`` pair; NIfTI-1 or NIfTI-2.
    volume_index : int, optional
        Which volume of a 4D file, from 0.

    Raises
    ------
    ChoiceNeededError
        If the file holds several volumes and ``volume_index`` is missing or out of range.
    UnsupportedFormatError
        If it is not a volume of real numbers.
    DamagedFileError
        If it ends early.
    GeometryError
        If its voxel size or affine is impossible.

    Examples
    --------
    >>> source = VolumeSource("ct.nii.gz")  # doctest: +SKIP
    >>> source.data.shape, source.spacing.values  # doctest: +SKIP
    ((133, 256, 256), (2.5, 1.40625, 1.40625))
    """

    def __init__(self, path: str | os.PathLike[str], volume_index: int | None = None) -> None:
        self._fill(run(_contents(path, volume_index)))

    @classmethod
    def of(cls, contents: "Contents") -> "VolumeSource":
        """Return a source of what was read already."""
        source = cls.__new__(cls)
        source._fill(contents)
        return source

    def _fill(self, contents: "Contents") -> None:
        file, grid = contents.file, contents.grid
        super().__init__(
            file.path,
            "volume",
            contents.array,
            format=file.format,
            spacing=Spacing(grid.spacing, "mm", _origin(file)),
            metadata=_metadata(file, grid, contents.facts, contents.index),
            grid=grid,
        )


@dataclass(frozen=True, slots=True)
class Contents:
    """A volume that was read from a NIfTI file: what a :class:`VolumeSource` is made of."""

    file: NiftiFile
    grid: VolumeGrid
    array: AnyArray
    facts: ValueFacts
    index: int


def volume_steps(path: str | os.PathLike[str], volume_index: int | None = None) -> Job:
    """Open a NIfTI volume as a job.

    Parameters
    ----------
    path, volume_index
        As :class:`VolumeSource`, which also says what is raised.

    Yields
    ------
    Started, Working, Finished
        In slices; the result is a :class:`VolumeSource`.
    """
    for event in _contents(path, volume_index):
        yield Finished(VolumeSource.of(event.result)) if isinstance(event, Finished) else event


def _contents(path: str | os.PathLike[str], volume_index: int | None) -> Job:
    file = open_nifti(path)
    index = _choose(file, volume_index)
    grid = VolumeGrid.of_file(file.affine, file.grid_shape, header=file.header, unit_mm=file.unit_mm)
    yield Started(file.grid_shape[2], "slices")
    array, facts = yield from counted(read_volume(file, grid.orientation, index))
    yield Finished(Contents(file, grid, array, facts, index))


def _choose(file: NiftiFile, wanted: int | None) -> int:
    """Return the index of the volume to read."""
    if file.volumes == 1 and wanted in (None, 0):
        return 0
    if wanted is not None and 0 <= wanted < file.volumes:
        return wanted
    if wanted is not None:
        message = f"{file.path} has no volume {wanted}; give an index from 0 to {file.volumes - 1}."
    else:
        message = f"{file.path} holds {file.volumes} volumes; say which one, from 0 to {file.volumes - 1}."
    raise ChoiceNeededError(message, _names(file))


def _names(file: NiftiFile) -> list[str]:
    """Name the volumes of a 4D file, by time where the header says."""
    step = float(file.header["pixdim"][4])
    seconds = {8: 1.0, 16: 1e-3, 24: 1e-6}.get(int(file.header["xyzt_units"]) & 56)
    if seconds is None or len(file.shape) != 4 or not step > 0:
        return [f"volume {n}" for n in range(file.volumes)]
    return [f"volume {n} ({n * step * seconds:g} s)" for n in range(file.volumes)]


def _origin(file: NiftiFile) -> str:
    stated = int(file.header["xyzt_units"]) & 7
    return file.affine_origin if stated else f"{file.affine_origin}, unit not stated"


def _metadata(file: NiftiFile, grid: VolumeGrid, facts: ValueFacts, index: int) -> dict[str, Any]:
    return {
        "orientation": axis_codes(grid.affine),
        "oblique_degrees": round(oblique_degrees(grid.affine), 3),
        "affine": grid.affine.tolist(),
        "file_shape": list(file.shape),
        "volume_index": index,
        "volumes": file.volumes,
        "stored_dtype": file.dtype.name,
        "scl_slope": file.slope,
        "scl_inter": file.inter,
        "value_unit": "HU" if facts.is_ct else "arbitrary units",
        "value_range": [facts.low, facts.high],
        "notes": [*file.notes, *value_notes(facts)],
    }
