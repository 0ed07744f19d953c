"""The Paint & learn tab: sparse labels, and a model that learns from them."""

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QLineEdit, QSpinBox, QVBoxLayout

from napari_medpatch.errors import MedPatchError
from napari_medpatch.events import Event, Job, StepDone
from napari_medpatch.plugin.accepted import accepted_of
from napari_medpatch.plugin.early_imports import import_for_labels, import_torch
from napari_medpatch.plugin.form import add_row, new_form
from napari_medpatch.plugin.interpolate_box import InterpolateBox
from napari_medpatch.plugin.job_row import JobRow, scores_in_words
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.label_box import LabelBox
from napari_medpatch.plugin.links import source_of
from napari_medpatch.plugin.live_mask import LiveMask
from napari_medpatch.plugin.loss_plot import LossPlot
from napari_medpatch.plugin.model_chooser import ModelChooser
from napari_medpatch.plugin.origin_box import OriginBox
from napari_medpatch.plugin.settings import keep, preference
from napari_medpatch.plugin.strokes import model_folder, sparse, training
from napari_medpatch.plugin.tab import Tab

_TASKS = {"volume": ("segment-3d", "segment-2d"), "photo": ("segment-2d",), "slide": ("segment-2d",)}


class AnnotateWidget(Tab):
    """The labels above; base model, time, Retrain and the loss below."""

    title = "Paint && lear&n"
    short_title = "Pai&nt"
    runs_models = True

    def build(self, layout: QVBoxLayout) -> None:
        self.overlay: LiveMask | None = None
        self._out: Path | None = None
        self.box = LabelBox(self.current)
        self.between, self.origins = InterpolateBox(self.box), OriginBox(self.box)
        self.base = ModelChooser("learning", "base", none="a new model", label="Base &model")
        self.runner = JobRunner(self)
        self.row = JobRow(
            self.runner,
            "&Retrain",
            "Learn from the strokes and draw the improved mask.",
            if_stopped="the model is kept as far as it got",
            current=self.current,
        )
        self.row.run_button.clicked.connect(lambda _checked=False: self.run())
        self.plot = LossPlot()
        self.runner.progressed.connect(self._on_progress)
        self.runner.finished.connect(self._on_result)
        self.runner.stopped.connect(self._on_stopped)
        layout.addWidget(self.box)
        layout.addWidget(self.between)
        layout.addWidget(self.origins)
        layout.addWidget(self.base)
        layout.addLayout(self._options())
        layout.addWidget(self.row)
        layout.addWidget(self.plot)

    def missing(self) -> str:
        if self.current.kind is None:
            return "Open an image first; then paint a few strokes on it, and a model learns from them."
        return ""

    def on_image(self) -> None:
        if not self.missing():
            self.base.offer(_TASKS[str(self.current.kind)])
            self.between.setVisible(self.current.kind == "volume")
            self.box.on_image()

    def run(self) -> None:
        """Learn from the strokes as they are now; painting may go on."""
        image, layer = self.current.layer, self.box.labels()
        if image is None or layer is None:
            self.row.say("Press New sparse labels and paint some background and some of the structure first.")
            return
        base, seconds = self.base.bundle(), float(self.seconds.value())
        classes = self.box.classes
        data, accepted = layer.data.copy(), accepted_of(layer).snapshot()
        class_names, colours = classes.names(), classes.colours()
        name, device = self.name.text().strip(), str(preference("inference", "device"))
        if self.overlay is None or self.overlay.image is not image or not self.overlay.is_complete:
            # Otherwise the mask of the training before is refreshed in place.
            self.overlay = LiveMask(self.viewer, image, "retrained", probabilities=True, job="Training")
        self.overlay.colours = classes.colours()[1:]
        self.plot.clear()
        options = {"seconds": seconds, "device": device, "use_accepted": self.origins.learn.isChecked()}

        def make_job() -> Job:
            import_for_labels()
            import_torch()
            source = source_of(image)
            self._out = model_folder(source, name)
            return training(source, sparse(data, class_names, colours, accepted), base, self._out, **options)

        self.row.about(image)
        self.runner.start(make_job)

    def _options(self) -> Any:
        self.seconds = QSpinBox()
        self.seconds.setRange(5, 36000)
        self.seconds.setSuffix(" s")
        self.seconds.setValue(int(preference("learning", "seconds")))
        self.seconds.valueChanged.connect(lambda value: keep("learning", "seconds", int(value)))
        self.name = QLineEdit()
        self.name.setPlaceholderText("only in the image's project folder")
        form = new_form()
        add_row(form, "Trainin&g time", self.seconds, "Time budget; a minute is a start, more helps.")
        add_row(form, "&Keep model as", self.name, "Name under which the trained model is listed in the Segment tab.")
        return form

    def _on_progress(self, events: list[Event]) -> None:
        steps = [event for event in events if isinstance(event, StepDone)]
        if steps:
            self.plot.add([event.step for event in steps], [event.loss for event in steps])
        if self.overlay is not None:
            self.overlay.on_events(events)
            if not self.overlay.image_is_there:
                self.runner.stop()

    def _on_stopped(self) -> None:
        """Offer the model of a training that was stopped after its first steps."""
        if not self.plot.steps or self._out is None:
            self.row.say("Stopped before the first step; there is no new model.")
            return
        from napari_medpatch.models.bundle import load_bundle

        self.row.say(f"Stopped after {self.plot.steps[-1]} steps; the model is kept in {self._out}.")
        try:
            self.base.add(load_bundle(self._out))
        except MedPatchError as error:
            self.row.say(f"Stopped; {error}")

    def _on_result(self, result: Any) -> None:
        if self.overlay is not None:
            self.overlay.on_result(result)
        held_out = scores_in_words(result.metrics)
        said = (
            f"{result.steps} steps in {result.seconds:.0f} s. {held_out}"
            if result.steps
            else f"The time was over before the first step; the mask is an estimate. Give it more time. {held_out}"
        )
        if result.bundle is not None:
            self.base.add(result.bundle)
            if result.bundle.path != self._out:
                said += f" The model could not be written where it was wanted and is kept in {result.bundle.path}."
        self.row.say(said)
