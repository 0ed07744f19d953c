"""The Paint & learn tab: sparse labels, and a model that learns from them."""

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QLineEdit, QSpinBox, QVBoxLayout

from napari_medpatch.events import Event, StepDone
from napari_medpatch.plugin.class_list import ClassList, default_colours
from napari_medpatch.plugin.form import add_row, button, combo, new_form, note
from napari_medpatch.plugin.job_row import JobRow, scores_in_words
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.links import source_of, spacing_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.loss_plot import LossPlot
from napari_medpatch.plugin.model_chooser import ModelChooser
from napari_medpatch.plugin.overlays import LiveMask
from napari_medpatch.plugin.paint_panel import PaintPanel
from napari_medpatch.plugin.settings import keep, preference
from napari_medpatch.plugin.sparse_layer import (
    Grid,
    add_sparse_layer,
    colour_layer,
    default_grid,
    paintable_grids,
    sparse_layer,
)
from napari_medpatch.plugin.stroke_keeper import Counted, StrokeKeeper
from napari_medpatch.plugin.strokes import looking_for_strokes, saver, sparse, training
from napari_medpatch.plugin.tab import Tab

if TYPE_CHECKING:
    import napari.layers

_FIRST_NAMES = ("background", "class 1")
_TASKS = {"volume": ("segment-3d", "segment-2d"), "photo": ("segment-2d",), "slide": ("segment-2d",)}


class AnnotateWidget(Tab):
    """New sparse labels, classes, brush, how much is labelled; base model, time, Retrain, loss."""

    title = "Paint && lear&n"

    def build(self, layout: QVBoxLayout) -> None:
        self.grids: list[Grid] = []
        self._asked_about: Any = None
        self._watched: napari.layers.Labels | None = None
        self.overlay: LiveMask | None = None
        self._build_labels(layout)
        self._build_training(layout)
        layers = self.viewer.layers
        for emitter in (layers.events.inserted, layers.events.removed, layers.selection.events.active):
            listen(emitter, self._follow_labels)

    def missing(self) -> str:
        if self.current.kind is None:
            return "Open an image first; then paint a few strokes on it, and a model learns from them."
        return ""

    def on_image(self) -> None:
        if self.missing():
            return
        self.grids = paintable_grids(self.current.layer)
        spacing = spacing_of(self.current.layer)
        self.grid_combo.clear()
        self.grid_combo.addItems([grid.in_words(spacing) for grid in self.grids])
        self.grid_combo.setCurrentIndex(default_grid(self.grids))
        self.grid_combo.setVisible(len(self.grids) > 1)
        self.grid_label.setVisible(len(self.grids) > 1)
        self.base.offer(_TASKS[str(self.current.kind)])
        self._follow_labels()
        self._look_for_strokes()

    # Labels

    def _build_labels(self, layout: QVBoxLayout) -> None:
        form = new_form()
        self.grid_combo = combo()
        self.grid_label = add_row(
            form,
            "Pi&xels of labels",
            self.grid_combo,
            "Slides are painted and learned at a reduced resolution: napari cannot edit several at once.",
        )
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
        self.keeper, self.finder = StrokeKeeper(self), JobRunner(self)
        self.keeper.counted.connect(self._show_counts)
        self.finder.finished.connect(self._on_strokes_found)
        self.classes.show_classes(_FIRST_NAMES, default_colours(len(_FIRST_NAMES)))
        self.classes.selected.connect(self._select_class)
        self.classes.edited.connect(self._on_classes_edited)
        layout.addLayout(form)
        for widget in (self.new_button, self.resume_button, self.classes, self.paint, self.fraction):
            layout.addWidget(widget)

    def labels(self) -> "napari.layers.Labels | None":
        """Return the sparse labels of the current image."""
        image = self.current.layer
        return sparse_layer(self.viewer, image) if image is not None else None

    def new_labels(self) -> None:
        """Add empty sparse labels on the current image."""
        if self.current.layer is not None:
            self._add(self.grids[max(0, self.grid_combo.currentIndex())], None)

    def _add(self, grid: Grid, strokes: Any) -> None:
        add_sparse_layer(self.viewer, self.current.layer, grid, self.classes.names(), self.classes.colours(), strokes)
        self.resume_button.hide()
        self._follow_labels()

    def _follow_labels(self, _event: Any = None) -> None:
        """Point brush, list and keeper at the labels of the current image."""
        layer = self.labels()
        if layer is self._watched:
            return
        self._watched = layer
        self.paint.follow(layer)
        if layer is None:
            self.keeper.watch(None)
            self.fraction.setText("No sparse labels yet.")
            return
        facts = layer.metadata["medpatch"]
        self.classes.show_classes(facts["class_names"], facts["colours"])
        place = self._grid_of(layer).place
        self.keeper.watch(
            layer, saver(self.current.layer, lambda: facts["class_names"], lambda: facts["colours"], place)
        )

    def _grid_of(self, labels: Any) -> Grid:
        """Return the grid that a layer or saved labels lie on."""
        shape = (labels.data if hasattr(labels, "data") else labels.labels).shape
        return next((grid for grid in self.grids if grid.shape == shape), self.grids[0])

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

    # Strokes of an earlier session

    def _look_for_strokes(self) -> None:
        image = self.current.layer
        source = self.current.live
        if source is None or image is self._asked_about or self.labels() is not None or self.finder.is_running:
            return
        self._asked_about = image
        self.resume_button.hide()
        self.finder.start(lambda: looking_for_strokes(source))

    def _on_strokes_found(self, found: Any) -> None:
        self._found = found
        fits = found is not None and found.labels.labels.any() and found.labels.labels.shape in self._shapes()
        self.resume_button.setVisible(bool(fits) and self.current.layer is self._asked_about and self.labels() is None)
        if found is not None:
            self.resume_button.setToolTip(f"Strokes saved {found.saved[:16].replace('T', ' ')} UTC.")

    def _shapes(self) -> list[tuple[int, ...]]:
        return [grid.shape for grid in self.grids]

    def _resume(self) -> None:
        found = self._found.labels
        self.classes.show_classes(found.class_names, found.colours)
        self._add(self._grid_of(found), found.labels)

    # Training

    def _build_training(self, layout: QVBoxLayout) -> None:
        self.base = ModelChooser("learning", "base", none="a new model", label="Base &model")
        self.seconds = QSpinBox()
        self.seconds.setRange(5, 36000)
        self.seconds.setSuffix(" s")
        self.seconds.setValue(int(preference("learning", "seconds")))
        self.seconds.valueChanged.connect(lambda value: keep("learning", "seconds", int(value)))
        self.name = QLineEdit()
        self.name.setPlaceholderText("only in the image's project folder")
        form = new_form()
        add_row(form, "Trainin&g time", self.seconds, "Time budget; a minute is a start, more helps.")
        add_row(form, "&Keep model as", self.name, "Name under which the trained model is listed in the Segment tab.")
        self.runner = JobRunner(self)
        self.row = JobRow(self.runner, "&Retrain", "Learn from the strokes and draw the improved mask.")
        self.row.run_button.clicked.connect(lambda _checked=False: self.run())
        self.plot = LossPlot()
        self.runner.progressed.connect(self._on_progress)
        self.runner.finished.connect(self._on_result)
        layout.addWidget(self.base)
        layout.addLayout(form)
        layout.addWidget(self.row)
        layout.addWidget(self.plot)

    def run(self) -> None:
        """Learn from the strokes as they are now; painting may go on."""
        image, layer = self.current.layer, self.labels()
        if image is None or layer is None:
            self.row.say("Press New sparse labels and paint some background and some of the structure first.")
            return
        base, seconds = self.base.bundle(), float(self.seconds.value())
        strokes = sparse(layer.data.copy(), self.classes.names(), self.classes.colours())
        name, device = self.name.text().strip(), str(preference("inference", "device"))
        self._prepare_overlay(image)
        self.plot.clear()
        self.runner.start(lambda: training(source_of(image), strokes, base, name=name, seconds=seconds, device=device))

    def _prepare_overlay(self, image: "napari.layers.Image") -> None:
        """Keep the mask of the training before, so that retraining refreshes it in place."""
        if self.overlay is None or self.overlay.image is not image or not self.overlay.is_complete:
            self.overlay = LiveMask(self.viewer, image, "retrained", probabilities=True, job="Training")
        self.overlay.colours = self.classes.colours()[1:]

    def _on_progress(self, events: list[Event]) -> None:
        steps = [event for event in events if isinstance(event, StepDone)]
        if steps:
            self.plot.add([event.step for event in steps], [event.loss for event in steps])
        if self.overlay is not None:
            self.overlay.on_events(events)
            if not self.overlay.image_is_there:
                self.runner.stop()

    def _on_result(self, result: Any) -> None:
        if self.overlay is not None:
            self.overlay.on_result(result)
        held_out = scores_in_words(result.metrics)
        self.row.say(f"{result.steps} steps in {result.seconds:.0f} s. {held_out}")
        if result.bundle is not None:
            self.base.add(result.bundle)
