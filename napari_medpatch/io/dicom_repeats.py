"""Several images of one place: copies of a file, phases, echoes, b-values, repetitions."""

from collections import defaultdict
from itertools import combinations
from typing import Any

from napari_medpatch.io.dicom_pixels import same_values
from napari_medpatch.io.dicom_places import places_of
from napari_medpatch.io.dicom_slice import DicomSlice


def without_copies(slices: list[DicomSlice]) -> tuple[list[DicomSlice], list[str]]:
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


def one_per_place(slices: list[DicomSlice]) -> list[tuple[str, list[DicomSlice], list[str]]]:
    """Divide slices so that each place occurs once: by phase, echo and the like, else by repetition."""
    places = places_of(slices)
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
    known = dict.fromkeys(name for one in slices for name in one.marks)
    names = [name for name in known if len({one.marks.get(name) for one in slices}) > 1]
    for chosen in (*combinations(names, 1), *combinations(names, 2)):
        parts: dict[tuple[str, ...], list[DicomSlice]] = defaultdict(list)
        for one in slices:
            parts[tuple(one.marks.get(name, "") for name in chosen)].append(one)
        if len(parts) == most and all(len(places_of(part)) == len(part) for part in parts.values()):
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
