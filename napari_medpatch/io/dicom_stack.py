"""From the slices of a folder to stacks: what can be opened as one volume each."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_medpatch.io.dicom_places import along_normal, in_order, normal
from napari_medpatch.io.dicom_repeats import one_per_place, without_copies
from napari_medpatch.io.dicom_slice import DicomSlice
from napari_medpatch.io.dicom_spacing import even_runs

_SAME_DIRECTION = 1e-3
"""Difference of direction cosines within one orientation; 0.06 degrees."""
_ZERO = (0.0, 0.0, 0.0)
_SAME_SPACING = 1e-3
"""Relative difference of pixel sizes within one stack."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices of one orientation and size, in order along their normal, each at a place of its own.

    Parameters
    ----------
    slices : tuple of DicomSlice
        At least one.
    label : str
        What tells it from other stacks of its series; ``""`` if it is the only one.
    even : bool
        Whether the slices lie on an even grid.
    notes : tuple of str
        What was left out on the way.
    """

    slices: tuple[DicomSlice, ...]
    label: str = ""
    even: bool = True
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> DicomSlice:
        """The slice at the low end."""
        return self.slices[0]


def make_stacks(slices: Iterable[DicomSlice]) -> list[Stack]:
    """Return the stacks of a folder, sorted by series number; scouts come last.

    Parameters
    ----------
    slices : iterable of DicomSlice
        Of any number of series, in any order.
    """
    alike: dict[Hashable, list[list[DicomSlice]]] = defaultdict(list)
    for one in _without_false_positions(list(slices)):
        file = one.file
        groups = alike[file.series, file.localizer, one.rows, one.columns, one.position is None]
        group = next((group for group in groups if _same_plane(group[0], one)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    stacks = [stack for groups in alike.values() for group in groups for stack in _of_one_shape(group)]
    stacks.sort(key=_rank)
    return _labelled(stacks)


def _same_plane(one: DicomSlice, other: DicomSlice) -> bool:
    """Whether two slices have one orientation and pixel size."""
    turns = zip(one.along_row + one.along_column, other.along_row + other.along_column, strict=True)
    if any(abs(a - b) > _SAME_DIRECTION for a, b in turns):
        return False
    if one.spacing is None or other.spacing is None:
        return one.spacing is other.spacing
    return all(abs(a - b) <= _SAME_SPACING * a for a, b in zip(one.spacing, other.spacing, strict=True))


def _without_false_positions(slices: list[DicomSlice]) -> list[DicomSlice]:
    """Take positions away from series whose slices all give the same one but lie at locations of their own.

    Programs that make files anonymous do that.
    """
    by_series: dict[str, list[DicomSlice]] = defaultdict(list)
    for one in slices:
        by_series[one.file.series].append(one)
    for series in by_series.values():
        positions, locations = {one.position for one in series}, {one.location for one in series}
        false = len(series) > 1 and len(positions) == 1 and (len(locations) == len(series) or positions == {_ZERO})
        if false:
            series[:] = [replace(one, position=None) for one in series]
    return [one for series in by_series.values() for one in series]


def _of_one_shape(slices: list[DicomSlice]) -> list[Stack]:
    slices, notes = without_copies(slices)
    stacks = []
    for label, part, more in one_per_place(slices):
        ordered = in_order(part)
        runs = even_runs(along_normal(ordered))
        if runs is None:
            stacks.append(Stack(tuple(ordered), label, even=False, notes=(*notes, *more)))
            continue
        for n, run in enumerate(runs, start=1):
            words = [label, f"part {n} of {len(runs)}" if len(runs) > 1 else ""]
            stacks.append(Stack(tuple(ordered[run]), ", ".join(filter(None, words)), notes=(*notes, *more)))
    return stacks


def _rank(stack: Stack) -> tuple[Any, ...]:
    file = stack.first.file
    number = float("inf") if file.number is None else file.number
    return file.localizer, number, file.series


def _labelled(stacks: list[Stack]) -> list[Stack]:
    """Name the plane and size of stacks that nothing else tells from others of their series."""
    seen: dict[Hashable, int] = defaultdict(int)
    for stack in stacks:
        seen[stack.first.file.series, stack.label] += 1
    return [
        stack
        if seen[stack.first.file.series, stack.label] == 1
        else replace(stack, label=", ".join(filter(None, (_plane(stack.first), stack.label))))
        for stack in stacks
    ]


def _plane(one: DicomSlice) -> str:
    axis = int(np.abs(normal(one)).argmax())
    return f"{('sagittal', 'coronal', 'axial')[axis]} {one.columns} × {one.rows}"
