"""From the slices of a folder to stacks: what can be opened as one volume each."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from napari_medpatch.io.dicom_pixels import same_values
from napari_medpatch.io.dicom_slice import DicomSlice
from napari_medpatch.io.dicom_spacing import SAME_MM, Floats, even_runs

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


def normal(one: DicomSlice) -> Floats:
    """Return the direction across a slice, LPS+."""
    return np.cross(one.along_row, one.along_column)


def along_normal(slices: Sequence[DicomSlice]) -> Floats:
    """Return positions along the normal in mm; without positions slice locations, else instance numbers."""
    if all(one.position is not None for one in slices):
        return np.array([one.position for one in slices]) @ normal(slices[0])
    locations = [one.location for one in slices]
    if None not in locations and len(set(locations)) == len(slices):
        return np.array(locations, dtype=np.float64)
    return np.array([one.order for one in slices], dtype=np.float64)


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
    slices, notes = _without_copies(slices)
    stacks = []
    for label, part, more in _one_per_place(slices):
        ordered = _sorted(part)
        runs = even_runs(along_normal(ordered))
        if runs is None:
            stacks.append(Stack(tuple(ordered), label, even=False, notes=(*notes, *more)))
            continue
        for n, run in enumerate(runs, start=1):
            words = [label, f"part {n} of {len(runs)}" if len(runs) > 1 else ""]
            stacks.append(Stack(tuple(ordered[run]), ", ".join(filter(None, words)), notes=(*notes, *more)))
    return stacks


def _without_copies(slices: list[DicomSlice]) -> tuple[list[DicomSlice], list[str]]:
    """Drop files that are there twice under different names."""
    known: dict[Any, DicomSlice] = {}
    for one in sorted(slices, key=lambda s: str(s.path)):
        known.setdefault((one.file.instance or str(one.path), one.frame), one)
    count = len(slices) - len(known)
    return list(known.values()), [_copies(count)] if count else []


def _copies(count: int) -> str:
    return f"{count} slice{'s that are' if count > 1 else ' that is'} there twice {_were(count)} read once."


def _were(count: int) -> str:
    return "were" if count > 1 else "was"


def _sorted(slices: Iterable[DicomSlice]) -> list[DicomSlice]:
    found = list(slices)
    return [found[n] for n in np.argsort(along_normal(found), kind="stable")]


def _places(slices: list[DicomSlice]) -> list[list[DicomSlice]]:
    """Return the slices at each place, in order of acquisition."""
    ordered = _sorted(slices)
    cuts = np.flatnonzero(np.diff(along_normal(ordered)) > SAME_MM) + 1
    edges = [0, *cuts.tolist(), len(ordered)]
    return [sorted(ordered[a:b], key=lambda s: s.order) for a, b in pairwise(edges)]


def _one_per_place(slices: list[DicomSlice]) -> list[tuple[str, list[DicomSlice], list[str]]]:
    """Divide slices so that each place occurs once: by phase, echo and the like, else by repetition."""
    places = _places(slices)
    most = max(len(place) for place in places)
    if most == 1:
        return [("", slices, [])]
    by_mark = _by_mark(slices, most)
    if by_mark:
        return [(label, part, []) for label, part in by_mark]
    places, dropped = _without_twins(places)
    notes = [_copies(dropped)] if dropped else []
    most = max(len(place) for place in places)
    turns = [[place[n] for place in places if len(place) > n] for n in range(most)]
    return [(f"repetition {n}" if most > 1 else "", turn, notes) for n, turn in enumerate(turns, start=1)]


def _by_mark(slices: list[DicomSlice], most: int) -> list[tuple[str, list[DicomSlice]]]:
    """Return the division by one or two marks that gives as many parts as slices share a place."""
    names = [name for name in slices[0].marks if len({one.marks.get(name) for one in slices}) > 1]
    for chosen in (*combinations(names, 1), *combinations(names, 2)):
        parts: dict[tuple[str, ...], list[DicomSlice]] = defaultdict(list)
        for one in slices:
            parts[tuple(one.marks.get(name, "") for name in chosen)].append(one)
        if len(parts) == most and all(len(_places(part)) == len(part) for part in parts.values()):
            keys = sorted(parts, key=_natural)
            return [(", ".join(map(" ".join, zip(chosen, key, strict=True))), parts[key]) for key in keys]
    return []


def _natural(key: tuple[str, ...]) -> list[tuple[float, str]]:
    """Sort numbers by value and the rest by letters."""
    return [(float(v), "") if v.replace(".", "", 1).isdigit() else (float("inf"), v) for v in key]


def _without_twins(places: list[list[DicomSlice]]) -> tuple[list[list[DicomSlice]], int]:
    """Drop slices with the same values as another one at the same place."""
    kept, dropped = [], 0
    for place in places:
        different: list[DicomSlice] = []
        for one in place:
            if any(same_values(one, other) for other in different):
                dropped += 1
            else:
                different.append(one)
        kept.append(different)
    return kept, dropped


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
