"""What came out of a run: displayed class, threshold, histogram, slide score, and ways to look closer."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.form import add_row, button, check, combo, in_row, new_form, note
from napari_medpatch.plugin.histogram_plot import HistogramPlot
from napari_medpatch.plugin.links import image_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.live_heat_map import LiveHeatMap, run_of
from napari_medpatch.plugin.score_table import ScoreTable
from napari_medpatch.plugin.score_tally import BINS
from napari_medpatch.plugin.settings import keep, preference
from napari_medpatch.plugin.slide_summary import share_in_words, slide_summary
from napari_medpatch.plugin.threshold_colours import colours_of
from napari_medpatch.plugin.threshold_slider import ThresholdSlider

if TYPE_CHECKING:
    import napari
    import napari.layers

_FADES = (("drawn like the others", "show"), ("faded", "fade"), ("hidden", "hide"))
_SCORE_SECONDS = 0.5
"""The table is counted anew this often while a job runs; sorting a large slide ten times a second would show."""


class ResultsPanel(QWidget):
    """Follows the selected heat map; otherwise shows the newest run on the current image.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers it follows.
    current : CurrentImage
        The panel's.
    """

    def __init__(self, viewer: "napari.Viewer", current: CurrentImage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer, self.current = viewer, current
        self.run: LiveHeatMap | None = None
        self._counted = 0.0
        self._make()
        self._lay_out()
        self._connect()
        self.hide()
        self.follow()

    def _make(self) -> None:
        self.title = note()
        self.title.setAccessibleName("Run")
        self.class_combo = combo()
        self.threshold = ThresholdSlider()
        self.fade_combo = combo()
        for text, key in _FADES:
            self.fade_combo.addItem(text, key)
        self.fade_combo.setCurrentIndex(self.fade_combo.findData(preference("classify", "below_threshold")))
        self.share = note()
        self.share.setAccessibleName("Patches above the threshold")
        self.histogram = HistogramPlot()
        self.map_check = check(
            "Show class map",
            "A labels layer with the class of each patch: of one or two classes the threshold decides, of more the "
            "most probable one wins. The Export tab writes it as a mask.",
            checked=False,
        )
        self.table = ScoreTable()
        self.inspect_button = button(
            "Inspect patches",
            "Click a patch of the heat map to see its pixels, its scores and what the model looked at (Grad-CAM).",
            self._inspect,
        )
        self.gallery_button = button(
            "Gallery", "The most and the least probable patches; double-click one to fly there.", self._gallery
        )

    def _lay_out(self) -> None:
        form = new_form()
        add_row(
            form, "Displa&yed class", self.class_combo, "Whose probability is drawn; the others stay in the layer list."
        )
        add_row(
            form,
            "Threshol&d",
            self.threshold,
            "From this probability on a patch counts; it starts at the model's operating point.",
        )
        add_row(form, "Patches below", self.fade_combo, "How patches below the threshold are drawn; values stay.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.title)
        layout.addLayout(form)
        layout.addWidget(self.histogram)
        layout.addWidget(self.share)
        layout.addWidget(self.map_check)
        layout.addWidget(self.table)
        layout.addLayout(in_row(self.inspect_button, self.gallery_button))

    def _connect(self) -> None:
        self.class_combo.currentTextChanged.connect(self._on_class)
        self.threshold.changed.connect(self._on_threshold)
        self.histogram.moved.connect(self._on_threshold)
        self.fade_combo.currentIndexChanged.connect(self._on_fade)
        self.map_check.toggled.connect(self._on_map)
        layers = self.viewer.layers
        listen(layers.selection.events.active, self.follow)
        listen(layers.events.removed, self._on_removed)
        self.current.changed.connect(self.follow)

    def show_run(self, run: LiveHeatMap | None) -> None:
        """Show a run; None hides the panel."""
        another = run is not self.run
        self.run = run
        self.setVisible(run is not None and run.tally is not None)
        if run is None or run.tally is None:
            return
        if another or self._names() != run.names:
            self._list_classes(run)
        self.update_scores(final=True)

    def update_scores(self, *, final: bool = False) -> None:
        """Take in what the run scored since; call it as often as layers are drawn."""
        run = self.run
        if run is None or run.tally is None:
            return
        if self._names() != run.names:
            self.show_run(run)
            return
        self.title.setText(_title(run))
        layer = run.layer_of(run.displayed)
        colours = colours_of(layer, (np.arange(BINS) + 0.5) / BINS) if layer is not None else np.full((BINS, 4), 0.5)
        self.histogram.show_counts(run.tally.histogram(run.displayed), colours)
        self._show_threshold()
        if final or time.monotonic() - self._counted > _SCORE_SECONDS:
            self._count()

    def follow(self, _event: Any = None) -> None:
        """Show the run of the selected layer, or the newest of the current image."""
        active, image = self.viewer.layers.selection.active, self.current.layer
        run = run_of(active)
        if run is None and self.run is not None and self.run.image is image and self._is_there(self.run):
            run = self.run
        if run is None and image is not None:
            runs = [run_of(layer) for layer in reversed(self.viewer.layers) if image_of(layer) is image]
            run = next((each for each in runs if each is not None), None)
        if run is not self.run:
            self.show_run(run)
        self._show_selected(active)

    def _show_selected(self, layer: "napari.layers.Layer | None") -> None:
        """Display the class whose heat map was selected."""
        run = self.run
        # napari selects a layer that is added; the user did not.
        if run is None or run_of(layer) is not run or run.is_adding:
            return
        name = next((each for each in run.names if run.layer_of(each) is layer), run.displayed)
        if name != run.displayed:
            self.class_combo.setCurrentText(name)

    def _is_there(self, run: LiveHeatMap) -> bool:
        return any(layer in self.viewer.layers for layer in run.layers)

    def _on_removed(self, _event: Any = None) -> None:
        run = self.run
        if run is not None and not self._is_there(run):
            self.run = None
            self.show_run(None)
            self.follow()
        elif run is not None:
            self._check_map(run)

    def _names(self) -> tuple[str, ...]:
        return tuple(self.class_combo.itemText(index) for index in range(self.class_combo.count()))

    def _list_classes(self, run: LiveHeatMap) -> None:
        self.class_combo.blockSignals(True)
        self.class_combo.clear()
        self.class_combo.addItems(run.names)
        self.class_combo.setCurrentText(run.displayed)
        self.class_combo.blockSignals(False)
        self._check_map(run)

    def _check_map(self, run: LiveHeatMap) -> None:
        there = run.class_map is not None and run.class_map in self.viewer.layers and run.class_map.visible
        self.map_check.blockSignals(True)
        self.map_check.setChecked(there)
        self.map_check.blockSignals(False)

    def _on_class(self, name: str) -> None:
        if self.run is not None and name:
            self.run.show(name)
            self.update_scores(final=True)

    def _on_threshold(self, value: float) -> None:
        run = self.run
        if run is not None and run.displayed in run.class_names:
            run.set_threshold(run.displayed, round(value, 3))
            self._show_threshold()
            self._count()

    def _on_fade(self) -> None:
        how = self.fade_combo.currentData()
        keep("classify", "below_threshold", how)
        if self.run is not None:
            self.run.fade = how
            self.run.apply_threshold()

    def _on_map(self, shown: bool) -> None:
        if self.run is not None:
            self.run.show_class_map(shown=shown)

    def _show_threshold(self) -> None:
        run = self.run
        is_class = run.displayed in run.class_names
        self.threshold.setEnabled(is_class)
        self.histogram.show_threshold(run.points.of(run.displayed) if is_class else None)
        if is_class:
            self.threshold.setValue(run.points.of(run.displayed))
        self.share.setText(share_in_words(run))

    def _count(self) -> None:
        began = time.monotonic()
        self.table.show_score(slide_summary(self.run))
        # Counting may take a tenth of the time, however large the slide.
        self._counted = time.monotonic() + 10 * (time.monotonic() - began)

    def _inspect(self) -> None:
        from napari_medpatch.plugin.result_docks import open_inspector

        self._with_layer(open_inspector)

    def _gallery(self) -> None:
        from napari_medpatch.plugin.result_docks import open_gallery

        self._with_layer(open_gallery)

    def _with_layer(self, action: Any) -> None:
        run = self.run
        layer = run.layer_of(run.displayed if run.displayed in run.class_names else run.class_names[-1])
        if layer is None:
            self.title.setText("The heat map of this class was removed; choose another class.")
            return
        action(self.viewer, layer)


def _title(run: LiveHeatMap) -> str:
    state = "" if run.tally.scored == run.total else f" of {run.total:,}"
    return f"{run.model}: {run.tally.scored:,}{state} patches scored"
