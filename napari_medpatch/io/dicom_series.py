"""CT, MR and PET series from DICOM files."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.events import Finished, Job, Started, counted
from napari_medpatch.geometry import Spacing
from napari_medpatch.io.dicom_choice import choose_stack, stack_name
from napari_medpatch.io.dicom_folder import Headers, file_groups, read_headers
from napari_medpatch.io.dicom_grid import StackGrid, stack_grid
from napari_medpatch.io.dicom_notes import is_hounsfield, series_notes
from napari_medpatch.io.dicom_stack import Stack, make_stacks
from napari_medpatch.io.dicom_values import read_stack
from napari_medpatch.io.memory import MemorySource
from napari_medpatch.io.nifti_values import ValueFacts
from napari_medpatch.io.orientation import axis_codes, oblique_degrees
from napari_medpatch.io.source import AnyArray


class DicomSeriesSource(MemorySource):
    """A DICOM series in memory, ``(Z, Y, X)`` along the closest of the axes S, P and L; HU for CT.

    Made by :func:`dicom_steps`, or by ``open_source(folder_or_file)``. The file's grid is ``(i, j, k)``: column,
    row and slice, slices in order along their normal.

    Parameters
    ----------
    path : Path
        Folder of the series; the file itself where one file holds all of it.
    stack : Stack
        Its slices.
    placed : StackGrid
        Where they lie.
    array : ndarray
        ``(Z, Y, X)``, int16 or float32.
    facts : ValueFacts
        Of the values.
    metadata : mapping
        Further facts.
    """

    def __init__(
        self,
        path: Path,
        stack: Stack,
        placed: StackGrid,
        array: AnyArray,
        facts: ValueFacts,
        metadata: dict[str, Any],
    ) -> None:
        self._stack, self._placed = stack, placed
        known = stack.first.spacing is not None
        super().__init__(
            path,
            "volume",
            array,
            format="DICOM series",
            spacing=Spacing(placed.grid.spacing, "mm", "DICOM positions" if placed.grid.known else "DICOM")
            if known
            else None,
            metadata=_metadata(stack, placed, facts) | metadata,
            grid=placed.grid,
        )

    @property
    def slice_files(self) -> tuple[Path | None, ...]:
        """The file of each slice of the file's grid, in order of k; None where a slice is missing."""
        files: list[Path | None] = [None] * self.grid.shape[2]
        for one, k in zip(self._stack.slices, self._placed.places, strict=True):
            files[k] = one.path
        return tuple(files)

    @property
    def slice_frames(self) -> tuple[int | None, ...]:
        """The frame of each slice within its file, from 0, in order of k; None in files of one image."""
        frames: list[int | None] = [None] * self.grid.shape[2]
        for one, k in zip(self._stack.slices, self._placed.places, strict=True):
            frames[k] = one.frame
        return tuple(frames)


def dicom_steps(path: Path, volume_index: int | None = None) -> Job:
    """Open a DICOM series as a job: headers first, then slices.

    Parameters
    ----------
    path : Path
        Folder with one series or several, or any file of a series.
    volume_index : int, optional
        Which of those that the folder holds (of a file: that its series holds), from 0.

    Yields
    ------
    Started, Working, Finished
        The result is a :class:`DicomSeriesSource`.

    Raises
    ------
    ChoiceNeededError
        If there are several series, or several volumes in one.
    UnsupportedFormatError
        If there is no image, or nothing here decodes it.
    DamagedFileError
        If a file of the series is truncated or corrupt; the sentence names it.
    GeometryError
        If the slices do not lie on one even grid.
    """
    headers = yield from _headers(path)
    stacks = make_stacks(headers.slices)
    mine = _of_file(stacks, path, headers) if path.is_file() else stacks
    index = choose_stack(mine, path, volume_index)
    stack = mine[index]
    _refuse_damaged(headers, stack)
    placed = stack_grid(stack)
    yield Started(len(stack.slices), "slices")
    array, facts = yield from counted(read_stack(stack, placed))
    place, all_of_place = _place(stack, stacks, path)
    several = len(all_of_place) > 1
    choice = {
        "volumes": len(all_of_place),
        "volume_index": all_of_place.index(stack),
        "volume_names": [stack_name(each) for each in all_of_place] if several else [],
        "notes": series_notes(stack, placed, facts, headers.damaged),
    }
    yield Finished(DicomSeriesSource(place, stack, placed, array, facts, choice))


def _headers(path: Path) -> Generator[Any, None, Headers]:
    found = Headers()
    for files in file_groups(path if path.is_dir() else path.parent):
        yield Started(len(files), "files")
        found = yield from counted(read_headers(files))
        if found.slices:
            return found
    if found.damaged:
        raise DamagedFileError(next(iter(found.damaged.values())))
    raise UnsupportedFormatError(f"{path} holds no DICOM slices of a volume, such as CT; give a folder with a series.")


def _of_file(stacks: list[Stack], path: Path, headers: Headers) -> list[Stack]:
    """Return the stacks of the series that a file is of."""
    if path in headers.damaged:
        raise DamagedFileError(headers.damaged[path])
    series = next((one.file.series for one in headers.slices if one.path == path), None)
    if series is None:
        raise UnsupportedFormatError(f"{path} is a DICOM object but no slice of a volume; open a CT, MR or PET series.")
    return [stack for stack in stacks if stack.first.file.series == series]


def _place(stack: Stack, stacks: list[Stack], path: Path) -> tuple[Path, list[Stack]]:
    """Return what to open the stack by, and the stacks that an index given with it counts."""
    files = {one.path for one in stack.slices}
    if len(files) == 1:
        return files.pop(), [each for each in stacks if each.first.file.series == stack.first.file.series]
    return (path if path.is_dir() else path.parent), stacks


def _refuse_damaged(headers: Headers, stack: Stack) -> None:
    """Refuse a series that damaged files belong to: without them slices would be missing unnoticed."""
    for path, sentence in headers.damaged.items():
        if headers.series_of_damaged.get(path) == stack.first.file.series:
            raise DamagedFileError(sentence)


def _metadata(stack: Stack, placed: StackGrid, facts: ValueFacts) -> dict[str, Any]:
    first, grid = stack.first, placed.grid
    hounsfield = is_hounsfield(stack, facts)
    return {
        "series_uid": first.file.series,
        "modality": first.file.modality,
        "series_number": first.file.number,
        "series_description": first.file.description,
        **first.file.facts,
        "frame_of_reference_uid": first.file.frame_of_reference,
        "slice_thickness_mm": first.thickness,
        "orientation": axis_codes(grid.affine),
        "oblique_degrees": round(oblique_degrees(grid.affine), 3),
        "gantry_tilt_degrees": round(placed.tilt_degrees, 3),
        "missing_slices": list(placed.missing),
        "affine": grid.affine.tolist(),
        "file_shape": list(grid.shape),
        "value_unit": "HU" if hounsfield else "arbitrary units",
        "value_range": [facts.low, facts.high],
        "inverted": first.file.inverted and not hounsfield,
    }
