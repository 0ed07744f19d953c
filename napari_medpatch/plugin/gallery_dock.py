"""The gallery: the most and the least probable patches of a class, live."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QLabel, QSpinBox, QVBoxLayout, QWidget

from napari_medpatch.events import Event, Job, PictureRead
from napari_medpatch.infer.gallery import PROBABILITY, ends, thumbnails
from napari_medpatch.plugin.form import add_row, combo, new_form, note
from napari_medpatch.plugin.heat_map import Cell, HeatMap, heat_map_of
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.links import bare, source_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.thumb_list import ThumbList, pixmap_of
from napari_medpatch.plugin.view_place import fly_to

if TYPE_CHECKING:
    import napari
    import napari.layers

_REFRESH_MS = 1500
"""While a run goes on, the order is looked up anew this often."""

_MOST_PICTURES = 2000
"""Kept in memory, 70 MB."""


class GalleryDock(QWidget):
    """Two grids of thumbnails.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose camera flies.

    Signals
    -------
    chosen (layer, cell)
        The heat map layer and the patch that was double-clicked.
    """

    chosen = Signal(object, object)

    def __init__(self, viewer: "napari.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = bare(viewer)
        self.heat_map: HeatMap | None = None
        self.pictures: dict[Cell, Any] = {}
        self._reading: list[Cell] = []
        self._seen: tuple[Any, ...] = ()
        self.runner = JobRunner(self)
        self._make()
        self._lay_out()
        self._connect()

    def follow(self, layer: "napari.layers.Layer") -> None:
        """Show the patches of a heat map layer."""
        heat = heat_map_of(layer)
        if heat is None:
            return
        if not heat.is_like(self.heat_map):
            self.runner.stop()
            self.pictures.clear()
        self.heat_map = heat
        self.setEnabled(True)
        self._offer(self.class_combo, list(heat.class_names), heat.class_index)
        self._offer(self.by_combo, [PROBABILITY, *heat.extras], self.by_combo.currentIndex())
        self._seen = ()
        self.refresh()

    def refresh(self) -> None:
        """Look up which patches are first and last by now, and read what is missing of them."""
        heat = self.heat_map
        if heat is None or not self._changed(heat):
            return
        self._offer(self.by_combo, [PROBABILITY, *heat.extras], self.by_combo.currentIndex())
        by, index = self.by_combo.currentText(), max(0, self.class_combo.currentIndex())
        most, least = ends(heat.values_of(by, index), self.count.value())
        what = f"p({self.class_combo.currentText()})" if by == PROBABILITY else by
        for title, thumbs, picks, word in (
            (self.most_title, self.most, most, "Highest"),
            (self.least_title, self.least, least, "Lowest"),
        ):
            title.setText(f"{word} {what}")
            cells = [(int(row), int(col)) for row, col in picks.cells]
            thumbs.show_patches(cells, picks.values.tolist(), self.pictures)
        known = int(np.isfinite(heat.layer.data).sum())
        self.title.setText(f"{heat.layer.name}: {known:,} patches." if known else "No patch has been scored yet.")
        self._read()

    def _make(self) -> None:
        self.title = note("Open a heat map first: run a classification.")
        self.class_combo, self.by_combo = combo(), combo()
        self.by_combo.addItem(PROBABILITY)
        self.count = QSpinBox()
        self.count.setRange(1, 200)
        self.count.setValue(12)
        self.most_title, self.least_title = QLabel("Highest"), QLabel("Lowest")
        self.most, self.least = (
            ThumbList("Patches with the highest values"),
            ThumbList("Patches with the lowest values"),
        )
        self.timer = QTimer(self)
        self.timer.setInterval(_REFRESH_MS)
        self.timer.timeout.connect(self._on_timer)
        self.timer.start()

    def _lay_out(self) -> None:
        form = new_form()
        add_row(form, "C&lass", self.class_combo, "Whose probability orders the patches.")
        add_row(
            form, "Sort &by", self.by_combo, "Probability of the class, or how uncertain or attentive the model was."
        )
        add_row(form, "&Number", self.count, "Patches in each grid.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.title)
        layout.addLayout(form)
        for title, thumbs in ((self.most_title, self.most), (self.least_title, self.least)):
            title.setBuddy(thumbs)
            layout.addWidget(title)
            layout.addWidget(thumbs, 1)
        self.setMinimumWidth(300)

    def _connect(self) -> None:
        self.class_combo.currentIndexChanged.connect(self._on_choice)
        self.by_combo.currentIndexChanged.connect(self._on_choice)
        self.count.valueChanged.connect(self._on_choice)
        for thumbs in (self.most, self.least):
            thumbs.chosen.connect(self._on_chosen)
        self.runner.progressed.connect(self._on_pictures)
        self.runner.idle.connect(self._read)
        listen(self.viewer.layers.events.removed, self._on_removed)

    def _changed(self, heat: HeatMap) -> bool:
        """Whether anything that decides the order changed since the last look."""
        values = heat.values_of(self.by_combo.currentText(), max(0, self.class_combo.currentIndex()))
        known = np.isfinite(values)
        now = (
            id(heat.layer), self.class_combo.currentIndex(), self.by_combo.currentText(), self.count.value(),
            int(known.sum()), float(values[known].sum(dtype=np.float64)), tuple(heat.extras),
        )  # fmt: skip
        changed, self._seen = now != self._seen, now
        return changed

    def _on_timer(self) -> None:
        if self.isVisible():
            self.refresh()

    def _on_choice(self, _value: Any = None) -> None:
        self.refresh()

    def _on_chosen(self, cell: Cell) -> None:
        heat = self.heat_map
        if heat is None or heat.image not in self.viewer.layers:
            return
        fly_to(self.viewer, heat.image, heat.box_of(cell))
        self.chosen.emit(heat.layer, cell)

    def _on_removed(self, _event: Any = None) -> None:
        heat = self.heat_map
        if heat is None or (heat.layer in self.viewer.layers and heat.image in self.viewer.layers):
            return
        self.heat_map = None
        self.runner.stop()
        self.pictures.clear()
        self.most.clear()
        self.least.clear()
        self.title.setText("The heat map was removed; run a classification and open the gallery again.")
        self.setEnabled(False)

    def _read(self) -> None:
        """Read the pictures that are missing."""
        heat = self.heat_map
        if heat is None or self.runner.is_running:
            return
        if len(self.pictures) > _MOST_PICTURES:
            self.pictures.clear()
        self._reading = [cell for cell in (*self.most.cells, *self.least.cells) if cell not in self.pictures]
        if not self._reading:
            return
        image = heat.image
        boxes = np.array([(*box.start, *box.stop) for box in map(heat.box_of, self._reading)], np.int64)

        def make_job() -> Job:
            return thumbnails(source_of(image), boxes)

        self.runner.start(make_job)

    def _on_pictures(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, PictureRead) and event.index < len(self._reading):
                cell = self._reading[event.index]
                self.pictures[cell] = pixmap_of(event.pixels)
                self.most.put(cell, self.pictures[cell])
                self.least.put(cell, self.pictures[cell])

    @staticmethod
    def _offer(box: Any, names: list[str], index: int) -> None:
        """Fill a drop-down list if its entries changed."""
        if [box.itemText(i) for i in range(box.count())] == names:
            return
        box.blockSignals(True)
        box.clear()
        box.addItems(names)
        box.setCurrentIndex(min(max(index, 0), len(names) - 1))
        box.blockSignals(False)
