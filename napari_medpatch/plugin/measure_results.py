"""What was measured: tables of classes and objects, a curve over slices."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_medpatch.plugin.form import add_row, button, combo, new_form
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.measured_of import MeasuredOf
from napari_medpatch.plugin.result_table import MOST_ROWS, ResultTable
from napari_medpatch.plugin.slice_place import current_slice, fly_to_point, show_slice
from napari_medpatch.plugin.slice_plot import SlicePlot

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.plugin.measure_jobs import Measured

_PLANES = {"z": "z: axial slices", "y": "y: coronal slices", "x": "x: sagittal slices"}
_PICTURE = {"y": "y: rows", "x": "x: columns"}


class MeasureResults(QWidget):
    """Shows one result; a click in it moves the viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        What moves.

    Signals
    -------
    class_chosen (int)
        Value of the class whose row was clicked.
    """

    class_chosen = Signal(int)

    def __init__(self, viewer: "napari.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.measured: Measured | None = None
        self.layer: napari.layers.Labels | None = None
        self.layers: list[napari.layers.Labels] = []
        self.of = MeasuredOf(viewer)
        self.classes = ResultTable("Classes", 7)
        self.objects = ResultTable("Objects", 8)
        self.objects_title = QLabel()
        self.class_combo, self.axis_combo = combo(), combo()
        self.plot = SlicePlot()
        self.worst_button = button("Lowest slice", "Go to the slice with the lowest value.", self.go_to_worst)
        self._lay_out()
        self.classes.chosen.connect(self._on_class_row)
        self.objects.chosen.connect(self._on_object_row)
        self.class_combo.currentIndexChanged.connect(self._draw)
        self.axis_combo.currentIndexChanged.connect(self._draw)
        self.plot.clicked.connect(self.go_to)
        self.of.changed.connect(self._on_layers)
        listen(viewer.dims.events.point, self._on_dims)
        self.hide()

    def show_measured(
        self, measured: "Measured", layer: "napari.layers.Labels", truth: "napari.layers.Labels | None"
    ) -> None:
        """Show what was measured.

        Parameters
        ----------
        measured : Measured
            Result and rows.
        layer : Labels layer
            The prediction.
        truth : Labels layer or None
            What it was compared with.
        """
        self.measured, self.layer = measured, layer
        self.layers = [layer] if truth is None else [layer, truth]
        self.of.show_for(measured, self.layers)
        units = measured.result.units
        counts = [f"{name}_{units.pixel}" for name in ("predicted", "true", units.extent)]
        left_out = ["class", *(counts if units.length != "px" else [])]
        first = ["name", "object", "status", "dice", f"hd95_{units.length}", "surface_dice"]
        first += [f"{name}_{units.size}" for name in ("true", "predicted", "difference")]
        self.classes.show_rows(_named(measured.class_rows), left_out, first)
        self.objects.show_rows(_named(measured.object_rows[:MOST_ROWS]), left_out, first)
        self._say_objects()
        self._offer()
        self._draw()
        self.show()

    @property
    def result(self) -> Any:
        """The core's result that is shown, None before the first."""
        return None if self.measured is None else self.measured.result

    def go_to(self, index: int) -> None:
        """Go to a slice along the axis of the curve."""
        if self._is_there():
            show_slice(self.viewer, self.layer, self._axis(), index)  # type: ignore[arg-type]

    def go_to_worst(self) -> None:
        """Go to the lowest point of the curve."""
        import numpy as np

        if len(self.plot.values) and not np.isnan(self.plot.values).all():
            self.go_to(int(np.nanargmin(self.plot.values)))

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        form = new_form()
        add_row(form, "&Graph of", self.class_combo, "The class whose slices are drawn.")
        add_row(form, "Along a&xis", self.axis_combo, "The direction in which slices are counted.")
        layout.addWidget(self.of)
        layout.addWidget(self.classes)
        layout.addLayout(form)
        layout.addWidget(self.plot)
        layout.addWidget(self.worst_button)
        layout.addWidget(self.objects_title)
        layout.addWidget(self.objects)
        self.objects_title.setWordWrap(True)

    def _say_objects(self) -> None:
        count = len(self.measured.object_rows)
        shown = f"; the first {MOST_ROWS:,} are listed" if count > MOST_ROWS else ""
        what = "connected object" if count == 1 else "connected objects"
        click = f" Click {'it' if count == 1 else 'one'} to fly there." if self._is_there() else ""
        self.objects_title.setText(f"{count:,} {what}{shown}.{click}" if count else "No objects.")
        self.objects.setVisible(bool(count))

    def _on_layers(self) -> None:
        """Offer no way to a layer that is gone."""
        if self.result is not None:
            self._say_objects()
            self.worst_button.setEnabled(self._is_there() and self.result.curve_label == "Dice")

    def _offer(self) -> None:
        """List classes and axes of the result, keeping the choice."""
        from napari_medpatch.evaluate.result import EvaluationResult

        classes = [(each.label, each.value) for each in self.result.classes]
        if isinstance(self.result, EvaluationResult) and len(classes) > 1:
            classes.insert(0, ("any class", 0))
        names = _PLANES if self.result.units.ndim == 3 else _PICTURE
        axes = [(names[axis], index) for index, axis in enumerate(self.result.units.axes)]
        for box, entries in ((self.class_combo, classes), (self.axis_combo, axes)):
            before = box.currentData()
            box.blockSignals(True)
            box.clear()
            for words, key in entries:
                box.addItem(words, key)
            box.setCurrentIndex(max(0, box.findData(before)))
            box.blockSignals(False)

    def _draw(self, _index: int = 0) -> None:
        has_curve = self.result is not None and self.class_combo.count() > 0
        self.plot.setVisible(has_curve)
        self.worst_button.setVisible(has_curve)
        if has_curve:
            scored = self.result.curve_label == "Dice"
            axis = self._axis()
            curve = self.result.curve(self.class_combo.currentData(), axis)
            self.plot.show_curve(
                curve, f"slice {self.result.units.axes[axis]}", self.result.curve_label, 1.0 if scored else 0.0
            )
            self.worst_button.setEnabled(scored and self._is_there())
            self._on_dims()

    def _axis(self) -> int:
        return int(self.axis_combo.currentData() or 0)

    def _on_dims(self, _event: Any = None) -> None:
        if self.result is not None and self._is_there():
            self.plot.mark(current_slice(self.viewer, self.layer, self._axis()))  # type: ignore[arg-type]

    def _on_class_row(self, row: int) -> None:
        value = int(self.measured.class_rows[row]["class"])
        self.class_combo.setCurrentIndex(max(0, self.class_combo.findData(value)))
        self.class_chosen.emit(value)

    def _on_object_row(self, row: int) -> None:
        if self._is_there():
            found = self.measured.object_rows[row]
            fly_to_point(self.viewer, self.layer, [found[axis] for axis in self.result.units.axes])  # type: ignore[arg-type]

    def _is_there(self) -> bool:
        """Whether the layer is still in the viewer and still the one that was measured."""
        layer = self.layer
        return layer in self.viewer.layers and layer is not None and tuple(layer.data.shape) == self.result.shape


def _named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give classes without a name one, so that one column tells them apart."""
    return [row | {"name": row["name"] or f"class {row['class']}"} for row in rows]
