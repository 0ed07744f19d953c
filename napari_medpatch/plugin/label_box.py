"""The upper half of the Paint & learn tab: sparse labels of the current image, kept on disk."""

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.plugin.accepted import accepted_of
from napari_medpatch.plugin.class_list import ClassList, default_colours
from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.form import add_row, button, combo, new_form, note
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.links import spacing_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.paint_panel import PaintPanel
from napari_medpatch.plugin.sparse_layer import (
    Grid,
    add_sparse_layer,
    colour_layer,
    default_grid,
    paintable_grids,
    sparse_layer,
)
from napari_medpatch.plugin.stroke_keeper import Counted, StrokeKeeper
from napari_medpatch.plugin.strokes import looking_for_strokes, saver

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.annotate.label_store import SavedLabels

_FIRST_NAMES = ("background", "class 1")


class LabelBox(QWidget):
    """New labels, the classes, the brush, how much is labelled.

    Parameters
    ----------
    current : CurrentImage
        What is painted on.

    Signals
    -------
    followed
        Other labels are current, or none.
    """

    followed = Signal()

    def __init__(self, current: CurrentImage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.current, self.viewer = current, current.viewer
        self.grids: list[Grid] = []
        self._asked_about: napari.layers.Image | None = None
        self._watched: napari.layers.Labels | None = None
        self._found: SavedLabels | None = None
        self._window: weakref.ref[QWidget] | None = None
        self.keeper, self.finder = StrokeKeeper(self), JobRunner(self)
        self._build()
        self.keeper.counted.connect(self._show_counts)
        self.finder.finished.connect(self._on_strokes_found)
        self.finder.idle.connect(self._look_for_strokes)
        layers = self.viewer.layers
        for emitter in (layers.events.inserted, layers.events.removed, layers.selection.events.active):
            listen(emitter, self._follow)

    def labels(self) -> "napari.layers.Labels | None":
        """Return the sparse labels of the current image."""
        image = self.current.layer
        return sparse_layer(self.viewer, image) if image is not None else None

    def new_labels(self) -> None:
        """Add empty sparse labels on the current image."""
        if self.current.layer is not None:
            self._add(self.grids[max(0, self.grid_combo.currentIndex())], None)

    def on_image(self) -> None:
        """Adapt to another image; there must be one."""
        self.grids = paintable_grids(self.current.layer)
        spacing = spacing_of(self.current.layer)
        self.grid_combo.clear()
        self.grid_combo.addItems([grid.in_words(spacing) for grid in self.grids])
        self.grid_combo.setCurrentIndex(default_grid(self.grids))
        for widget in (self.grid_combo, self.grid_label):
            widget.setVisible(len(self.grids) > 1)
        self.paint.in_3d.setVisible(self.current.kind == "volume")
        self._follow()
        self._look_for_strokes()

    def showEvent(self, event: QEvent) -> None:
        """Learn when the window closes: napari tells its docks' widgets nothing."""
        super().showEvent(event)
        if self._window is None or self._window() is not self.window():
            # Weakly: a dock that holds its window keeps it from being collected.
            self._window = weakref.ref(self.window())
            self.window().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Close and self._window is not None and watched is self._window():
            self.keeper.flush()
        return False

    def _build(self) -> None:
        form = new_form()
        self.grid_combo = combo()
        tip = "Slides are painted and learned at a reduced resolution: napari cannot edit several at once."
        self.grid_label = add_row(form, "Pi&xels of labels", self.grid_combo, tip)
        self.new_button = button(
            "New sparse l&abels",
            "Add a layer for strokes on the current image. Unpainted voxels stay unlabelled and training ignores them.",
            self.new_labels,
        )
        self.resume_button = button(
            "Cont&inue with saved strokes", "Strokes of an earlier session were found.", self._resume
        )
        self.resume_button.hide()
        self.classes, self.paint, self.fraction = ClassList(), PaintPanel(), note()
        self.fraction.setAccessibleName("How much is labelled")
        self.classes.show_classes(_FIRST_NAMES, default_colours(len(_FIRST_NAMES)))
        self.classes.selected.connect(self._select_class)
        self.classes.edited.connect(self._on_classes_edited)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        for widget in (self.new_button, self.resume_button, self.classes, self.paint, self.fraction):
            layout.addWidget(widget)

    def _add(self, grid: Grid, strokes: Any, origins: Any = None) -> None:
        names, colours = self.classes.names(), self.classes.colours()
        add_sparse_layer(self.viewer, self.current.layer, grid, names, colours, strokes, origins)
        self.resume_button.hide()
        self._follow()

    def _follow(self, _event: Any = None) -> None:
        """Point brush, list and keeper at the labels of the current image."""
        layer = self.labels()
        if layer is self._watched:
            return
        self._watched = layer
        self.paint.follow(layer)
        if layer is None:
            self.keeper.watch(None)
            self.fraction.setText("No sparse labels yet.")
        else:
            self._keep(layer)
        self.followed.emit()

    def _keep(self, layer: "napari.layers.Labels") -> None:
        """Show the classes of a layer and keep its strokes on disk."""
        facts = layer.metadata["medpatch"]
        self.classes.show_classes(facts["class_names"], facts["colours"])
        place = next((grid.place for grid in self.grids if grid.shape == layer.data.shape), None)
        accepted = accepted_of(layer)
        save = saver(self.current.layer, lambda: facts["class_names"], lambda: facts["colours"], place, accepted)
        self.keeper.watch(layer, save)

    def _select_class(self, value: int) -> None:
        layer = self.labels()
        if layer is not None:
            layer.selected_label = value

    def _on_classes_edited(self) -> None:
        layer = self.labels()
        if layer is not None:
            colour_layer(layer, self.classes.names(), self.classes.colours())
            self.keeper.rewrite()

    def _show_counts(self, found: Counted) -> None:
        names = self.classes.names()
        parts = [f"{name} {found.counts[index + 1]:,}" for index, name in enumerate(names)]
        self.fraction.setText(f"{found.fraction:.2%} labelled: {', '.join(parts)}.")

    def _look_for_strokes(self) -> None:
        image, source = self.current.layer, self.current.live
        if image is self._asked_about:
            return
        # What was found belongs to another image.
        self.resume_button.hide()
        self._asked_about = None
        if source is None or self.labels() is not None or self.finder.is_running:
            return
        self._asked_about = image
        self.finder.start(lambda: looking_for_strokes(source))

    def _on_strokes_found(self, found: "SavedLabels | None") -> None:
        self._found = found
        if found is None or self.current.layer is not self._asked_about or self.labels() is not None:
            return
        strokes = found.labels.labels
        self.resume_button.setVisible(bool(strokes.any()) and strokes.shape in [grid.shape for grid in self.grids])
        self.resume_button.setToolTip(f"Strokes saved {found.saved[:16].replace('T', ' ')} UTC.")

    def _resume(self) -> None:
        if self._found is None:
            return
        found = self._found.labels
        self.classes.show_classes(found.class_names, found.colours)
        grid = next(grid for grid in self.grids if grid.shape == found.labels.shape)
        self._add(grid, found.labels, found.origins)
