"""Where slices lie along their common normal."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from napari_medpatch.io.dicom_slice import DicomSlice
from napari_medpatch.io.dicom_spacing import SAME_MM, Floats


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


def in_order(slices: Iterable[DicomSlice]) -> list[DicomSlice]:
    """Return slices of one orientation from the low end of their normal to the high one."""
    found = list(slices)
    return [found[n] for n in np.argsort(along_normal(found), kind="stable")]


def places_of(slices: list[DicomSlice]) -> list[list[DicomSlice]]:
    """Return the slices at each place, in order of acquisition."""
    ordered = in_order(slices)
    cuts = np.flatnonzero(np.diff(along_normal(ordered)) > SAME_MM) + 1
    edges = [0, *cuts.tolist(), len(ordered)]
    return [sorted(ordered[a:b], key=lambda s: s.order) for a, b in pairwise(edges)]
