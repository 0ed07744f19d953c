"""The Clean up box of the Segment tab: steps on a mask, with as many undos as there were clean-ups."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.errors import MedPatchError
from napari_medpatch.events import Job
from napari_medpatch.infer.clean.history import CleanRecord
from napari_medpatch.infer.clean.registry import parse_steps
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.plugin.clean_jobs import Preview, Written, applying, cleaning, previewing, redoing, undoing
from napari_medpatch.plugin.clean_layers import (
    class_names,
    drop_change,
    forget,
    history,
    is_mask,
    show_change,
    show_classes,
)
from napari_medpatch.plugin.clean_steps import StepList
from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.form import add_row, button, in_row, new_form, note
from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.layer_choice import LayerChoice
from napari_medpatch.plugin.links import image_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.model_rules import ModelRules
from napari_medpatch.plugin.more_section import MoreSection
from napari_medpatch.plugin.settings import keep, preference

if TYPE_CHECKING:
    import napari.layers

_APART = "; "
_OFF = "#"


class CleanBox(MoreSection):
    """A line that opens to the model's own clean-up, a list of steps, Apply, Preview, Undo and Redo.

    Parameters
    ----------
    current : CurrentImage
        The panel's.
    """

    def __init__(self, current: CurrentImage, parent: QWidget | None = None) -> None:
        self.current, self.viewer = current, current.viewer
        inside = QVBoxLayout()
        super().__init__("Clean up", inside, "Clean a mask in steps that can be undone: pieces, holes, edges.", parent)
        self.rules = ModelRules()
        self.mask = LayerChoice(self.viewer, is_mask)
        self.steps = StepList()
        self.runner, self.writer = JobRunner(self), JobRunner(self)
        self.row = JobRow(
            self.runner,
            "Apply steps",
            "Clean the chosen mask with the steps above.",
            beginning="Reading the mask…",
            if_stopped="the mask stays as it is",
        )
        self.row.stop_button.setText("Stop")
        self.preview_button = button(
            "Preview", "Show what the steps would add and remove, without changing the mask.", self.preview
        )
        self.undo_button = button("Un&do clean-up", "", self.undo)
        self.redo_button = button("Redo", "", self.redo)
        self.changes = note()
        self.changes.setAccessibleName("What was changed")
        self._layer: napari.layers.Labels | None = None
        self._then: Callable[[Any], None] = self._on_cleaned
        self._lay_out(inside)
        self._connect()
        self.steps.show_steps(())
        self._recall()
        self._on_mask()

    def take_run(self, layer: "napari.layers.Labels", record: CleanRecord | None) -> None:
        """Begin anew with the mask of a run; what its model cleaned can be undone too.

        Parameters
        ----------
        layer : Labels layer
            The mask.
        record : CleanRecord or None
            The model's own clean-up.
        """
        forget(layer)
        if record is not None:
            history(layer).add(record)
        self.changes.setText(record.in_words() if record is not None else "")
        self.mask.choose(layer)
        self._on_mask()

    def apply(self) -> None:
        """Clean the chosen mask in a worker."""
        self._start(cleaning, self._on_cleaned)

    def preview(self) -> None:
        """Work out in a worker what would change, and show it."""
        self._start(previewing, self._on_preview)

    def undo(self) -> None:
        """Take the last clean-up of the chosen mask back."""
        self._step_in_history(undoing)

    def redo(self) -> None:
        """Clean again what was undone last."""
        self._step_in_history(redoing)

    def _lay_out(self, inside: QVBoxLayout) -> None:
        form = new_form()
        add_row(form, "Mas&k", self.mask, "The mask that is cleaned; it keeps its layer.")
        inside.addWidget(self.rules)
        inside.addLayout(form)
        inside.addWidget(self.steps)
        inside.addWidget(self.row)
        inside.addLayout(in_row(self.preview_button, self.undo_button, self.redo_button))
        inside.addWidget(self.changes)

    def _connect(self) -> None:
        self.row.run_button.clicked.connect(lambda _checked=False: self.apply())
        self.runner.finished.connect(lambda result: self._then(result))
        self.writer.finished.connect(self._on_written)
        self.writer.failed.connect(self.row.say)
        self.rules.wanted.connect(self._add_steps)
        self.mask.changed.connect(self._on_mask)
        self.steps.edited.connect(self._on_edited)
        self.current.changed.connect(self._follow)
        for runner in (self.runner, self.writer):
            runner.started.connect(self._enable)
            runner.idle.connect(self._enable)
        listen(self.viewer.layers.selection.events.active, self._follow)

    def _start(self, make: Callable[..., Job], then: Callable[[Any], None]) -> None:
        layer = self.mask.layer()
        try:
            steps = self.steps.steps()
        except MedPatchError as error:
            self.row.say(str(error))
            return
        if layer is None or not steps:
            self.row.say("Choose a mask first." if layer is None else "Switch a step on, or add one.")
            return
        drop_change(self.viewer, layer)
        image, names = self.current.layer, class_names(layer)
        self._layer, self._then = layer, then
        self.runner.start(lambda: make(layer, image, steps, names))

    def _on_cleaned(self, result: Any) -> None:
        layer = self._layer
        if layer is None or layer not in self.viewer.layers:
            self.row.say("The mask was removed, so that nothing was cleaned.")
            return
        record: CleanRecord = result.undo
        self.changes.setText(record.in_words())
        if not record.delta.voxels and record.names_before == record.names_after:
            self.row.say("Nothing had to be changed.")
            return
        said = f"Cleaned {layer.name} in {result.seconds:.1f} s"
        self.writer.start(lambda: applying(layer.data, history(layer), record, said))

    def _on_preview(self, found: Preview) -> None:
        if self._layer is None or self._layer not in self.viewer.layers:
            return
        self.changes.setText(found.result.undo.in_words())
        show_change(self.viewer, self._layer, found.values)
        self.row.say("Preview: green would be added or change its class, orange removed. Nothing is changed yet.")

    def _step_in_history(self, make: Callable[..., Job]) -> None:
        layer = self.mask.layer()
        if layer is None or self.writer.is_running or self.runner.is_running:
            return
        drop_change(self.viewer, layer)
        self._layer = layer
        self.changes.setText("")
        self.writer.start(lambda: make(layer.data, history(layer)))

    def _on_written(self, written: Written) -> None:
        layer = self._layer
        if layer is None or layer not in self.viewer.layers:
            return
        show_classes(layer, written.names)
        self.row.say(f"{written.said}{_painted(written.stayed)}.")
        self._on_mask()

    def _on_mask(self) -> None:
        layer = self.mask.layer()
        self.steps.show_classes(() if layer is None else class_names(layer))
        self._enable()

    def _follow(self, _event: Any = None) -> None:
        """Choose the selected mask, or else the newest one of the current image."""
        active, image = self.viewer.layers.selection.active, self.current.layer
        if active is not None and is_mask(active):
            self.mask.choose(active)
        elif image is not None and image_of(self.mask.layer()) is not image:
            own = [layer for layer in self.viewer.layers if is_mask(layer) and image_of(layer) is image]
            if own:
                self.mask.choose(own[-1])

    def _enable(self) -> None:
        layer = self.mask.layer()
        free = not (self.runner.is_running or self.writer.is_running)
        done = history(layer) if layer is not None else None
        self.preview_button.setEnabled(free and layer is not None)
        self.row.run_button.setEnabled(free and layer is not None)
        for each, records, what in (
            (self.undo_button, done.done if done else [], "Take back"),
            (self.redo_button, done.undone if done else [], "Do again"),
        ):
            each.setEnabled(free and bool(records))
            each.setToolTip(
                f"{what}: {_told(records[-1])}." if records else f"{what} the last clean-up; there is none."
            )

    def _add_steps(self, steps: Sequence[CleanStep]) -> None:
        for step in steps:
            self.steps.add(step)
        self._on_edited()

    def _on_edited(self) -> None:
        keep("segment", "clean_steps", _APART.join(self.steps.texts()))

    def _recall(self) -> None:
        """Show the steps that were in the list last; what cannot be read is dropped."""
        for text in filter(None, str(preference("segment", "clean_steps")).split(_APART)):
            try:
                (step,) = parse_steps([text.removeprefix(_OFF)])
            except MedPatchError:
                continue
            self.steps.add(step, on=not text.startswith(_OFF))


def _painted(stayed: int) -> str:
    return f"; {stayed:,} voxels that you painted since stay as they are" if stayed else ""


def _told(record: CleanRecord) -> str:
    """Return the steps of a clean-up in one line."""
    return ", ".join(change.step for change in record.changes) or "clean-up"
