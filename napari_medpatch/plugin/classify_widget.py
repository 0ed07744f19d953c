"""The Classify tab: patch probabilities as live heat maps."""

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QDoubleSpinBox, QVBoxLayout

from napari_medpatch.events import Event, Job, Started
from napari_medpatch.plugin.form import PathField, add_row, ask_folder, button, combo, new_form, note
from napari_medpatch.plugin.inference_settings import where_models_run
from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.links import source_of, spacing_of
from napari_medpatch.plugin.live_heat_map import LiveHeatMap
from napari_medpatch.plugin.model_chooser import ModelChooser
from napari_medpatch.plugin.settings import keep, preference
from napari_medpatch.plugin.tab import Tab
from napari_medpatch.plugin.tissue_layer import add_tissue, find_tissue, tissue_layer, tissue_of

if TYPE_CHECKING:
    import napari.layers


class ClassifyWidget(Tab):
    """Model, pixel size, tissue mask, overlap; Run; which class to look at."""

    title = "&Classify"

    def build(self, layout: QVBoxLayout) -> None:
        self.model = ModelChooser("classify", "model")
        self.spacing_note = note()
        self.tissue_note = note()
        self.tissue_button = button(
            "Show t&issue mask",
            "Find the tissue and show it as a labels layer; correct it with the brush, the run uses what you leave.",
            self._find_tissue,
        )
        layout.addWidget(self.model)
        layout.addWidget(self.spacing_note)
        layout.addLayout(self._options())
        layout.addWidget(self.tissue_button)
        layout.addWidget(self.tissue_note)
        self._jobs(layout)
        self.overlay: LiveHeatMap | None = None
        self._tissue_image: napari.layers.Image | None = None

    def missing(self) -> str:
        kind = self.current.kind
        if kind is None:
            return "Open a slide or a photograph first: patches are classified on those."
        if kind == "volume":
            return "Patches are classified on slides and photographs; this is a volume. Use the Segment tab for it."
        return ""

    def on_image(self) -> None:
        if self.missing():
            return
        self.model.offer(["patch-classifier"])
        self._say_spacing()
        self._say_tissue()

    def _options(self) -> Any:
        form = new_form()
        self.overlap = QDoubleSpinBox()
        self.overlap.setRange(0.0, 0.9)
        self.overlap.setSingleStep(0.25)
        self.overlap.setValue(float(preference("classify", "overlap")))
        self.overlap.valueChanged.connect(lambda value: keep("classify", "overlap", float(value)))
        add_row(
            form,
            "Overl&ap",
            self.overlap,
            "Fraction of a patch that its neighbour covers too: 0.5 doubles the "
            "resolution of the heat map and takes four times as long.",
        )
        self.folder = PathField(ask_folder, "do not write files")
        self.folder.setText(str(preference("classify", "folder")))
        self.folder.line.editingFinished.connect(lambda: keep("classify", "folder", self.folder.text()))
        add_row(
            form,
            "O&utput folder",
            self.folder,
            "Table, QuPath GeoJSON, OME-TIFF and record are written here; a "
            "stopped run resumes from it. Empty keeps the result in the window.",
        )
        return form

    def _jobs(self, layout: QVBoxLayout) -> None:
        self.runner, self.tissue_runner = JobRunner(self), JobRunner(self)
        self.row = JobRow(self.runner, "&Run", "Classify the patches of the current image.")
        self.row.run_button.clicked.connect(lambda _checked=False: self.run())
        self.runner.progressed.connect(self._on_progress)
        self.runner.finished.connect(self._on_result)
        self.tissue_runner.progressed.connect(lambda events: self.tissue_note.setText(events[-1].message))
        self.tissue_runner.finished.connect(self._on_tissue)
        self.tissue_runner.idle.connect(self._say_tissue)
        layout.addWidget(self.row)
        form = new_form()
        self.class_combo = combo()
        self.class_combo.currentIndexChanged.connect(self._show_class)
        add_row(
            form, "Displa&yed class", self.class_combo, "Whose probability is drawn; the others stay in the layer list."
        )
        layout.addLayout(form)
        self.score_note = note()
        layout.addWidget(self.score_note)

    def run(self) -> None:
        """Start the job on the current image."""
        image, bundle = self.current.layer, self.model.bundle()
        if image is None or bundle is None:
            self.row.say("Choose a model first.")
            return
        tissue = tissue_of(tissue_layer(self.viewer, image))
        out = self.folder.text() or None
        overlap = self.overlap.value()
        batch_size, where = int(preference("inference", "batch_size")), where_models_run()

        def make_job() -> Job:
            from napari_medpatch.infer.classify import ClassifySettings, classify

            settings = ClassifySettings(overlap=overlap, batch_size=batch_size, **where)
            return classify(source_of(image), bundle, settings, out=out, tissue=tissue)

        self.overlay = LiveHeatMap(self.viewer, image, bundle.card.name)
        self.score_note.clear()
        self.runner.start(make_job)

    def _on_progress(self, events: list[Event]) -> None:
        if self.overlay is None:
            return
        self.overlay.on_events(events)
        if any(isinstance(event, Started) for event in events):
            self.class_combo.blockSignals(True)
            self.class_combo.clear()
            self.class_combo.addItems(self.overlay.class_names)
            self.class_combo.setCurrentIndex(self.class_combo.count() - 1)
            self.class_combo.blockSignals(False)
        if not self.overlay.image_is_there:
            self.runner.stop()

    def _on_result(self, result: Any) -> None:
        if self.overlay is not None:
            self.overlay.on_result(result)
        self.score_note.setText(_score_in_words(result))

    def _show_class(self, index: int) -> None:
        if self.overlay is not None and index >= 0:
            self.overlay.show_class(index)

    def _find_tissue(self) -> None:
        image = self._tissue_image = self.current.layer
        if image is None:
            return
        self.tissue_button.setEnabled(False)
        self.tissue_note.setText("Looking for tissue…")
        self.tissue_runner.start(lambda: find_tissue(source_of(image)))

    def _on_tissue(self, tissue: Any) -> None:
        if self._tissue_image in self.viewer.layers:
            add_tissue(self.viewer, self._tissue_image, tissue)

    def _say_tissue(self) -> None:
        self.tissue_button.setEnabled(True)
        image = self.current.layer
        layer = tissue_layer(self.viewer, image) if image is not None else None
        if layer is not None:
            self.tissue_note.setText(f"The run uses layer {layer.name}; paint or erase to correct it.")
        elif self.current.kind == "photo":
            self.tissue_note.setText("The run looks at the field of view, which it finds by itself.")
        else:
            self.tissue_note.setText("The run finds the tissue by itself.")

    def _say_spacing(self) -> None:
        spacing = spacing_of(self.current.layer) if self.current.layer is not None else None
        if spacing is not None:
            self.spacing_note.setText(
                f"Patches are taken at the model's resolution; this image has {spacing.mean:.4g} µm per pixel "
                f"({spacing.origin})."
            )
        elif self.current.kind == "slide":
            self.spacing_note.setText(
                "The pixel size of this slide is unknown: give it in the Open tab, so that patches get the right size."
            )
        else:
            self.spacing_note.setText("The pixel size is unknown: patches are taken at the photograph's own pixels.")


def _score_in_words(result: Any) -> str:
    """Return the share of positive patches and the mean of each class, and where files went."""
    score = result.score
    lines = [f"{score['patches']} patches scored."]
    for name, values in score["classes"].items():
        if values["mean"] is not None:
            above = f"{values['fraction_above']:.0%} of patches at least {score['threshold']:g}"
            lines.append(f"{name}: mean {values['mean']:.2f}, {above}.")
    if result.files:
        lines.append(f"Written to {result.files[0].parent}.")
    return "\n".join(lines)
