"""The settings of a classification: the common ones, and the others behind a line that opens."""

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from napari_medpatch.plugin.choice_and_number import ChoiceAndNumber, Entry
from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.form import PathField, add_row, ask_folder, new_form
from napari_medpatch.plugin.inference_settings import where_models_run
from napari_medpatch.plugin.kept_fields import kept_check, kept_choice, kept_number
from napari_medpatch.plugin.more_section import MoreSection
from napari_medpatch.plugin.region_box import RegionBox
from napari_medpatch.plugin.settings import keep, preference

if TYPE_CHECKING:
    import napari

    from napari_medpatch.infer.classify_result import ClassifySettings

_STEPS = (
    Entry("overlap", "overlap", "overlap", low=-9.0, high=0.95, step=0.25),
    Entry("stride", "step in µm", "stride_um", low=1.0, high=10000.0, step=16.0, decimals=1),
)
_RULES = (
    Entry("centre", "centre on tissue"),
    Entry("share", "tissue of at least", "min_tissue", low=0.01, high=1.0, step=0.05),
)


class ClassifyForm(QWidget):
    """What :class:`ClassifySettings`, a region and an output folder are made from.

    Parameters
    ----------
    viewer : napari.Viewer
        For the region.
    current : CurrentImage
        The panel's.
    """

    def __init__(self, viewer: "napari.Viewer", current: CurrentImage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.region = RegionBox(viewer, current)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._common())
        self.more = MoreSection("More settings", self._others(), "Tiling rule, tissue rule, test-time views, device…")
        layout.addWidget(self.more)

    def settings(self) -> "ClassifySettings":
        """Return what is chosen, as the command line would."""
        from napari_medpatch.infer.classify_result import ClassifySettings

        return ClassifySettings(
            overlap=self.step.value_of("overlap") or 0.0,
            stride_um=self.step.value_of("stride"),
            min_tissue=self.rule.value_of("share"),
            tiling=str(self.tiling.currentData()),
            exact=self.exact.isChecked(),
            tta=self.tta.value() if self.tta.isEnabled() else 0,
            mc_dropout=self.dropout.value(),
            compress=self.compress.isChecked(),
            top_k=self.top_k.value(),
            batch_size=int(preference("inference", "batch_size")),
            **where_models_run(),
        )

    def tissue_method(self) -> str:
        """Return how the chosen tiling rule finds tissue."""
        from napari_medpatch.patches.presets import tiling_named

        return tiling_named(str(self.tiling.currentData())).tissue

    def _common(self) -> QFormLayout:
        form = new_form()
        self.step = ChoiceAndNumber("step", _STEPS)
        self.overlap = self.step.numbers["overlap"]
        add_row(
            form,
            "P&atches with",
            self.step,
            "How far apart patches lie: the share of a patch that its neighbour covers too (0.5 doubles the resolution "
            "of the heat map and takes four times as long; negative leaves gaps), or the step in µm.",
        )
        add_row(
            form,
            "Re&gion",
            self.region,
            "Only patches whose centre lies in the shapes of this layer are classified.",
        )
        self.folder = PathField(ask_folder, "do not write files")
        self.folder.setText(str(preference("classify", "folder")))
        self.folder.line.editingFinished.connect(lambda: keep("classify", "folder", self.folder.text()))
        add_row(
            form,
            "O&utput folder",
            self.folder,
            "Table, QuPath GeoJSON, OME-TIFF and record are written here. Empty keeps the result in the window; "
            "a stopped run goes on where it was in either case.",
        )
        return form

    def _others(self) -> QFormLayout:
        from napari_medpatch.patches.presets import TILINGS

        form = new_form()
        tilings = {name: (rule.title, rule.description) for name, rule in TILINGS.items()}
        self.tiling = kept_choice("classify", "tiling", tilings)
        add_row(form, "Tiling rule", self.tiling, "Where patches lie and which are looked at, as published.")
        self.rule = ChoiceAndNumber("tissue_rule", _RULES)
        add_row(form, "Take patches with", self.rule, "Which patches of the grid are classified.")
        self.exact = kept_check(
            "classify",
            "exact",
            "E&xactly as WSInfer",
            "Finest level, mean pixel size and Pillow's resizing: WSInfer's numbers to the last digit, several times "
            "slower. The fast path differs by less than 0.005 on average.",
        )
        form.addRow(self.exact)
        self._add_repeats(form)
        self._add_machine(form)
        self._add_files(form)
        return form

    def _add_repeats(self, form: QFormLayout) -> None:
        self.tta = kept_number("classify", "tta", 0, 16)
        add_row(
            form,
            "Extra views",
            self.tta,
            "Test-time augmentation: each patch is also looked at flipped, turned, shifted and brighter or darker this "
            "often; the mean counts, the spread becomes the layer 'uncertainty'.",
        )
        self.dropout = kept_number("classify", "mc_dropout", 0, 50)
        add_row(
            form,
            "Dropout passes",
            self.dropout,
            "Monte-Carlo dropout: passes with random units switched off; the mean counts, the spread becomes the "
            "layer 'uncertainty'. Only for models with dropout.",
        )
        # The exact path has one way to look at a patch.
        self.exact.toggled.connect(lambda exact: self.tta.setEnabled(not exact))
        self.tta.setEnabled(not self.exact.isChecked())

    def _add_machine(self, form: QFormLayout) -> None:
        places = ("auto", "cpu", "cuda", "cuda:all", "mps")
        self.device = kept_choice("inference", "device", {name: (name, "") for name in places})
        add_row(form, "Device", self.device, "Where models run; auto takes a GPU if there is one.")
        formats = ("auto", "float32", "bfloat16")
        self.precision = kept_choice("inference", "precision", {name: (name, "") for name in formats})
        add_row(form, "Precision", self.precision, "Numbers of the network; auto takes the faster that is safe.")

    def _add_files(self, form: QFormLayout) -> None:
        self.top_k = kept_number("classify", "top_k", 1, 1000)
        add_row(form, "Top-&k patches", self.top_k, "How many of the highest patches the slide's top-k mean takes.")
        self.compress = kept_check(
            "classify", "compress", "Compress GeoJSON (.g&z)", "A tenth of the size; QuPath reads it as it is."
        )
        form.addRow(self.compress)
