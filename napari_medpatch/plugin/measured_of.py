"""Says which layers results are of, and when those hold something else by now or are gone."""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QLabel, QWidget

from napari_medpatch.events import Finished, Job, Working
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.listen import listen

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.plugin.measure_jobs import Measured

_TICK_MS = 1000
_ROLES = ("prediction", "truth")

Arrays = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


class MeasuredOf(QLabel):
    """One sentence above the results.

    What napari says about a change differs from version to version, so its events only mean "look again"; a worker
    compares with the copies that were measured.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are.

    Signals
    -------
    changed
        A layer was removed, or is not any more what was measured.
    """

    changed = Signal()

    def __init__(self, viewer: "napari.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self._layers: list[napari.layers.Labels] = []
        self._names: list[str] = []
        self._copies: list[np.ndarray[Any, Any]] = []
        self._differ: tuple[bool, ...] = ()
        self._watched: weakref.WeakSet[napari.layers.Labels] = weakref.WeakSet()
        self.runner = JobRunner(self)
        self.runner.finished.connect(self._on_compared)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._compare)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setAccessibleName("What the results are of")
        for emitter in (viewer.layers.events.removed, viewer.layers.events.renamed):
            listen(emitter, self._say)

    def show_for(self, measured: "Measured", layers: "Sequence[napari.layers.Labels]") -> None:
        """Name the layers of a result and watch them.

        Parameters
        ----------
        measured : Measured
            Holds what they were.
        layers : sequence of Labels
            The prediction, and the truth if there is one.
        """
        masks = measured.masks
        self._layers, self._names = list(layers), [layer.name for layer in layers]
        # Of sparse labels, the truth is one less than what was painted.
        truth = masks.truth if masks.keep is None else masks.truth + masks.keep
        self._copies = [masks.prediction] if truth is None else [masks.prediction, truth]
        self._differ = (False,) * len(self._layers)
        for layer in self._layers:
            self._watch(layer)
        self._say()
        self._look_again()

    def _watch(self, layer: "napari.layers.Labels") -> None:
        if layer not in self._watched:
            self._watched.add(layer)
            events = layer.events
            for emitter in (events.paint, events.labels_update, events.set_data, events.visible):
                listen(emitter, self._look_again)

    def _look_again(self, event: Any = None) -> None:
        if event is None or event.source in self._layers:
            self._timer.start()

    def _compare(self) -> None:
        if self.runner.is_running:
            self._timer.start()
            return
        pairs = [(layer.data, copy) for layer, copy in zip(self._layers, self._copies, strict=True)]
        self.runner.start(lambda: _comparing(pairs))

    def _on_compared(self, differ: tuple[bool, ...]) -> None:
        if len(differ) == len(self._layers):
            self._differ = differ
            self._say()

    def _say(self, _event: Any = None) -> None:
        if not self._layers:
            return
        there = [layer in self.viewer.layers for layer in self._layers]
        self._names = [
            layer.name if present else name
            for layer, name, present in zip(self._layers, self._names, there, strict=True)
        ]
        gone = [role for role, present in zip(_ROLES, there, strict=False) if not present]
        other = [role for role, differs in zip(_ROLES, self._differ, strict=False) if differs]
        said = f"Results of {' against '.join(self._names)}."
        if gone:
            said += f" {_and(gone)} removed since; these are the values of before."
        elif other:
            said += f" {_and(other)} changed since: measure again."
        if said != self.text():
            self.setText(said)
            self.changed.emit()


def _and(roles: Sequence[str]) -> str:
    return f"The {' and the '.join(roles)} {'was' if len(roles) == 1 else 'were'}"


def _comparing(pairs: Sequence[Arrays]) -> Job:
    """Compare arrays slice by slice, as a job; its result is whether each pair differs."""
    differ = []
    for now, then in pairs:
        yield Working(0.0)
        differ.append(now.shape != then.shape or any(not np.array_equal(a, b) for a, b in zip(now, then, strict=True)))
    yield Finished(tuple(differ))
