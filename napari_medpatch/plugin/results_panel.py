"""What came out of a run: displayed class, threshold, histogram, slide score, and ways to look closer."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QWidget

from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.earlier_runs import run_of
from napari_medpatch.plugin.links import image_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.live_heat_map import LiveHeatMap
from napari_medpatch.plugin.results_view import ResultsView
from napari_medpatch.plugin.score_tally import BINS
from napari_medpatch.plugin.settings import keep
from napari_medpatch.plugin.slide_summary import share_in_words, slide_summary
from napari_medpatch.plugin.threshold_colours import colours_of

if TYPE_CHECKING:
    import napari
    import napari.layers

_SCORE_SECONDS = 0.5
"""The table is counted anew this often while a job runs; sorting a large slide ten times a second would show."""


class ResultsPanel(ResultsView):
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
        self._connect()
        self.hide()
        self.follow()

    def _connect(self) -> None:
        self.class_combo.currentTextChanged.connect(self._on_class)
        self.threshold.changed.connect(self._on_threshold)
        self.histogram.moved.connect(self._on_threshold)
        self.fade_combo.currentIndexChanged.connect(self._on_fade)
        self.map_check.toggled.connect(self._on_map)
        self.inspect_asked.connect(self._inspect)
        self.gallery_asked.connect(self._gallery)
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
        middles = (np.arange(BINS) + 0.5) / BINS
        colours = colours_of(layer, middles) if layer is not None else np.full((BINS, 4), 0.5)
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
        self.map_check.blockSignals(True)
        self.map_check.setChecked(run.shows_class_map)
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
