"""The box "Where labels come from": show it, take a model's prediction in, learn from it or not."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.events import Finished, Job
from napari_medpatch.plugin.accepted import accepted_of
from napari_medpatch.plugin.accepting import Acceptor, Located
from napari_medpatch.plugin.form import add_row, button, check, in_row, new_form, note
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.label_box import LabelBox
from napari_medpatch.plugin.layer_choice import LayerChoice
from napari_medpatch.plugin.layers import META, role_of
from napari_medpatch.plugin.links import image_of
from napari_medpatch.plugin.more_section import MoreSection
from napari_medpatch.plugin.origin_layer import ORIGIN_COLOURS, origin_layer, show_origins
from napari_medpatch.plugin.shown_plane import plane_region
from napari_medpatch.plugin.stroke_keeper import Counted
from napari_medpatch.plugin.strokes import sparse

if TYPE_CHECKING:
    import napari.layers
    import numpy as np

    from napari_medpatch.annotate.origins import AcceptedLabels

COUNTS = "voxels_by_origin"
"""Key in a labels layer's facts, which exports write into the file."""


class OriginBox(MoreSection):
    """A line that opens to the origins of labels and to accepting predictions.

    Parameters
    ----------
    labels : LabelBox
        Gives the labels layer, its classes and what changes.
    """

    def __init__(self, labels: LabelBox, parent: QWidget | None = None) -> None:
        inside = QVBoxLayout()
        tip = "Which labels you painted, and which were interpolated or predicted and then accepted."
        super().__init__("Where labels come from", inside, tip, parent)
        self.box, self.viewer = labels, labels.viewer
        self.acceptor, self.runner = Acceptor(self), JobRunner(self)
        self.show_box = check(
            "Show origins", "A layer that colours painted, interpolated and predicted labels.", checked=False
        )
        self.legend = note()
        self.legend.setAccessibleName("Labels by origin")
        self.mask = LayerChoice(self.viewer, self._fits)
        self.all_button = button(
            "Accept prediction", "Fill it into unlabelled voxels; one step for Ctrl+Z.", self.accept
        )
        self.slice_button = button("In this slice", "Only in the slice that is shown.", self.accept_slice)
        self.learn = check(
            "Learn from accepted labels too",
            "Otherwise training sees painted labels only. Scores count painted labels in either case.",
            checked=False,
        )
        self.state = note()
        self._lay_out(inside)
        self._connect()

    def accept(self) -> None:
        """Take the chosen prediction into the labels."""
        layer = self.box.labels()
        if layer is not None:
            self._accept(layer, tuple(slice(0, n) for n in layer.data.shape))

    def accept_slice(self) -> None:
        """Take the slice that is shown into the labels."""
        layer = self.box.labels()
        if layer is not None:
            self._accept(layer, plane_region(self.viewer, layer))

    def _lay_out(self, inside: QVBoxLayout) -> None:
        form = new_form()
        add_row(form, "Prediction", self.mask, "A mask of this image, from segmentation or training.")
        inside.addWidget(self.show_box)
        inside.addWidget(self.legend)
        inside.addLayout(form)
        inside.addLayout(in_row(self.all_button, self.slice_button))
        inside.addWidget(self.state)
        inside.addWidget(self.learn)

    def _connect(self) -> None:
        self.show_box.toggled.connect(self._on_show)
        self.acceptor.filled.connect(self._on_filled)
        self.acceptor.failed.connect(self.state.setText)
        self._layer: napari.layers.Labels | None = None
        self.runner.finished.connect(self._on_origins)
        self.box.keeper.counted.connect(self._look)
        self.box.followed.connect(self._on_followed)
        self.mask.changed.connect(self._enable)
        self._on_followed()

    def _fits(self, layer: "napari.layers.Layer") -> bool:
        labels, image = self.box.labels(), self.box.current.layer
        return (
            role_of(layer) == "mask"
            and labels is not None
            and image_of(layer) is image
            and layer.data.shape == labels.data.shape
        )

    def _accept(self, layer: "napari.layers.Labels", region: tuple[slice, ...]) -> None:
        from napari_medpatch.annotate.accept import predicted_labels
        from napari_medpatch.annotate.origins import PREDICTED

        mask = self.mask.layer()
        if mask is None:
            return
        classes, names = self.box.classes, tuple(mask.metadata[META].get("class_names", ()))
        values, labels = mask.data, sparse(layer.data, classes.names(), classes.colours())
        self.acceptor.accept(layer, lambda: predicted_labels(values, names, labels), region, PREDICTED)

    def _on_filled(self, located: Located) -> None:
        self.box.keeper.rewrite()
        words = f"{located.voxels:,} voxels accepted; Ctrl+Z takes them back."
        self.state.setText(words if located.part is not None else "Nothing is unlabelled there.")

    def _on_followed(self) -> None:
        self.mask.refresh()
        self.slice_button.setVisible(self.box.current.kind == "volume")
        self._enable()
        self._look()

    def _enable(self) -> None:
        for each in (self.all_button, self.slice_button):
            each.setEnabled(self.mask.layer() is not None)

    def _on_show(self, shown: bool) -> None:
        layer = origin_layer(self.viewer, self.box.labels())
        if shown:
            self._look()
        elif layer is not None:
            self.viewer.layers.remove(layer)

    def _look(self, found: Counted | None = None) -> None:
        """Work the origins out again, in a worker."""
        layer = self.box.labels()
        if layer is None or self.runner.is_running:
            return
        data, accepted = layer.data, accepted_of(layer).snapshot()
        if accepted or self.show_box.isChecked():
            self._layer = layer
            self.runner.start(lambda: _origins(data, accepted))
        elif found is not None:
            self._show_counts(layer, _all_painted(found))

    def _on_origins(self, found: "tuple[np.ndarray[Any, Any], Mapping[str, int]]") -> None:
        origins, counts = found
        if self._layer not in self.viewer.layers:
            return
        self._show_counts(self._layer, counts)
        if self.show_box.isChecked():
            show_origins(self.viewer, self._layer, origins)

    def _show_counts(self, layer: "napari.layers.Labels", counts: Mapping[str, int]) -> None:
        layer.metadata[META][COUNTS] = dict(counts)
        self.legend.setText(_legend(counts))


def _all_painted(found: Counted) -> Mapping[str, int]:
    from napari_medpatch.annotate.origins import ORIGIN_NAMES

    return dict(zip(ORIGIN_NAMES, (sum(found.counts[1:]), 0, 0), strict=True))


def _origins(data: "np.ndarray[Any, Any]", accepted: "AcceptedLabels") -> Job:
    """Work out where labels come from, as a job; its result is origins and counts by name."""
    from napari_medpatch.annotate.origins import origin_counts

    origins = accepted.origins(data)
    if origins is None:
        origins = (data > 0).astype("uint8")
    yield Finished((origins, origin_counts(origins)))


def _legend(counts: Mapping[str, int]) -> str:
    """Return the colours in words and numbers."""
    parts = zip(ORIGIN_COLOURS, counts.items(), strict=True)
    return " ".join(f'<span style="color:{colour}">■</span> {name} {count:,}' for colour, (name, count) in parts)
