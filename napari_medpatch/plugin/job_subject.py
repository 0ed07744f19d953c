"""Names the image of a job while another one is in view."""

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.listen import listen

if TYPE_CHECKING:
    import napari.layers


class JobSubject(QLabel):
    """A line that is there only while it is needed.

    Parameters
    ----------
    current : CurrentImage
        What the user looks at.
    """

    def __init__(self, current: CurrentImage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._current = current
        # Weakly: what a job said about a volume must not keep its memory.
        self._image: weakref.ref[napari.layers.Layer] | None = None
        self._name = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setAccessibleName("Image of the job")
        self.hide()
        current.changed.connect(self._follow)
        layers = current.viewer.layers
        for emitter in (layers.events.renamed, layers.events.removed):
            listen(emitter, self._follow)

    def take(self, image: "napari.layers.Layer") -> None:
        """Remember the image of the job that begins."""
        self._image, self._name = weakref.ref(image), image.name
        self._follow()

    def _follow(self, _event: Any = None) -> None:
        if self._image is None:
            return
        image = self._image()
        there = image is not None and image in self._current.viewer.layers
        if image is not None and there:
            self._name = image.name
        self.setVisible(image is None or image is not self._current.layer)
        self.setText(f"About {self._name}, {'not the image in view' if there else 'which was removed'}:")
