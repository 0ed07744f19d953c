"""Filling many voxels into a labels layer as one undo step, without holding up the window."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_medpatch.events import Finished, Job, Started, Working
from napari_medpatch.plugin.accepted import accepted_of
from napari_medpatch.plugin.jobs import JobRunner

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.annotate.origins import AcceptedPart

_CHUNK = 50_000
"""Voxels that napari takes in about 5 ms."""
_SLICE_SECONDS = 0.01
Region = tuple[slice, ...]
Voxels = tuple[tuple["np.ndarray[Any, Any]", ...], "np.ndarray[Any, Any]"]


@dataclass(frozen=True, slots=True)
class Located:
    """Where labels are to be filled in.

    Parameters
    ----------
    part : AcceptedPart or None
        What is filled in; None if nothing is left unlabelled there.
    chunks : list
        ``(indices, values)`` of a few voxels each, as ``Labels.data_setitem`` takes them.
    """

    part: "AcceptedPart | None"
    chunks: list[Voxels] = field(default_factory=list)

    @property
    def voxels(self) -> int:
        """How many there are."""
        return sum(len(values) for _, values in self.chunks)


class Acceptor(QObject):
    """Fills proposed labels into a layer, where it is unlabelled; Ctrl+Z takes them back at once.

    Signals
    -------
    filled (Located)
        All is in the layer.
    failed (str)
        One sentence.
    """

    filled = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = JobRunner(self)
        self._runner.finished.connect(self._begin)
        self._runner.failed.connect(self.failed)
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._go_on)
        self._layer: napari.layers.Labels | None = None
        self._located = Located(None)
        self._left: Iterator[Voxels] = iter(())
        self._step = ExitStack()

    @property
    def is_busy(self) -> bool:
        """Whether it is at work."""
        return self._runner.is_running or self._timer.isActive()

    def accept(
        self,
        layer: "napari.layers.Labels",
        proposal: Callable[[], "np.ndarray[Any, Any]"],
        region: Region,
        origin: int,
    ) -> None:
        """Fill a proposal in.

        Parameters
        ----------
        layer : Labels
            Sparse labels.
        proposal : callable
            Returns uint8 label values on the same grid, 0 where nothing is proposed; called in a worker.
        region : tuple of slice
            The part of it to accept.
        origin : int
            Of :mod:`napari_medpatch.annotate.origins`.
        """
        if not self.is_busy:
            self._layer = layer
            labels = layer.data
            self._runner.start(lambda: locating(proposal(), labels, region, origin))

    def _begin(self, located: Located) -> None:
        layer, self._located, self._left = self._layer, located, iter(located.chunks)
        if located.part is None:
            self.filled.emit(located)
            return
        # A stroke in between would end the step half-way; making the layer uneditable would forget all earlier ones.
        mode, layer.mode = layer.mode, "pan_zoom"
        self._step.callback(lambda: setattr(layer, "mode", mode))
        self._step.enter_context(layer.block_history())
        self._timer.start()

    def _go_on(self) -> None:
        until = time.monotonic() + _SLICE_SECONDS
        for indices, values in self._left:
            free = self._layer.data[indices] == 0
            self._layer.data_setitem(tuple(index[free] for index in indices), values[free], refresh=False)
            if time.monotonic() > until:
                return
        self._end()

    def _end(self) -> None:
        self._timer.stop()
        self._step.close()
        layer, located = self._layer, self._located
        accepted_of(layer).add(located.part)
        layer.refresh()
        self.filled.emit(located)


def locating(proposal: "np.ndarray[Any, Any]", labels: "np.ndarray[Any, Any]", region: Region, origin: int) -> Job:
    """Find the unlabelled voxels of a proposal, as a job; its result is a :class:`Located`."""
    from napari_medpatch.annotate.origins import AcceptedPart

    corner = tuple(part.indices(size)[0] for part, size in zip(region, labels.shape, strict=True))
    part = AcceptedPart.of(np.where(labels[region] == 0, proposal[region], 0).astype(np.uint8), origin, corner)
    if part is None:
        yield Finished(Located(None))
        return
    yield Started(len(part.labels), "slices")
    chunks: list[Voxels] = []
    for index, plane in enumerate(part.labels):
        chunks.extend(_chunks(plane, index, part.box.start))
        yield Working(index + 1)
    yield Finished(Located(part, _gathered(chunks)))


def _chunks(plane: "np.ndarray[Any, Any]", index: int, start: tuple[int, ...]) -> Iterator[Voxels]:
    """Yield the labelled voxels of a plane; 16 bits index any layer that can be painted, at a fourth of the memory."""
    found = np.nonzero(plane)
    for first in range(0, len(found[0]), _CHUNK):
        some = tuple(axis[first : first + _CHUNK] for axis in found)
        where = (np.full(len(some[0]), index), *some)
        indices = tuple((axis + corner).astype(np.uint16) for axis, corner in zip(where, start, strict=True))
        yield indices, plane[some]


def _gathered(chunks: list[Voxels]) -> list[Voxels]:
    """Join chunks as long as they stay small: each costs a call."""
    result: list[Voxels] = []
    group: list[Voxels] = []
    for chunk in chunks:
        if group and sum(len(values) for _, values in (*group, chunk)) > _CHUNK:
            result.append(_joined(group))
            group = []
        group.append(chunk)
    return [*result, *([_joined(group)] if group else [])]


def _joined(group: list[Voxels]) -> Voxels:
    indices = tuple(np.concatenate(parts) for parts in zip(*(indices for indices, _ in group), strict=True))
    return indices, np.concatenate([values for _, values in group])
