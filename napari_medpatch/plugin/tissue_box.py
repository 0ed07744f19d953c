"""Showing, correcting and finding again the tissue that a run looks at."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.form import button, in_row, note
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.links import source_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.tissue_layer import (
    add_tissue,
    find_tissue,
    has_corrections,
    is_edited,
    tissue_layer,
    tissue_of,
)

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.patches.tissue import TissueMask


class TissueBox(QWidget):
    """Two buttons and a sentence on which tissue the next run takes.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the mask is shown.
    current : CurrentImage
        The panel's.
    method : callable
        Returns how the next run finds tissue.
    """

    def __init__(
        self, viewer: "napari.Viewer", current: CurrentImage, method: Callable[[], str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.viewer, self.current, self._method = viewer, current, method
        self._image: napari.layers.Image | None = None
        self._seen: weakref.WeakSet[napari.layers.Image] = weakref.WeakSet()
        self.runner = JobRunner(self)
        self.show_button = button(
            "Show t&issue mask",
            "Show the tissue as a labels layer; correct it with the brush, the run uses what you leave.",
            self.find,
        )
        self.again_button = button(
            "Find again", "Forget corrections and find the tissue anew.", lambda: self.find(anew=True)
        )
        self.note = note()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(in_row(self.show_button, self.again_button))
        layout.addWidget(self.note)
        self.runner.progressed.connect(lambda events: self.note.setText(events[-1].message))
        self.runner.failed.connect(self.note.setText)
        self.runner.finished.connect(self._on_tissue)
        self.runner.idle.connect(self._free)
        listen(viewer.layers.events.inserted, self.refresh)
        listen(viewer.layers.events.removed, self.refresh)
        self.refresh()

    def mask(self) -> "TissueMask | None":
        """Return the tissue in the current image's layer, None if the run shall find it by itself."""
        image = self.current.layer
        return tissue_of(tissue_layer(self.viewer, image)) if image is not None else None

    def find(self, *, anew: bool = False) -> None:
        """Show the tissue of the current image, in a worker."""
        image = self._image = self.current.layer
        if image is None or self.runner.is_running:
            return
        for each in (self.show_button, self.again_button):
            each.setEnabled(False)
        self.note.setText("Looking for tissue…")
        method = self._method()
        self.runner.start(lambda: find_tissue(source_of(image), method, anew=anew))

    def restore(self) -> None:
        """Show the mask that the user corrected when the image was open last."""
        image = self.current.layer
        if image is None or image in self._seen or self.runner.is_running:
            return
        self._seen.add(image)
        if tissue_layer(self.viewer, image) is None and has_corrections(self.current.live):
            self.find()

    def refresh(self, _event: Any = None) -> None:
        """Say which tissue the next run takes."""
        if self.runner.is_running:
            return
        image = self.current.layer
        layer = tissue_layer(self.viewer, image) if image is not None else None
        self.again_button.setVisible(layer is not None)
        self.show_button.setVisible(layer is None)
        if layer is not None and is_edited(layer):
            self.note.setText(
                f"The run uses layer {layer.name} as you corrected it; it comes back whenever the image is opened."
            )
        elif layer is not None:
            self.note.setText(f"The run uses layer {layer.name}; paint or erase to correct it.")
        elif self.current.kind == "photo":
            self.note.setText("The run looks at the field of view, which it finds by itself.")
        else:
            self.note.setText("The run finds the tissue by itself.")

    def _free(self) -> None:
        for each in (self.show_button, self.again_button):
            each.setEnabled(True)
        self.refresh()

    def _on_tissue(self, tissue: Any) -> None:
        if self._image in self.viewer.layers:
            layer = add_tissue(self.viewer, self._image, tissue)
            listen(layer.events.paint, self._on_paint)
            self.refresh()

    def _on_paint(self, event: Any) -> None:
        event.source.metadata["medpatch"]["edited"] = True
        self.refresh()
