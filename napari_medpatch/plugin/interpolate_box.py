"""The box "Between slices" of the Paint & learn tab: propose, look, accept or discard."""

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QDoubleSpinBox, QSpinBox, QVBoxLayout, QWidget

from napari_medpatch.plugin.accepting import Acceptor, Located
from napari_medpatch.plugin.form import add_row, button, check, combo, in_row, new_form, note
from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.label_box import LabelBox
from napari_medpatch.plugin.links import source_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.more_section import MoreSection
from napari_medpatch.plugin.proposal_layer import add_proposal, mark_outdated
from napari_medpatch.plugin.proposing import Proposed, proposing
from napari_medpatch.plugin.shown_plane import plane_region
from napari_medpatch.plugin.stroke_keeper import Counted

if TYPE_CHECKING:
    import napari.layers

_AXES = (("Automatic", None), ("Axial", 0), ("Coronal", 1), ("Sagittal", 2))
_METHODS = (("Follow the image", "walker"), ("Shape only", "shape"))
_ALL = "All classes"


class InterpolateBox(MoreSection):
    """A line that opens to the settings, Propose, and what to do with a proposal.

    Parameters
    ----------
    labels : LabelBox
        Gives the labels layer, its classes and what changes.
    """

    def __init__(self, labels: LabelBox, parent: QWidget | None = None) -> None:
        inside = QVBoxLayout()
        super().__init__("Between slices", inside, "Fill between slices that you painted, as a proposal.", parent)
        self.box, self.viewer = labels, labels.viewer
        self.runner, self.acceptor = JobRunner(self), Acceptor(self)
        self.row = JobRow(
            self.runner,
            "Propose",
            "Fill between the painted slices, as a layer of its own; your labels stay as they are.",
            beginning="Looking for painted slices…",
            if_stopped="your labels stay as they are",
            current=labels.current,
        )
        self.row.stop_button.setText("Stop")  # Alt+T belongs to the training above
        self.state = note("Paint a structure on a few slices, with gaps between them.")
        self.state.setAccessibleName("State of the proposal")
        self.proposal: napari.layers.Labels | None = None
        self._target: napari.layers.Labels | None = None
        self._image: napari.layers.Image | None = None
        self._proposed: Proposed | None = None
        self._known: set[tuple[int, ...]] = set()
        self._told: tuple[int, ...] | None = None
        self._is_counted = False
        self._region: tuple[slice, ...] | None = None
        inside.addLayout(self._form())
        inside.addWidget(self.row)
        inside.addWidget(self.state)
        inside.addLayout(self._buttons())
        self._connect()
        self._enable()

    def propose(self) -> None:
        """Work out a proposal for the labels as they are now; painting may go on."""
        layer, image = self.box.labels(), self.box.current.layer
        if layer is None or image is None:
            self.state.setText("Press New sparse labels and paint a structure on a few slices first.")
            return
        self.discard()
        self._target, self._image = layer, image
        strokes, classes, settings = layer.data.copy(), self.box.classes, self._settings()
        names, colours = classes.names(), classes.colours()
        self.row.about(image)
        self.runner.start(lambda: proposing(source_of(image), strokes, names, colours, settings))

    def accept(self) -> None:
        """Take the whole proposal into the labels."""
        if self.proposal is not None:
            self._accept(tuple(slice(0, n) for n in self.proposal.data.shape))

    def accept_slice(self) -> None:
        """Take the slice that is shown into the labels."""
        if self.proposal is not None and self._proposed is not None:
            self._accept(plane_region(self.viewer, self.proposal, self._proposed.result.axis))

    def discard(self) -> None:
        """Remove the proposal."""
        layer, self.proposal = self.proposal, None
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)
        self._enable()

    def _form(self) -> Any:
        self.axis, self.method, self.classes = combo(), combo(), combo()
        for text, axis in _AXES:
            self.axis.addItem(text, axis)
        for text, method in _METHODS:
            self.method.addItem(text, method)
        self.classes.addItem(_ALL, ())
        self.band, self.beyond = QDoubleSpinBox(), QSpinBox()
        self.band.setRange(0, 100)
        self.band.setDecimals(1)
        self.band.setSuffix(" mm")
        self.band.setSpecialValueText("automatic")
        self.beyond.setRange(0, 999)
        self.beyond.setSuffix(" slices")
        self.background = check(
            "Backgro&und too", "Propose background as well, where both neighbouring slices are painted.", checked=False
        )
        form = new_form()
        add_row(form, "Slices", self.axis, "The slices that you painted; Automatic takes the most fully painted ones.")
        add_row(form, "Method", self.method, "Shape only looks at your outlines; the other lets the image move them.")
        self.band_label = add_row(
            form,
            "Band",
            self.band,
            "How far the image may move the border; automatic: half the way to the nearest painted slice.",
        )
        add_row(form, "Classes", self.classes, "What to propose; the other painted classes keep their place anyway.")
        add_row(form, "Go on beyond", self.beyond, "Slices to go on for after the first and the last painted one.")
        form.addRow(self.background)
        return form

    def _buttons(self) -> Any:
        self.accept_button = button(
            "Accept all", "Fill the proposal into unlabelled voxels; one step for Ctrl+Z.", self.accept
        )
        self.slice_button = button("Accept slice", "Only the slice that is shown.", self.accept_slice)
        self.discard_button = button("Discard", "Remove the proposal; your labels stay as they are.", self.discard)
        return in_row(self.accept_button, self.slice_button, self.discard_button)

    def _connect(self) -> None:
        self.row.run_button.clicked.connect(lambda _checked=False: self.propose())
        self.runner.finished.connect(self._on_proposed)
        self.runner.idle.connect(self._enable)
        self.acceptor.filled.connect(self._on_filled)
        self.acceptor.failed.connect(self._on_failed)
        self.method.currentIndexChanged.connect(self._on_method)
        self.box.keeper.counted.connect(self._on_counted)
        self.box.classes.edited.connect(self._offer_classes)
        self.box.followed.connect(self._offer_classes)
        listen(self.viewer.layers.events.removed, self._on_removed)
        self._on_method()
        self._offer_classes()

    def _settings(self) -> Any:
        from napari_medpatch.annotate.interpolate import InterpolateSettings

        return InterpolateSettings(
            axis=self.axis.currentData(),
            method=self.method.currentData(),
            classes=tuple(self.classes.currentData() or ()),
            background=self.background.isChecked(),
            beyond=self.beyond.value(),
            band_mm=self.band.value() or None,
        )

    def _accept(self, region: tuple[slice, ...]) -> None:
        from napari_medpatch.annotate.origins import INTERPOLATED

        if self._target not in self.viewer.layers:
            self.state.setText("The labels of this proposal were removed; discard it.")
            return
        self._region, proposal = region, self.proposal.data
        self.acceptor.accept(self._target, lambda: proposal, region, INTERPOLATED)
        self._enable()

    def _on_proposed(self, proposed: Proposed) -> None:
        if self._image not in self.viewer.layers or self._target not in self.viewer.layers:
            self.row.say("The image or its labels were removed, so the proposal is dropped.")
            return
        self._proposed, self._known, self._told = proposed, {proposed.counts}, None
        names, colours = self.box.classes.names(), self.box.classes.colours()
        self.proposal = add_proposal(self.viewer, self._image, proposed.result, names, colours)
        self.row.say("")
        self.state.setText(proposed.in_words())
        self.box.keeper.touch()
        self._enable()

    def _on_filled(self, located: Located) -> None:
        self.box.keeper.rewrite()
        if located.part is None:
            self.state.setText("Nothing is unlabelled there.")
        else:
            self._told, self._is_counted = self._proposed.counts_after(located.part.labels), False
            self._known.add(self._told)
            self.state.setText(f"{located.voxels:,} voxels accepted; Ctrl+Z takes them back.")
        self._forget_accepted()
        self._enable()

    def _forget_accepted(self) -> None:
        """Take what was accepted out of the proposal; one that is used up goes."""
        layer, region = self.proposal, self._region
        if layer is None or region is None:
            return
        if region == tuple(slice(0, n) for n in layer.data.shape):
            self.discard()
        else:
            layer.data[region] = 0
            layer.refresh()

    def _on_failed(self, sentence: str) -> None:
        self.state.setText(sentence)
        self._enable()

    def _on_counted(self, found: Counted) -> None:
        """Compare the labels with those that the proposal was made from, by their counts."""
        if self._target is not self.box.labels() or self.acceptor.is_busy:
            return
        if self.proposal is None:
            self._compare_accepted(found)
            return
        outdated = found.counts not in self._known
        was = self.proposal.name.endswith("(outdated)")
        mark_outdated(self.proposal, outdated)
        if outdated:
            self.state.setText("Outdated: the labels changed since; propose again, or accept it as it is.")
        elif was:
            self.state.setText(self._proposed.in_words())

    def _compare_accepted(self, found: Counted) -> None:
        """Stop saying that voxels were accepted once that was undone or painted over."""
        if self._told is None:
            return
        if found.counts == self._told:
            self._is_counted = True
        elif self._is_counted:
            self._told = None
            self.state.setText("The labels changed since; propose again to fill between them.")

    def _on_removed(self, event: Any) -> None:
        if event.value is self.proposal:
            self.proposal = None
            self._enable()

    def _on_method(self, _index: int = 0) -> None:
        by_image = self.method.currentData() == "walker"
        for widget in (self.band, self.band_label):
            widget.setVisible(by_image)

    def _offer_classes(self) -> None:
        """List the classes, keeping the choice."""
        chosen = self.classes.currentText()
        self.classes.clear()
        self.classes.addItem(_ALL, ())
        for name in self.box.classes.names()[1:]:
            self.classes.addItem(name, (name,))
        self.classes.setCurrentIndex(max(0, self.classes.findText(chosen)))

    def _enable(self) -> None:
        there = self.proposal is not None and not self.acceptor.is_busy and not self.runner.is_running
        for each in (self.accept_button, self.slice_button, self.discard_button):
            each.setEnabled(there)
