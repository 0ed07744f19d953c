"""The grid of a stack of DICOM slices: affine, missing slices, gantry tilt."""

from dataclasses import dataclass

import numpy as np

from napari_medpatch.errors import GeometryError
from napari_medpatch.io.dicom_places import along_normal, normal
from napari_medpatch.io.dicom_slice import DicomSlice
from napari_medpatch.io.dicom_spacing import Floats, Lattice, lattice
from napari_medpatch.io.dicom_stack import Stack
from napari_medpatch.io.orientation import Affine
from napari_medpatch.io.volume_grid import VolumeGrid
from napari_medpatch.io.wording import spacing_text

_TILT_FROM_DEGREES = 0.1
_UNEVEN_FROM = 0.01
_SIDEWAYS_PIXELS = 0.5
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class StackGrid:
    """Where the slices of a stack lie.

    Parameters
    ----------
    grid : VolumeGrid
        Over ``(i, j, k)``: column, row, slice.
    places : tuple of int
        k of each slice of the stack.
    missing : tuple of int
        k without a slice.
    tilt_degrees : float
        Angle between the direction of the stack and the normal of its slices.
    notes : tuple of str
        What the user should know.
    """

    grid: VolumeGrid
    places: tuple[int, ...]
    missing: tuple[int, ...]
    tilt_degrees: float
    notes: tuple[str, ...]


def stack_grid(stack: Stack) -> StackGrid:
    """Return the grid of a stack.

    Parameters
    ----------
    stack : Stack
        In order along its normal.

    Raises
    ------
    GeometryError
        If its slices do not lie on one even grid.
    """
    distances = along_normal(stack.slices)
    found = lattice(distances) if stack.even else None
    if found is None:
        raise GeometryError(_uneven(stack, distances))
    step, notes = _step(stack, found)
    tilt = _tilt(step, normal(stack.first))
    if tilt > _TILT_FROM_DEGREES:
        notes.append(
            f"The gantry was tilted by {tilt:.1f}°: coronal and sagittal views look slanted by it; positions, "
            "measures and exported files are exact."
        )
    if found.deviation > _UNEVEN_FROM * found.step:
        notes.append(f"Slices lie up to {found.deviation:.2g} mm off an even distance of {found.step:.5g} mm.")
    shape = (stack.first.columns, stack.first.rows, found.places[-1] + 1)
    placed = stack.first.position is not None and stack.first.spacing is not None
    if not placed:
        notes.append(_unplaced(stack.first))
    grid = VolumeGrid.of_file(_affine(stack.first, step), shape, known=placed)
    return StackGrid(grid, found.places, found.missing, tilt, tuple(notes))


def _affine(first: DicomSlice, step: Floats) -> Affine:
    """Return the map from (column, row, slice) to RAS+ mm; sheared if the gantry was tilted."""
    between_rows, between_columns = first.spacing or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, 0] = np.asarray(first.along_row) * between_columns
    affine[:3, 1] = np.asarray(first.along_column) * between_rows
    affine[:3, 2] = step
    affine[:3, 3] = first.position or (0.0, 0.0, 0.0)
    matrix: Affine = _TO_RAS @ affine
    return matrix


def _step(stack: Stack, found: Lattice) -> tuple[Floats, list[str]]:
    """Return the vector from a slice to the next in LPS+ mm, and what had to be assumed for it."""
    first, last = stack.first, stack.slices[-1]
    if found.step == 0:
        thickness = first.thickness or first.distance
        notes = [] if thickness else ["The slice thickness is not stated; 1 mm is assumed."]
        return normal(first) * (thickness or 1.0), notes
    if first.position is None or last.position is None:
        return _step_without_positions(stack, found)
    step = (np.asarray(last.position) - np.asarray(first.position)) / found.places[-1]
    _refuse_sideways(stack, found, step)
    return step, _thickness_notes(first, found.step)


def _step_without_positions(stack: Stack, found: Lattice) -> tuple[Floats, list[str]]:
    first = stack.first
    if first.location is not None and len({one.location for one in stack.slices}) == len(stack.slices):
        return normal(first) * found.step, []
    size = first.distance or first.thickness
    note = f"Their distance is taken as {size or 1.0:.5g} mm, {'as stated' if size else 'which is a guess'}."
    return normal(first) * (size or 1.0), [note]


def _refuse_sideways(stack: Stack, found: Lattice, step: Floats) -> None:
    """Refuse slices that are shifted against each other in their plane."""
    positions = np.array([one.position for one in stack.slices])
    offsets = positions - positions[0] - np.outer(found.places, step)
    across = offsets - np.outer(offsets @ normal(stack.first), normal(stack.first))
    shift, limit = float(np.linalg.norm(across, axis=1).max()), _SIDEWAYS_PIXELS * min(stack.first.spacing or (1.0,))
    if shift > limit:
        worst = stack.slices[int(np.linalg.norm(across, axis=1).argmax())].path
        raise GeometryError(
            f"Slices of {worst.parent} are shifted sideways by up to {shift:.3g} mm ({worst.name}), which no volume "
            "can show; convert the series with a program that resamples it."
        )


def _thickness_notes(first: DicomSlice, step: float) -> list[str]:
    """Say when slices leave tissue between them that nobody imaged."""
    if first.thickness is None or step < 1.05 * first.thickness:
        return []
    return [f"Slices are {first.thickness:.5g} mm thick and {step:.5g} mm apart: tissue between them is not imaged."]


def _tilt(step: Floats, across: Floats) -> float:
    cosine = abs(float(step @ across)) / float(np.linalg.norm(step))
    return float(np.degrees(np.arccos(min(1.0, cosine))))


def _unplaced(first: DicomSlice) -> str:
    what = "where they lie" if first.position is None else "the size of their pixels"
    return f"The files do not say {what}: slices are in the order of their numbers, left and right are not known."


def _uneven(stack: Stack, distances: Floats) -> str:
    gaps = np.diff(distances)
    return (
        f"The {len(stack.slices)} slices in {stack.first.path.parent} lie at uneven distances "
        f"({spacing_text([gaps.min()])} to {spacing_text([gaps.max()])}), so no volume has them at their places; "
        "copy slices of one distance into a folder of their own and open that."
    )
