"""Clean a mask in steps; a job."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError
from napari_medpatch.events import Event, Finished, Job, Noted, Started, Working, run
from napari_medpatch.infer.clean.changes import StepChange, compare
from napari_medpatch.infer.clean.delta import MaskDelta
from napari_medpatch.infer.clean.history import CleanRecord
from napari_medpatch.infer.clean.registry import parse_steps
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.infer.clean.work import Mask, Place, Work, named
from napari_medpatch.io.export_values import mask_values
from napari_medpatch.io.wording import size_text
from napari_medpatch.patience import patiently, saying, stepping

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source


@dataclass(frozen=True, slots=True)
class CleanResult:
    """A cleaned mask.

    Parameters
    ----------
    mask : ndarray
        ``(*spatial)`` uint8, 0 background, 1… classes.
    class_names : tuple of str
        Of the values 1, 2, ….
    undo : CleanRecord
        What changed, by step and altogether; ``undo.delta.undo(mask)`` takes it back.
    seconds : float
        Wall time.
    files : tuple of Path
        What was written, where the job writes.
    """

    mask: Mask
    class_names: tuple[str, ...]
    undo: CleanRecord
    seconds: float
    files: tuple[Path, ...] = ()

    @property
    def changes(self) -> tuple[StepChange, ...]:
        """What each step did."""
        return self.undo.changes

    @property
    def provenance(self) -> dict[str, Any]:
        """What was done, JSON-serialisable."""
        return self.undo.to_record()


def clean_up(
    where: "Source | Sequence[float]",
    mask: npt.NDArray[Any],
    steps: Sequence[CleanStep | str],
    *,
    class_names: Sequence[str] = (),
    unit: str = "mm",
) -> Job:
    """Clean a mask; a job. The mask itself is not changed.

    Parameters
    ----------
    where : Source or sequence of float
        The image that the mask belongs to, or the size of a voxel along each axis.
    mask : ndarray
        ``(Z, Y, X)`` or ``(Y, X)``, whole numbers from 0 to 255: 0 background, 1… classes. Of volumes along
        our axes (slices going up, rows to posterior, columns to the patient's left), as ``source.data``.
    steps : sequence of CleanStep or str
        In order; text as :func:`napari_medpatch.infer.clean.registry.parse_step` reads it.
    class_names : sequence of str
        Of the values 1, 2, ….
    unit : str
        Of the voxel size: ``"mm"``, ``"um"`` or ``"px"``; ignored with a source.

    Yields
    ------
    Started, Working
        In steps; several times a second.
    Noted
        What each step changed, and what the user should know.
    Finished
        With a :class:`CleanResult`.

    Raises
    ------
    SettingsError
        If a step does not exist, does not fit the image or names a class that is not there.
    GeometryError, LabelsError
        If the mask does not lie on the image; if it holds other values.
    """
    begun = time.perf_counter()
    values = mask_values(np.asarray(mask))
    place = _place(where, values.shape, unit)
    chosen = parse_steps(steps)
    yield Started(len(chosen), "steps")
    work = Work(np.array(values, order="C"), named(class_names, values), place)
    for step in chosen:
        step.fits(work)
    first_names, changes = tuple(work.names), list[StepChange]()
    for index, step in enumerate(chosen):
        changes.append((yield from _apply(step, work, index)))
        yield Noted(changes[-1].in_words())
        yield from (Noted(note, "warning") for note in work.notes)
        work.notes.clear()
    if values.any() and not work.mask.any():
        yield Noted("Nothing is left in the mask.", "warning")
    delta = yield from saying(Working(len(chosen)), patiently(MaskDelta.between, values, work.mask))
    undo = CleanRecord(delta, first_names, tuple(work.names), tuple(changes))
    yield Finished(CleanResult(work.mask, tuple(work.names), undo, time.perf_counter() - begun))


def clean(
    mask: npt.NDArray[Any],
    steps: Sequence[CleanStep | str],
    *,
    voxel: Sequence[float],
    unit: str = "mm",
    class_names: Sequence[str] = (),
) -> tuple[Mask, tuple[str, ...]]:
    """Clean a mask at once and return it with its classes; parameters as :func:`clean_up`."""
    result: CleanResult = run(clean_up(voxel, mask, steps, class_names=class_names, unit=unit))
    return result.mask, result.class_names


def try_steps(source: "Source", steps: Sequence[CleanStep], class_names: Sequence[str]) -> tuple[str, ...]:
    """Try steps on nothing, before a mask is made with much work.

    Returns
    -------
    tuple of str
        The classes that the cleaned mask will have.

    Raises
    ------
    SettingsError
        If a step does not fit the image or names a class that is not there when its turn has come.
    """
    shape = source.levels[0].shape
    work = Work(np.zeros((1,) * len(shape), np.uint8), list(class_names), Place.on(source, shape))
    for step in steps:
        step.fits(work)
        step.check(work)
        for _ in step.apply(work):
            pass
    return tuple(work.names)


def _apply(step: CleanStep, work: Work, index: int) -> Generator[Event, None, StepChange]:
    """Apply one step and return what it changed; each piece of it runs in a thread, so that a stop is prompt."""
    step.check(work)
    before, names = work.mask.copy(), list(work.names)
    yield from stepping(Working(index), _shares(step, work, index))
    counting = patiently(compare, str(step), before, work.mask, (names, list(work.names)), work.place.voxel_ml)
    return (yield from saying(Working(index + 1), counting))


def _shares(step: CleanStep, work: Work, index: int) -> Generator[Working, None, None]:
    for share in step.apply(work):
        yield Working(index + min(1.0, share))


def _place(where: "Source | Sequence[float]", shape: tuple[int, ...], unit: str) -> Place:
    if isinstance(where, Sequence | np.ndarray):
        voxel = tuple(float(edge) for edge in where)
        if len(voxel) != len(shape):
            raise GeometryError(f"A mask of {len(shape)} axes needs as many voxel sizes; {voxel} were given.")
        return Place(voxel, unit, shape=shape)
    full = tuple(where.levels[0].shape)
    if len(full) != len(shape) or (where.kind != "slide" and full != tuple(shape)):
        raise GeometryError(f"The mask of {size_text(shape)} does not lie on {where.path.name} of {size_text(full)}.")
    return Place.on(where, shape)
