"""The controls of the results panel and where they stand; what they do is said elsewhere."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.plugin.form import add_row, button, check, combo, in_row, new_form, note
from napari_medpatch.plugin.histogram_plot import HistogramPlot
from napari_medpatch.plugin.score_table import ScoreTable
from napari_medpatch.plugin.settings import preference
from napari_medpatch.plugin.threshold_slider import ThresholdSlider

_FADES = (("drawn like the others", "show"), ("faded", "fade"), ("hidden", "hide"))


class ResultsView(QWidget):
    """Displayed class, threshold, histogram, class map, slide score, buttons.

    Signals
    -------
    inspect_asked, gallery_asked
        A button was clicked.
    """

    inspect_asked = Signal()
    gallery_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make()
        self._lay_out()

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
            self.inspect_asked.emit,
        )
        self.gallery_button = button(
            "Gallery",
            "The most and the least probable patches; double-click one to fly there.",
            self.gallery_asked.emit,
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
