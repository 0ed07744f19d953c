"""What all tabs share: they follow the current image, scroll, and say in words what is missing."""

from typing import TYPE_CHECKING

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.early_imports import import_ahead, import_for_labels, import_torch
from napari_medpatch.plugin.focus_order import order_focus
from napari_medpatch.plugin.image_header import ImageHeader
from napari_medpatch.plugin.links import bare
from napari_medpatch.plugin.scrolling import scrolled
from napari_medpatch.plugin.triton_guard import keep_triton_out

if TYPE_CHECKING:
    import napari


class Tab(QWidget):
    """A tab of the panel, and a widget of its own in napari's menus.

    Parameters
    ----------
    viewer : napari.Viewer
        napari fills it in.
    current : CurrentImage, optional
        The panel's; a widget that stands alone makes its own and shows the header.
    """

    title = ""
    short_title = ""
    """For a narrow dock, if the title is long."""
    runs_models = False
    """Whether a job of this tab needs torch, which takes seconds to import."""

    def __init__(self, viewer: "napari.viewer.Viewer", current: CurrentImage | None = None) -> None:
        super().__init__()
        self.viewer = bare(viewer)
        self.current = current or CurrentImage(self.viewer, self)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        if current is None:
            outer.addWidget(ImageHeader(self.current))
        self.explanation = QLabel()
        self.explanation.setWordWrap(True)
        self.explanation.setAccessibleName("What is missing")
        self.controls = QWidget()
        self._area = self._scrolling()
        outer.addWidget(self._area, 1)
        layout = QVBoxLayout(self.controls)
        layout.setContentsMargins(0, 0, 0, 0)
        self.build(layout)
        order_focus(self.controls)
        self.current.changed.connect(self.refresh)
        self.refresh()

    def build(self, layout: QVBoxLayout) -> None:
        """Fill the tab; called once."""
        raise NotImplementedError

    def missing(self) -> str:
        """Return one sentence on why this tab cannot work on the current image, empty if it can."""
        return ""

    def on_image(self) -> None:
        """Adapt to another image."""

    def refresh(self) -> None:
        """Follow the current image."""
        sentence = self.missing()
        self.explanation.setText(sentence)
        self.explanation.setVisible(bool(sentence))
        self.controls.setEnabled(not sentence)
        self.on_image()
        self._make_room()
        self._get_ready()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._get_ready()

    def _get_ready(self) -> None:
        """Import while the user looks at the settings what would hold the window up during the job."""
        if self.runs_models and self.isVisible() and self.controls.isEnabled():
            keep_triton_out()
            import_ahead(import_for_labels)
            import_ahead(import_torch)

    def _make_room(self) -> None:
        """Keep the area as wide as its contents and the scroll bar, which would cover them otherwise."""
        bar = self._area.verticalScrollBar().sizeHint().width()
        self._area.setMinimumWidth(self._area.widget().minimumSizeHint().width() + bar)

    def _scrolling(self) -> QScrollArea:
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.explanation)
        layout.addWidget(self.controls)
        layout.addStretch(1)
        return scrolled(body)
