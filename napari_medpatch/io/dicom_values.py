"""Read all slices of a stack into one array in our axes, a few files at a time.

The array is made once, in its final type, and each slice is written to its place as soon as it is decoded:
nothing else of the volume's size is ever in memory. The rule for values is that of ``io/nifti_values.py``: whole
numbers that fit are int16, so is CT in HU, everything else is float32.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.io.dicom_grid import StackGrid
from napari_medpatch.io.dicom_pixels import read_values
from napari_medpatch.io.dicom_slice import DicomSlice
from napari_medpatch.io.dicom_stack import Stack
from napari_medpatch.io.nifti_values import Reading, ValueFacts, merged, survey
from napari_medpatch.io.source import AnyArray

_THREADS = 4


def read_stack(stack: Stack, placed: StackGrid) -> Reading:
    """Read a stack; yields the number of slices read so far.

    Parameters
    ----------
    stack : Stack
        The slices.
    placed : StackGrid
        Where they go.

    Returns
    -------
    array : ndarray
        ``(Z, Y, X)``, int16 or float32, C-contiguous; missing slices are interpolated from their neighbours.
    facts : ValueFacts
        Of the values as scaled.

    Raises
    ------
    DamagedFileError, UnsupportedFormatError
        If a slice cannot be read.
    """
    is_ct = stack.first.file.is_ct
    small = is_ct or all(_is_whole(one) for one in stack.slices)
    dtype: np.dtype[Any] = np.dtype(np.int16 if small else np.float32)
    array, found = yield from _pass(stack, placed, dtype)
    # What the header calls CT counts as CT, air or not, and nothing else does.
    facts = replace(merged(found), air=1.0 if is_ct else 0.0)
    if dtype == np.int16 and facts.dtype != np.int16:
        del array  # before its successor of twice the size is made
        array, _ = yield from _pass(stack, placed, facts.dtype)
    return array, facts


def _pass(
    stack: Stack, placed: StackGrid, dtype: np.dtype[Any]
) -> Generator[int, None, tuple[AnyArray, list[ValueFacts]]]:
    """Read all slices as one type; those that do not fit it are left out, which their facts tell."""
    orientation, shape = placed.grid.orientation, placed.grid.shape
    array = np.zeros(orientation.canonical_shape(shape), dtype=dtype)
    on_file_grid = orientation.to_file(array)
    place = {id(one): k for one, k in zip(stack.slices, placed.places, strict=True)}
    found: list[ValueFacts] = []

    def take(one: DicomSlice, values: AnyArray) -> None:
        facts = survey(values)
        found.append(facts)
        if dtype != np.int16 or facts.fits_int16:
            rounded = np.rint(values) if dtype == np.int16 and values.dtype.kind == "f" else values
            on_file_grid[:, :, place[id(one)]] = rounded.T

    yield from _in_threads(stack.slices, take)
    _fill(on_file_grid, placed)
    return array, found


def _in_threads(
    slices: Sequence[DicomSlice], take: Callable[[DicomSlice, AnyArray], None]
) -> Generator[int, None, None]:
    """Read files in threads; yields the number of slices done. Closing it waits for the files under way only."""
    by_file: dict[Path, list[DicomSlice]] = defaultdict(list)
    for one in slices:
        by_file[one.path].append(one)

    if len(by_file) == 1:
        for done, (one, values) in enumerate(read_values(slices[0].path, slices), start=1):
            take(one, values)
            yield done
        return

    def read(path: Path) -> int:
        for one, values in read_values(path, by_file[path]):
            take(one, values)
        return len(by_file[path])

    pool, done = ThreadPoolExecutor(_THREADS, thread_name_prefix="dicom"), 0
    try:
        for future in as_completed([pool.submit(read, path) for path in by_file]):
            done += future.result()
            yield done
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _is_whole(one: DicomSlice) -> bool:
    """Whether slope and intercept keep whole numbers whole; entries of tables are."""
    return one.has_table or all(v is None or v.is_integer() for v in (one.slope, one.intercept))


def _fill(on_file_grid: AnyArray, placed: StackGrid) -> None:
    """Interpolate missing slices linearly from the slices before and after."""
    there = np.asarray(placed.places)
    for k in placed.missing:
        low, high = there[there < k].max(), there[there > k].min()
        share = (k - low) / (high - low)
        before, after = (on_file_grid[:, :, n].astype(np.float32) for n in (low, high))
        values = before + share * (after - before)
        on_file_grid[:, :, k] = np.rint(values) if on_file_grid.dtype.kind == "i" else values
