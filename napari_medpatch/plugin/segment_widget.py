"""The Segment tab: a U-Net's mask and probabilities, filled block by block."""

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QVBoxLayout

from napari_medpatch.events import Event, Job
from napari_medpatch.infer.block_store import has_blocks, remove_blocks
from napari_medpatch.models.intensity import expects_hu
from napari_medpatch.plugin.clean_box import CleanBox
from napari_medpatch.plugin.early_imports import import_for_labels, import_torch
from napari_medpatch.plugin.form import check, note
from napari_medpatch.plugin.inference_settings import where_models_run
from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.links import source_of
from napari_medpatch.plugin.live_mask import LiveMask
from napari_medpatch.plugin.model_chooser import ModelChooser
from napari_medpatch.plugin.settings import keep, preference
from napari_medpatch.plugin.slice_choice import SliceChoice
from napari_medpatch.plugin.tab import Tab
from napari_medpatch.plugin.unfinished import unfinished_folder
from napari_medpatch.plugin.view_place import place_in_view

_TASKS = {"volume": ("segment-3d", "segment-2d"), "photo": ("segment-2d",), "slide": ("segment-2d",)}
_IF_STOPPED = "finished blocks are kept, and the next run goes on from there"


class SegmentWidget(Tab):
    """Model, whether to show probabilities, Run."""

    title = "&Segment"
    runs_models = True

    def build(self, layout: QVBoxLayout) -> None:
        self.model = ModelChooser("segment", "model")
        self.probabilities = check(
            "Show prob&abilities",
            "Add a layer with each class's probability, 0 to 255.",
            checked=bool(preference("segment", "probabilities")),
        )
        self.probabilities.toggled.connect(lambda on: keep("segment", "probabilities", bool(on)))
        self.uncertainty = check(
            "Show uncertaint&y",
            "Add a layer with the entropy of the classes: 0 where the model is certain, 255 where it cannot tell.",
            checked=bool(preference("segment", "uncertainty")),
        )
        self.uncertainty.toggled.connect(lambda on: keep("segment", "uncertainty", bool(on)))
        self.model_note = note()
        self.slices = SliceChoice()
        self.runner = JobRunner(self)
        self.row = JobRow(
            self.runner, "&Run", "Segment the current image.", if_stopped=_IF_STOPPED, current=self.current
        )
        self.row.run_button.clicked.connect(lambda _checked=False: self.run())
        self.runner.progressed.connect(self._on_progress)
        self.runner.finished.connect(self._on_result)
        self.runner.stopped.connect(self._on_stopped)
        self.runner.failed.connect(lambda _sentence: self._leave_what_is_done())
        self.model.changed.connect(self._say_model)
        layout.addWidget(self.model)
        layout.addWidget(self.model_note)
        layout.addWidget(self.slices)
        layout.addWidget(self.probabilities)
        layout.addWidget(self.uncertainty)
        layout.addWidget(self.row)
        self.clean_box = CleanBox(self.current)
        layout.addWidget(self.clean_box)
        self.overlay: LiveMask | None = None
        self._parts: Path | None = None

    def missing(self) -> str:
        return "" if self.current.kind else "Open a CT volume, a photograph or a slide first."

    def on_image(self) -> None:
        if not self.missing():
            self.model.offer(self._tasks())
            self._say_model()

    def run(self) -> None:
        """Start the job on the current image."""
        image, bundle = self.current.layer, self.model.bundle()
        if image is None or bundle is None:
            self.row.say("Choose a model first.")
            return
        chosen = {
            "probabilities": self.probabilities.isChecked(),
            "uncertainty": self.uncertainty.isChecked(),
            "postprocess": self.clean_box.rules.use.isChecked(),
            "axis": self.slices.axis,
            "first": place_in_view(self.viewer, image),
            **where_models_run(),
        }
        maps = {key: bool(chosen[key]) for key in ("probabilities", "uncertainty")}

        def make_job() -> Job:
            import_for_labels()
            import_torch()
            from napari_medpatch.infer.segment import SegmentSettings, segment

            source = source_of(image)
            parts = self._parts = unfinished_folder(source, bundle.card.name)
            return _kept_until_done(segment(source, bundle, SegmentSettings(**chosen), parts=parts), parts)

        self.overlay, self._parts = LiveMask(self.viewer, image, bundle.card.name, **maps), None
        self.row.about(image)
        self.runner.start(make_job)

    def _tasks(self) -> tuple[str, ...]:
        return _TASKS.get(str(self.current.kind), ())

    def _on_progress(self, events: list[Event]) -> None:
        if self.overlay is None:
            return
        self.overlay.on_events(events)
        if not self.overlay.image_is_there:
            self.runner.stop()

    def _on_stopped(self) -> None:
        share = self._leave_what_is_done()
        if self._parts is not None and has_blocks(self._parts):
            self.row.say(f"Stopped at {share:.0%}: finished blocks are kept, and Run goes on from there.")
        elif share:
            self.row.say(f"Stopped at {share:.0%}, before a whole block was finished: Run begins anew.")
        else:
            self.row.say("Stopped before the first block was finished.")

    def _leave_what_is_done(self) -> float:
        """Leave what is done, for the next run to go on from, and return its share."""
        if self.overlay is None or not self.overlay.image_is_there:
            return 0.0
        self.overlay.on_stopped()
        return self.overlay.share_done

    def _on_result(self, result: Any) -> None:
        if self.overlay is not None:
            self.overlay.on_result(result)
            if self.overlay.layers:
                self.clean_box.take_run(self.overlay.layers[-1], result.cleaned)
            self.row.say(
                f"Finished in {result.seconds:.0f} s: layer {self.overlay.layers[-1].name}."
                if self.overlay.layers
                else "Finished."
            )

    def _say_model(self) -> None:
        """Say what the model needs that the image does not promise."""
        bundle = self.model.bundle()
        card = bundle.card if bundle is not None else None
        self.clean_box.rules.show_model(card)
        self.slices.show_for(card, self.current.kind)
        sentence = ""
        if bundle is None:
            sentence = "No model fits this image; browse to a bundle, or train one in the Paint & learn tab."
        elif (bundle.card.intensity.get("kind") == "rgb") == (self.current.kind == "volume"):
            fits = "colour pictures" if bundle.card.intensity.get("kind") == "rgb" else "volumes"
            sentence = f"This model is for {fits}; choose another one."
        elif expects_hu(bundle.card) and self._is_not_ct():
            sentence = "This model expects CT values in HU; those of this image do not look like it."
        self.model_note.setText(sentence)
        self.model_note.setVisible(bool(sentence))

    def _is_not_ct(self) -> bool:
        """Return whether the file is known not to hold HU; nobody knows for layers of other origin."""
        return self.current.live is not None and self.current.live.metadata.get("value_unit") != "HU"


def _kept_until_done(job: Job, parts: Path) -> Job:
    """Pass a job's events on and delete its blocks after the last one, in the worker."""
    yield from job
    remove_blocks(parts)
