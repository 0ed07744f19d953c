"""Jobs of the clean-up box; they run in a worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_medpatch.events import Finished, Job, Started, Working
from napari_medpatch.infer.clean.history import CleanHistory, CleanRecord
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.plugin.clean_layers import change_of
from napari_medpatch.plugin.links import image_of, image_shape, kind_of, source_of
from napari_medpatch.plugin.mask_layers import pixel_size

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.infer.clean.job import CleanResult


@dataclass(frozen=True, slots=True)
class Written:
    """A clean-up, or its undoing, that has been written into a layer.

    Parameters
    ----------
    record : CleanRecord
        What changed.
    names : tuple of str
        Classes of the mask now.
    stayed : int
        Voxels that someone painted meanwhile and that were left alone.
    said : str
        For the user.
    """

    record: CleanRecord
    names: tuple[str, ...]
    stayed: int
    said: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a clean-up would do.

    Parameters
    ----------
    result : CleanResult
        The cleaned mask and what each step changed.
    values : ndarray
        For a layer: 1 added or changed, 2 removed.
    """

    result: "CleanResult"
    values: Any


def cleaning(
    layer: "napari.layers.Labels",
    image: "napari.layers.Image | None",
    steps: Sequence[CleanStep],
    names: Sequence[str],
) -> Job:
    """Return the job that cleans a layer's mask; the layer itself stays as it is."""
    from napari_medpatch.infer.clean.job import clean_up

    belongs = image_of(layer) or image
    if belongs is not None and _lies_on(layer, belongs):
        return clean_up(source_of(belongs), layer.data, steps, class_names=names)
    unit, spacing = pixel_size(layer)
    return clean_up(spacing or (1.0,) * layer.ndim, layer.data, steps, class_names=names, unit=unit)


def previewing(
    layer: "napari.layers.Labels",
    image: "napari.layers.Image | None",
    steps: Sequence[CleanStep],
    names: Sequence[str],
) -> Job:
    """Clean, and work out what to show of the change; the result is a :class:`Preview`."""
    for event in cleaning(layer, image, steps, names):
        if isinstance(event, Finished):
            yield Finished(Preview(event.result, change_of(event.result.undo, layer.data.shape)))
        else:
            yield event


def applying(data: Any, done: CleanHistory, record: CleanRecord, said: str) -> Job:
    """Write a clean-up into a layer's array and remember it."""

    def write() -> tuple[CleanRecord, int]:
        stayed = record.delta.redo(data)
        done.add(record)
        return record, stayed

    return _writing(write, record.names_after, said)


def undoing(data: Any, done: CleanHistory) -> Job:
    """Take the last clean-up back."""
    return _writing(lambda: done.undo(data), done.done[-1].names_before, "Undone")


def redoing(data: Any, done: CleanHistory) -> Job:
    """Apply the clean-up that was undone last."""
    return _writing(lambda: done.redo(data), done.undone[-1].names_after, "Done again")


def _writing(write: Callable[[], tuple[CleanRecord, int]], names: tuple[str, ...], said: str) -> Job:
    yield Started(1, "steps")
    # Once begun it is finished: half of a clean-up could not be undone.
    record, stayed = write()
    yield Working(1.0)
    yield Finished(Written(record, names, stayed, said))


def _lies_on(layer: "napari.layers.Labels", image: "napari.layers.Image") -> bool:
    full = image_shape(image)
    return full == layer.data.shape or (kind_of(image) == "slide" and len(full) == layer.ndim)
