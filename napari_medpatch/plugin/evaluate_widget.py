"""The Measure tab: a mask against the truth, or by itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_medpatch.errors import MedPatchError
from napari_medpatch.events import Job
from napari_medpatch.plugin.class_pairs import ClassPairs
from napari_medpatch.plugin.error_layer import LEGEND, error_layer, show_errors
from napari_medpatch.plugin.focus_order import order_focus
from napari_medpatch.plugin.form import ask_folder, button, check, in_row, last_folder, note, remember_folder
from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.links import image_of
from napari_medpatch.plugin.mask_layers import take_masks
from napari_medpatch.plugin.measure_form import MeasureForm
from napari_medpatch.plugin.measure_jobs import Measured, measuring, writing_report
from napari_medpatch.plugin.measure_results import MeasureResults
from napari_medpatch.plugin.messages import tell_error
from napari_medpatch.plugin.standing_back import StandingBack
from napari_medpatch.plugin.tab import Tab
from napari_medpatch.plugin.truth_file import add_truth, reading_truth


class EvaluateWidget(Tab):
    """Masks, Measure, results, report."""

    title = "Measure"

    def build(self, layout: QVBoxLayout) -> None:
        self.form = MeasureForm(self.viewer)
        self.classes = ClassPairs()
        self.runner = JobRunner(self)
        self.row = JobRow(
            self.runner,
            "&Measure",
            "Compare the prediction with the truth, or measure it by itself.",
            beginning="Reading the masks…",
            if_stopped="what was measured before stays",
        )
        self.results = MeasureResults(self.viewer)
        self.errors_box = check(
            "Mar&k errors",
            "Show where the prediction is wrong, as a layer; the masks are hidden meanwhile.",
            checked=True,
        )
        self.report_button = button(
            "Write &report…", "Write an HTML report with pictures, CSV tables and JSON into a folder.", self.ask_report
        )
        self.open_button = button("Open report", "Show the report in the browser.", self.open_report)
        self.legend = note(LEGEND)
        self.report_path: Path | None = None
        self._back = StandingBack()
        self._then: Callable[[Any], None] = lambda _result: None
        self._lay_out(layout)
        self._connect()

    def missing(self) -> str:
        if not len(self.form.prediction):
            return "There is no mask to measure yet: segment an image, train a model, or open a mask as labels."
        return ""

    def refresh(self) -> None:
        """Follow the layers; what was measured stays at hand when the last mask is gone."""
        super().refresh()
        self.controls.setEnabled(True)
        self.classes.follow(self.form.prediction.layer(), self.form.truth.layer())
        for widget in (self.form, self.classes, self.row):
            widget.setEnabled(not self.missing())

    def run(self) -> None:
        """Measure the chosen layers as they are now."""
        layer, truth = self.form.prediction.layer(), self.form.truth.layer()
        if layer is None:
            self.row.say("Choose a mask first.")
            return
        if layer is truth:
            self.row.say("Prediction and truth are the same layer; choose another truth, or none.")
            return
        try:
            masks, settings = take_masks(layer, truth), self.form.settings()
        except MedPatchError as error:
            tell_error(error)
            self.row.say(str(error))
            return
        maps = self.classes.maps()
        self._start(lambda: measuring(masks, settings, maps), lambda found: self._on_measured(found, layer, truth))

    def load_truth(self, path: Path) -> None:
        """Read a truth from a file onto the image, and choose it."""
        layer = self.form.prediction.layer()
        image = image_of(layer) or self.current.layer
        if image is None:
            self.row.say("Open the image of the mask first; the truth is laid on it.")
            return

        def show(found: Any) -> None:
            if image in self.viewer.layers:
                self.form.truth.choose(add_truth(self.viewer, image, *found))
                self.row.say(f"Truth: {path.name}. Press Measure to compare.")

        self._start(lambda: reading_truth(image, path), show)

    def write_report(self, folder: Path) -> None:
        """Write what was measured into a folder."""
        measured = self.results.measured
        if measured is None:
            self.row.say("Measure first.")
            return
        self._start(lambda: writing_report(folder, measured), self._on_written)

    def ask_truth(self) -> None:
        """Ask for a file with the truth."""
        kinds = "Masks (*.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd *.dcm *.png *.tif *.tiff *.bmp);;All files (*)"
        path, _ = QFileDialog.getOpenFileName(self, "Load the truth", last_folder(), kinds)
        if path:
            remember_folder(path)
            self.load_truth(Path(path))

    def ask_report(self) -> None:
        """Ask for a folder for the report."""
        folder = ask_folder(self, last_folder())
        if folder:
            remember_folder(folder)
            self.write_report(Path(folder))

    def open_report(self) -> None:
        """Show the report in the browser."""
        if self.report_path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.report_path)))

    def _lay_out(self, layout: QVBoxLayout) -> None:
        self.after = QWidget()
        below = QVBoxLayout(self.after)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.errors_box)
        below.addWidget(self.legend)
        below.addLayout(in_row(self.report_button, self.open_button))
        self.after.hide()
        self.open_button.hide()
        for widget in (self.form, self.classes, self.row, self.results, self.after):
            layout.addWidget(widget)

    def _connect(self) -> None:
        self.row.run_button.clicked.connect(lambda _checked=False: self.run())
        self.form.file_wanted.connect(self.ask_truth)
        self.form.changed.connect(self.refresh)
        self.classes.suggestion_taken.connect(self.run)
        self.runner.finished.connect(lambda result: self._then(result))
        self.errors_box.toggled.connect(self._show_errors)
        self.results.of.changed.connect(self._offer_errors)

    def _start(self, make_job: Callable[[], Job], then: Callable[[Any], None]) -> None:
        """Run a job; what to do with its result is decided here, for the one that was started."""
        if not self.runner.is_running:
            self._then = then
            self.runner.start(make_job)

    def _on_measured(self, measured: Measured, layer: Any, truth: Any) -> None:
        self.report_path = None
        self.results.show_measured(measured, layer, truth)
        if (layer, truth) == (self.form.prediction.layer(), self.form.truth.layer()):
            self.classes.offer(measured, layer, truth)
            order_focus(self.controls)
        self.after.show()
        self.open_button.hide()
        self._offer_errors()
        self.row.say(_summary(measured))
        self._show_errors()
        self._make_room()

    def _offer_errors(self) -> None:
        """Offer to mark errors while there is something to mark them on."""
        measured = self.results.measured
        offered = measured is not None and measured.errors is not None and self.results.layer in self.viewer.layers
        for widget in (self.errors_box, self.legend):
            widget.setVisible(offered)
        if not offered:
            self._back.bring_back()

    def _show_errors(self, _on: bool = True) -> None:
        """Show or hide the layer of errors of what was measured."""
        layer, measured = self.results.layer, self.results.measured
        if layer not in self.viewer.layers or measured is None or measured.errors is None:
            return
        if self.errors_box.isChecked():
            show_errors(self.viewer, layer, measured.errors, {"truth": measured.masks.provenance.get("truth", "")})
            self._back.hide(self.results.layers)
            return
        self._back.bring_back()
        if (shown := error_layer(self.viewer, layer)) is not None:
            shown.visible = False

    def _on_written(self, path: Path) -> None:
        self.report_path = path
        self.open_button.show()
        self.row.say(f"Written: {path}")


def _summary(measured: Measured) -> str:
    """Return what was measured in one sentence."""
    result = measured.result
    if not result.classes:
        return "No class was found: every pixel is background."
    words = f"Measured in {result.seconds:.1f} s"
    if measured.errors is None:
        return f"{words}: {len(result.classes)} {'class' if len(result.classes) == 1 else 'classes'}."
    return f"{words}." if result.mean_dice is None else f"{words}: mean Dice {result.mean_dice:.3f}."
