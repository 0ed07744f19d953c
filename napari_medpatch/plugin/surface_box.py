"""Choose a mask, see its surface in 3D."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSpinBox, QVBoxLayout, QWidget

from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.form import add_row, combo, new_form, note
from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.scene_3d import Scene3D
from napari_medpatch.plugin.surface_layers import (
    Surfaces,
    add_surface,
    making_surfaces,
    most_triangles,
    surfaces_of,
    values_without_surface,
)
from napari_medpatch.plugin.twins import can_have_twins

if TYPE_CHECKING:
    import napari.layers

_SMOOTH = 10


class SurfaceBox(QWidget):
    """Makes surfaces of a mask in a worker and shows them in 3D.

    Parameters
    ----------
    current : CurrentImage
        In whose viewer.
    """

    def __init__(self, current: CurrentImage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = current.viewer
        self._masks: list[napari.layers.Labels] = []
        self._mask: napari.layers.Labels | None = None
        self.scene = Scene3D(self._viewer, self)
        self.runner = JobRunner(self)
        self._waiting: list[tuple[int, Any]] = []
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._add_next)
        self.mask_combo, self.smooth = combo(), QSpinBox()
        self.smooth.setRange(0, 100)
        self.smooth.setValue(_SMOOTH)
        self.smooth.setSpecialValueText("none")
        self.choices = QWidget()
        form = new_form()
        self.choices.setLayout(form)
        add_row(form, "Mask", self.mask_combo, "Labels whose classes are shown as surfaces.")
        add_row(form, "Smoothing", self.smooth, "Rounds of smoothing that keeps the size.")
        self.row = JobRow(
            self.runner,
            "3D surface",
            "Make a surface of each class of the mask, in its colour, and show it in 3D.",
            beginning="Looking at the mask…",
            if_stopped="surfaces that are shown stay",
        )
        self.row.stop_button.setText("Stop")  # the tab has no key left for it
        self.status = note()
        self.status.setAccessibleName("3D view")
        self.status.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.choices, self.row, self.status):
            layout.addWidget(widget)
        self.row.run_button.clicked.connect(self.run)
        self.runner.finished.connect(self._on_finished)
        self.scene.copies.said.connect(self._say)
        layers = self._viewer.layers
        for emitter in (layers.events.inserted, layers.events.removed, layers.selection.events.active):
            listen(emitter, self._list_masks)
        listen(layers.events.renamed, self._on_renamed)
        self._list_masks()

    @property
    def is_busy(self) -> bool:
        """Whether surfaces are being made or added."""
        return self.runner.is_running or self._timer.isActive()

    def run(self) -> None:
        """Make the surfaces of the chosen mask."""
        index = self.mask_combo.currentIndex()
        if not 0 <= index < len(self._masks):
            self.row.say("There is no mask yet: segment the volume, paint, or open a mask.")
            return
        self._mask = mask = self._masks[index]
        data, spacing, smooth = mask.data, np.abs(mask.scale).tolist(), self.smooth.value()
        skip, most = values_without_surface(mask), most_triangles(in_software=self.scene.copies.in_software)
        self.runner.start(lambda: making_surfaces(data, spacing, smooth, skip, most))

    def _on_finished(self, surfaces: Surfaces) -> None:
        mask = self._mask
        if mask is None or mask not in self._viewer.layers:
            self.row.say("The mask was removed, so its surface is dropped.")
            return
        for earlier in surfaces_of(self._viewer, mask):
            if earlier.metadata["medpatch"]["value"] not in surfaces.by_value:
                self._viewer.layers.remove(earlier)
        self._waiting = list(surfaces.by_value.items())
        count = sum(len(faces) for _, faces in surfaces.by_value.values())
        number = len(self._waiting)
        said = f"{number} surface{'s' if number != 1 else ''} of {count:,} triangles"
        self.row.say(f"{said}, coarser than the mask, to turn quickly." if surfaces.coarser else f"{said}.")
        self._timer.start()

    def _add_next(self) -> None:
        """Add one layer at a time: napari needs a tenth of a second for each, and the window must stay alive."""
        mask = self._mask
        if mask is None or mask not in self._viewer.layers:
            self._waiting.clear()
        elif self._waiting:
            add_surface(self._viewer, mask, *self._waiting.pop(0))
            return
        elif self.scene.is_3d:
            self.scene.make_way()
        else:
            self.scene.look_from_front()
        self._timer.stop()

    def _say(self, sentence: str) -> None:
        self.status.setText(sentence)
        self.status.setVisible(bool(sentence))

    def _on_renamed(self, _event: Any = None) -> None:
        for index, mask in enumerate(self._masks):
            self.mask_combo.setItemText(index, mask.name)

    def _list_masks(self, _event: Any = None) -> None:
        """Offer the labels of the viewer; the selected ones first."""
        from napari.layers import Labels

        active = self._viewer.layers.selection.active
        masks = [each for each in reversed(self._viewer.layers) if isinstance(each, Labels) and can_have_twins(each)]
        if [id(mask) for mask in masks] != [id(mask) for mask in self._masks]:
            self._masks = masks
            self.mask_combo.clear()
            self.mask_combo.addItems([mask.name for mask in masks])
        if active in masks:
            self.mask_combo.setCurrentIndex(masks.index(active))
        self.choices.setVisible(bool(masks))
