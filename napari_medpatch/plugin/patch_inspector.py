"""The inspector: click a patch, see its pixels, its scores and where the model looked."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QLineEdit, QSlider, QVBoxLayout, QWidget

from napari_medpatch.events import Event, Job, PictureRead
from napari_medpatch.plugin.class_bars import ClassBars
from napari_medpatch.plugin.clicks import listen_to_clicks
from napari_medpatch.plugin.form import add_row, combo, new_form, note
from napari_medpatch.plugin.heat_map import Cell, HeatMap, heat_map_of
from napari_medpatch.plugin.hiding_note import HidingNote
from napari_medpatch.plugin.inference_settings import where_models_run
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.links import bare, source_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.loaded_cam import LoadedCam
from napari_medpatch.plugin.patch_picture import PatchPicture
from napari_medpatch.plugin.patch_words import extras_in_words, place_in_words
from napari_medpatch.plugin.scrolling import scrolled
from napari_medpatch.plugin.selection_frame import SelectionFrame
from napari_medpatch.plugin.stitch_box import StitchBox

if TYPE_CHECKING:
    import napari
    import napari.layers

_PREDICTED = "the predicted one"
_PICTURES = ("full resolution", "as the model sees it")


class PatchInspector(QWidget):
    """A dock that follows clicks on the heat map.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose canvas is clicked.
    """

    def __init__(self, viewer: "napari.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = bare(viewer)
        self.heat_map: HeatMap | None = None
        self.cell: Cell | None = None
        self.view: Any = None
        self._pixels: dict[int, Any] = {}
        self._waiting = self._hidden = False
        self._cams = LoadedCam()
        self.runner = JobRunner(self)
        self.frame = SelectionFrame(self.viewer, self)
        self._make()
        self._lay_out()
        self._connect()

    def follow(self, layer: "napari.layers.Layer") -> None:
        """Inspect the patches of a heat map layer."""
        heat = heat_map_of(layer)
        if heat is None:
            return
        if not heat.is_like(self.heat_map):
            self.clear()
        self.heat_map = self.stitch.heat_map = heat
        self._offer_classes(heat)
        self.setEnabled(True)
        self.title.setText(f"Click a patch of {heat.layer.name}.")
        if self.cell is not None:
            self.select(self.cell)

    def select(self, cell: Cell) -> None:
        """Show a patch."""
        heat = self.heat_map
        if heat is None:
            return
        self.cell = cell
        self.view, self._pixels = None, {}
        self.frame.show(heat.image, heat.box_of(cell))
        self.picture.show_heat(None)
        self.picture.show_pixels(None)
        self._show_scores()
        self._look()

    def clear(self) -> None:
        """Forget the patch and end what runs."""
        self.runner.stop()
        self.cell, self.view, self._pixels, self._waiting = None, None, {}, False
        self.frame.remove()
        self.picture.show_pixels(None)
        self.picture.show_heat(None)
        self.bars.clear()
        self.extras.clear()
        self.said.clear()

    def hideEvent(self, event: QHideEvent) -> None:
        self._hidden = True
        self.frame.remove()
        super().hideEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._hidden = False
        if self.heat_map is not None and self.cell is not None:
            self.frame.show(self.heat_map.image, self.heat_map.box_of(self.cell))

    def _make(self) -> None:
        self.title = note("Open a heat map first: run a classification.")
        self.title.setAccessibleName("Where the patch is")
        self.picture = PatchPicture()
        self.which = combo()
        self.which.addItems(_PICTURES)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(50)
        self.classes = combo()
        self.layer_name = QLineEdit()
        self.layer_name.setPlaceholderText("the last one with positions")
        self.bars = ClassBars()
        self.extras, self.said = HidingNote(), HidingNote()
        self.stitch = StitchBox(self.viewer, self._cam_maker, self._chosen_class, self.frame)

    def _lay_out(self) -> None:
        form = new_form()
        add_row(form, "P&ixels", self.which, "Full resolution, or the size and resolution that the network gets.")
        add_row(form, "Grad-CAM o&pacity", self.opacity, "How much the Grad-CAM covers the pixels.")
        add_row(form, "E&xplain class", self.classes, "What the Grad-CAM is to speak for.")
        add_row(
            form,
            "Net&work layer",
            self.layer_name,
            "Where the Grad-CAM is taken, for example layer3; Enter applies. Earlier layers are finer and less sure.",
        )
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(6, 6, 6, 6)
        for widget in (self.title, self.picture, self.bars, self.extras, self.said):
            layout.addWidget(widget)
        layout.addLayout(form)
        layout.addWidget(self.stitch)
        layout.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(body))
        self.setMinimumWidth(300)

    def _connect(self) -> None:
        self.opacity.valueChanged.connect(lambda value: self.picture.set_opacity(value / 100))
        self.which.currentIndexChanged.connect(self._show_pixels)
        self.classes.currentIndexChanged.connect(self._look)
        self.layer_name.editingFinished.connect(self._on_layer_name)
        self.picture.stepped.connect(self._on_step)
        self.runner.progressed.connect(self._on_progress)
        self.runner.finished.connect(self._on_view)
        self.runner.failed.connect(self.said.setText)
        self.runner.idle.connect(self._on_idle)
        listen_to_clicks(self.viewer, self._on_click)
        listen(self.viewer.layers.events.removed, self._on_removed)
        listen(self.viewer.layers.selection.events.active, self._on_active)
        self._explained_layer = ""

    def _on_click(self, position: Any) -> None:
        heat = self.heat_map
        if heat is None or self._hidden or heat.layer not in self.viewer.layers:
            return
        cell = heat.cell_at(position)
        if cell is not None:
            self.select(cell)

    def _on_step(self, rows: int, cols: int) -> None:
        if self.heat_map is None or self.cell is None:
            return
        cell = self.cell[0] + rows, self.cell[1] + cols
        if all(0 <= a < n for a, n in zip(cell, self.heat_map.layer.data.shape[:2], strict=True)):
            self.select(cell)

    def _on_active(self, _event: Any = None) -> None:
        """Follow the user to the heat map of another class or run."""
        layer = self.viewer.layers.selection.active
        if not self._hidden and (self.heat_map is None or layer is not self.heat_map.layer):
            self.follow(layer)

    def _on_removed(self, _event: Any = None) -> None:
        heat = self.heat_map
        if heat is None or (heat.layer in self.viewer.layers and heat.image in self.viewer.layers):
            return
        self.heat_map = self.stitch.heat_map = None
        self.clear()
        self.stitch.runner.stop()
        self._cams = LoadedCam()
        self.title.setText("The heat map was removed; run a classification, or select another heat map.")
        self.setEnabled(False)

    def _on_layer_name(self) -> None:
        if self.layer_name.text().strip() != self._explained_layer:
            self._explained_layer = self.layer_name.text().strip()
            self._look()

    def _offer_classes(self, heat: HeatMap) -> None:
        names = [_PREDICTED, *heat.class_names]
        if [self.classes.itemText(index) for index in range(self.classes.count())] != names:
            self.classes.blockSignals(True)
            self.classes.clear()
            self.classes.addItems(names)
            self.classes.blockSignals(False)

    def _chosen_class(self) -> int | None:
        return self.classes.currentIndex() - 1 if self.classes.currentIndex() > 0 else None

    def _cam_maker(self) -> Any:
        """Return what loads the model in a worker."""
        bundle = self.heat_map.bundle  # type: ignore[union-attr]
        device, layer = str(where_models_run()["device"]), self.layer_name.text().strip() or None
        return lambda: self._cams.get(bundle, device, layer)

    def _look(self, _index: int = 0) -> None:
        """Read and explain the selected patch; what is under way is dropped first."""
        heat, cell = self.heat_map, self.cell
        if heat is None or cell is None:
            return
        if self.runner.is_running:
            self._waiting = True
            self.runner.stop()
            return
        if heat.bundle is None:
            self.said.setText("This heat map does not say which model made it, so there is no Grad-CAM.")
        image, bundle, box = heat.image, heat.bundle, heat.box_of(cell)
        cam, index = self._cam_maker(), self._chosen_class()

        def make_job() -> Job:
            from napari_medpatch.infer.patch_view import look_at_patch

            return look_at_patch(source_of(image), box, bundle, cam, index)

        self.runner.start(make_job)

    def _on_idle(self) -> None:
        if self._waiting:
            self._waiting = False
            self._look()

    def _on_progress(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, PictureRead):
                self._pixels[event.index] = event.pixels
        self._show_pixels()

    def _on_view(self, view: Any) -> None:
        if self.heat_map is None or view is None:
            return
        self.view = view
        self.picture.show_heat(view.heat)
        name = self.heat_map.class_names[view.class_index] if self.heat_map.class_names else view.class_index
        self.said.setText(f"Grad-CAM of {name}, layer {view.layer}.")
        if not self.heat_map.is_scored(self.cell):
            self.bars.show_values(self.heat_map.class_names, view.probabilities)
            self.extras.setText("The run did not score this patch; the probabilities were computed now.")

    def _show_pixels(self, _index: int = 0) -> None:
        wanted = self.which.currentIndex()
        pixels = self._pixels.get(wanted, self._pixels.get(0))
        if pixels is not None:
            self.picture.show_pixels(pixels)

    def _show_scores(self) -> None:
        heat, cell = self.heat_map, self.cell
        values = np.asarray(heat.probabilities[cell], np.float64)
        self.title.setText(place_in_words(heat, cell))
        self.bars.show_values(heat.class_names or ("probability",), values)
        self.extras.setText(extras_in_words({name: each[cell] for name, each in heat.extras.items()}))
