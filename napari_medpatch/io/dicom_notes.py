"""What the user should know of a DICOM series, in sentences."""

from collections.abc import Mapping
from pathlib import Path

from napari_medpatch.io.dicom_grid import StackGrid
from napari_medpatch.io.dicom_pixels import bright_padding
from napari_medpatch.io.dicom_stack import Stack
from napari_medpatch.io.nifti_values import ValueFacts

_NAMED = 5


def series_notes(stack: Stack, placed: StackGrid, facts: ValueFacts, damaged: Mapping[Path, str]) -> list[str]:
    """Return notes on what was missing, left out or changed.

    Parameters
    ----------
    stack : Stack
        The series.
    placed : StackGrid
        Where its slices lie.
    facts : ValueFacts
        Of its values.
    damaged : mapping of Path to str
        DICOM files of the folder that could not be read.
    """
    notes = [*stack.notes, *placed.notes]
    if placed.missing:
        notes.insert(0, _missing(placed))
    if damaged:
        left_out = _counted(len(damaged), "damaged file", "was", "were")
        notes.append(f"{left_out} left out: {_names([path.name for path in sorted(damaged)])}.")
    return [*notes, *_value_notes(stack, facts)]


def is_hounsfield(stack: Stack, facts: ValueFacts) -> bool:
    """Whether values are HU: CT, and scaled unless they look like HU as stored."""
    scaled = all(one.has_table or one.intercept is not None for one in stack.slices)
    return stack.first.file.is_ct and (scaled or facts.low < -500)


def _missing(placed: StackGrid) -> str:
    """Say which slices are missing, counted as the viewer counts them."""
    orientation, shape = placed.grid.orientation, placed.grid.shape
    turned = orientation.flipped[orientation.order.index(2)]
    numbers = sorted(shape[2] - 1 - k if turned else k for k in placed.missing)
    verb = "was" if len(numbers) == 1 else "were"
    return (
        f"{_counted(len(numbers), 'slice', 'is', 'are')} missing of {shape[2]} and {verb} interpolated from the "
        f"neighbours: {_names([str(n) for n in numbers])} (counted from 0); the others are at their true positions."
    )


def _value_notes(stack: Stack, facts: ValueFacts) -> list[str]:
    notes, file = [], stack.first.file
    if file.is_ct and all(one.intercept is None and not one.has_table for one in stack.slices):
        notes.append("The files give no rescale slope and intercept: values are shown as stored.")
    if len({(one.slope, one.intercept) for one in stack.slices}) > 1:
        notes.append("Slices have slopes and intercepts of their own, which were applied.")
    if facts.dtype.kind == "i" and not facts.whole:
        notes.append("Values were rounded to whole HU.")
    bright = bright_padding(stack.first)
    if bright is not None:
        notes.append(f"Voxels marked as outside the field of view ({bright:g}) were made as dark as the darkest one.")
    if any(one.file.lossy for one in stack.slices):
        notes.append("The images were compressed with loss before they came here: values are not those of the scanner.")
    if file.inverted:
        notes.append("The series is meant to be shown inverted (MONOCHROME1): low values are bright.")
    return notes


def _counted(count: int, what: str, one: str, many: str) -> str:
    return f"1 {what} {one}" if count == 1 else f"{count} {what}s {many}"


def _names(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
