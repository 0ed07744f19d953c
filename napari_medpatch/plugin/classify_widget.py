"""The Classify tab: patch probabilities as live heat maps."""

from dataclasses import asdict
from typing import Any

from qtpy.QtWidgets import QVBoxLayout

from napari_medpatch.errors import MedPatchError
from napari_medpatch.events import Event, Job
from napari_medpatch.plugin.classify_form import ClassifyForm
from napari_medpatch.plugin.early_imports import import_torch
from napari_medpatch.plugin.form import note
from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.links import source_of, spacing_of
from napari_medpatch.plugin.live_heat_map import LiveHeatMap
from napari_medpatch.plugin.model_chooser import ModelChooser
from napari_medpatch.plugin.results_panel import ResultsPanel
from napari_medpatch.plugin.settings import preference
from napari_medpatch.plugin.tab import Tab
from napari_medpatch.plugin.tissue_box import TissueBox
from napari_medpatch.plugin.unfinished import unfinished_folder


class ClassifyWidget(Tab):
    """Model, settings, tissue; Run; what came out."""

    title = "&Classify"
    runs_models = True

    def build(self, layout: QVBoxLayout) -> None:
        self.model = ModelChooser("classify", "model")
        self.spacing_note = note()
        self.form = ClassifyForm(self.viewer, self.current)
        self.tissue = TissueBox(self.viewer, self.current, self.form.tissue_method)
        self.runner = JobRunner(self)
        self.row = JobRow(
            self.runner,
            "&Run",
            "Classify the patches of the current image.",
            if_stopped="scores so far are kept, and the next run goes on from there",
            current=self.current,
        )
        self.results = ResultsPanel(self.viewer, self.current)
        self.score_note = note()
        for widget in (
            self.model, self.spacing_note, self.form, self.tissue, self.row, self.results, self.score_note
        ):  # fmt: skip
            layout.addWidget(widget)
        self.score_note.hide()
        self.overlay: LiveHeatMap | None = None
        self._panels_turn = False
        self.row.run_button.clicked.connect(lambda _checked=False: self.run())
        self.runner.progressed.connect(self._on_progress)
        self.runner.finished.connect(self._on_result)
        self.runner.stopped.connect(self._on_stopped)
        self.runner.failed.connect(lambda _sentence: self._leave_what_is_done())

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
        self.model.offer(["patch-classifier", "slide-mil"])
        self._say_spacing()
        self.tissue.refresh()
        self.tissue.restore()

    def run(self) -> None:
        """Start the job on the current image."""
        image, bundle = self.current.layer, self.model.bundle()
        if image is None or bundle is None:
            self.row.say(self.model.why_none())
            return
        try:
            roi = self.form.region.region()
        except MedPatchError as error:
            self.row.say(str(error))
            return
        settings, tissue = self.form.settings(), self.tissue.mask()
        out = self.form.folder.text() or None

        def make_job() -> Job:
            # The histogram's library takes a moment to load; here that holds nobody up.
            import pyqtgraph  # noqa: F401

            import_torch()
            from napari_medpatch.infer.classify import classify

            source = source_of(image)
            keep = unfinished_folder(source, bundle.card.name)
            return classify(source, bundle, settings, out=out, tissue=tissue, roi=roi, keep=keep)

        self.overlay = LiveHeatMap(self.viewer, image, bundle, str(preference("classify", "below_threshold")))
        self.overlay.settings = asdict(settings)
        self.score_note.hide()
        self.row.about(image)
        self.runner.start(make_job)

    def _on_progress(self, events: list[Event]) -> None:
        if self.overlay is None:
            return
        is_new = self.overlay.tally is None
        # Map and panel take turns: each makes the whole window paint itself, and two at once would be felt.
        self._panels_turn = not self._panels_turn
        self.overlay.on_events(events, draw=is_new or not self._panels_turn)
        if is_new and self.overlay.tally is not None:
            self.results.show_run(self.overlay)
        elif self._panels_turn and self.results.run is self.overlay:
            self.results.update_scores()
        if not self.overlay.image_is_there:
            self.runner.stop()

    def _on_result(self, result: Any) -> None:
        if self.overlay is not None:
            self.overlay.on_result(result)
            self.results.update_scores(final=True)
        if result.files:
            self.score_note.setText(f"Written to {result.files[0].parent}.")
            self.score_note.show()

    def _on_stopped(self) -> None:
        self._leave_what_is_done()
        overlay = self.overlay
        if overlay is None or overlay.tally is None or not overlay.tally.scored:
            self.row.say("Stopped before the first patch was scored.")
        elif overlay.image_is_there:
            self.row.say(
                f"Stopped at {overlay.tally.scored:,} of {overlay.total:,} patches: their scores are shown and kept; "
                f"Run goes on from there."
            )

    def _leave_what_is_done(self) -> None:
        """Keep what was scored: the map, and where files are written the scores to go on from."""
        if self.overlay is not None:
            self.overlay.on_stopped()
            self.results.update_scores(final=True)

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
