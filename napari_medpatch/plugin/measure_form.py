"""What is measured and how: two masks, tolerance, what counts as an object."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_medpatch.plugin.form import add_row, button, check, combo, new_form
from napari_medpatch.plugin.layer_choice import LayerChoice
from napari_medpatch.plugin.layers import role_of
from napari_medpatch.plugin.mask_layers import SPARSE, pixel_size
from napari_medpatch.plugin.more_section import MoreSection
from napari_medpatch.plugin.settings import keep, preference
from napari_medpatch.plugin.twins import STAND_INS

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.evaluate.settings import EvaluationSettings

_NOT_A_MASK = ("errors", *STAND_INS)
_CONNECTIVITY = (("their faces", "face"), ("faces, edges or corners", "full"))


class MeasureForm(QWidget):
    """Prediction, truth, tolerance; rarely used settings behind a line that opens.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are listed.

    Signals
    -------
    file_wanted
        The user wants to load a truth from a file.
    changed
        Another prediction or truth.
    """

    file_wanted = Signal()
    changed = Signal()

    def __init__(self, viewer: "napari.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.prediction = LayerChoice(viewer, _is_prediction)
        self.truth = LayerChoice(viewer, _is_mask, none="none: volumes only")
        self.file_button = button(
            "Load…", "Load the truth from a file: NIfTI, NRRD, MetaImage, PNG or TIFF.", self.file_wanted.emit
        )
        self.tolerance = _number(0.0, 1000.0, 0.5, 2, 2.0)
        self.tolerance.valueChanged.connect(self._keep_tolerance)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._masks())
        layout.addWidget(MoreSection("More settings", self._more(), "Surfaces, and what counts as an object."))
        for choice in (self.prediction, self.truth):
            choice.changed.connect(self._on_choice)
        self._on_choice()

    def settings(self) -> "EvaluationSettings":
        """Return what was chosen."""
        from napari_medpatch.evaluate.settings import EvaluationSettings

        return EvaluationSettings(
            tolerance=self.tolerance.value(),
            surface=self.surface.isChecked(),
            connectivity=self.connectivity.currentData(),
            min_iou=self.min_iou.value(),
            min_object=self.min_object.value(),
        )

    def _masks(self) -> Any:
        form = new_form()
        add_row(form, "Pred&iction", self.prediction, "The mask to measure: 0 background, 1… classes.")
        truth = QWidget()
        row = QHBoxLayout(truth)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.truth, 1)
        row.addWidget(self.file_button)
        truth.setFocusProxy(self.truth.list)
        add_row(
            form,
            "Tr&uth",
            truth,
            "The mask to compare with, on the same grid. Of painted labels only what is labelled counts. Without a "
            "truth, volumes and values inside are measured.",
        )
        self.truth.setAccessibleName("Truth")
        add_row(
            form, "Toler&ance", self.tolerance, "Surfaces this far apart still count as the same in the surface Dice."
        )
        return form

    def _more(self) -> Any:
        self.surface = check(
            "Surface &distances", "ASSD, HD95, HD and surface Dice; takes most of the time.", checked=True
        )
        self.connectivity = combo()
        for words, key in _CONNECTIVITY:
            self.connectivity.addItem(words, key)
        self.min_iou = _number(0.0, 0.99, 0.05, 2, 0.0)
        self.min_object = _number(0.0, 1e6, 0.1, 3, 0.0)
        form = new_form()
        form.addRow(self.surface)
        add_row(form, "Objects touch b&y", self.connectivity, "Pieces of a class that touch this way are one object.")
        add_row(
            form,
            "Found a&bove IoU",
            self.min_iou,
            "IoU from which a predicted object counts as a true one; 0 takes any overlap.",
        )
        add_row(form, "Smallest ob&ject", self.min_object, "Smaller objects are not counted, in either mask.")
        return form

    def _on_choice(self) -> None:
        """Show tolerance and sizes in the units of the mask."""
        layer = self.prediction.layer()
        if layer is not None:
            self._take_units(layer)
        self.changed.emit()

    def _take_units(self, layer: "napari.layers.Labels") -> None:
        from napari_medpatch.evaluate.settings import DEFAULT_TOLERANCE
        from napari_medpatch.evaluate.units import Units

        unit, spacing = pixel_size(layer)
        units = Units.given(spacing, unit, layer.ndim) if layer.ndim in (2, 3) else None
        suffix = f" {units.length_text}" if units is not None else ""
        self.min_object.setSuffix(f" {units.size_text}" if units is not None else "")
        if suffix != self.tolerance.suffix():
            self.tolerance.setSuffix(suffix)
            kept = preference("measure", "tolerance_mm") if unit == "mm" else DEFAULT_TOLERANCE[unit]
            self.tolerance.setValue(float(kept))

    def _keep_tolerance(self, value: float) -> None:
        if self.tolerance.suffix() == " mm":
            keep("measure", "tolerance_mm", float(value))


def _number(low: float, high: float, step: float, decimals: int, value: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setDecimals(decimals)
    box.setValue(value)
    return box


def _is_mask(layer: "napari.layers.Layer") -> bool:
    from napari.layers import Labels

    return isinstance(layer, Labels) and role_of(layer) not in _NOT_A_MASK


def _is_prediction(layer: "napari.layers.Layer") -> bool:
    return _is_mask(layer) and role_of(layer) not in (SPARSE, "truth")
