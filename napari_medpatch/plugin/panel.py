"""The dock panel: start page, header, and the tabs in the order people work."""

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from napari_medpatch.plugin.annotate_widget import AnnotateWidget
from napari_medpatch.plugin.classify_widget import ClassifyWidget
from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.drop_catcher import DropCatcher
from napari_medpatch.plugin.evaluate_widget import EvaluateWidget
from napari_medpatch.plugin.export_widget import ExportWidget
from napari_medpatch.plugin.fitting_tabs import FittingTabs
from napari_medpatch.plugin.image_header import ImageHeader
from napari_medpatch.plugin.links import bare
from napari_medpatch.plugin.open_widget import OpenWidget
from napari_medpatch.plugin.segment_widget import SegmentWidget
from napari_medpatch.plugin.start_page import StartPage
from napari_medpatch.plugin.warm_up import warm_up_when_idle

_MIN_WIDTH = 340


class MedPatchPanel(QWidget):
    """One panel for everything; it follows the selected layer.

    Parameters
    ----------
    viewer : napari.Viewer
        napari fills it in.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:  # noqa: F821 - napari matches the string
        super().__init__()
        self.viewer = bare(viewer)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.current = CurrentImage(self.viewer, self)
        self.open_tab = OpenWidget(self.viewer, self.current)
        self.classify_tab = ClassifyWidget(self.viewer, self.current)
        self.segment_tab = SegmentWidget(self.viewer, self.current)
        self.annotate_tab = AnnotateWidget(self.viewer, self.current)
        self.measure_tab = EvaluateWidget(self.viewer, self.current)
        self.export_tab = ExportWidget(self.viewer, self.current)
        self.tabs = FittingTabs()
        work_tabs = (self.segment_tab, self.annotate_tab, self.measure_tab, self.export_tab)
        for tab in (self.open_tab, self.classify_tab, *work_tabs):
            self.tabs.add(tab, tab.title, tab.short_title)
        work = QWidget()
        layout = QVBoxLayout(work)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(ImageHeader(self.current))
        layout.addWidget(self.tabs, 1)
        self.start = StartPage(self.viewer)
        self.start.left.connect(self.show_tabs)
        self.pages = QStackedLayout(self)
        self.pages.addWidget(self.start)
        self.pages.addWidget(work)
        self.drops = DropCatcher(self.viewer, self)
        self.drops.dropped.connect(self._on_drop)
        self.current.changed.connect(self._on_image)
        self._on_image()
        warm_up_when_idle(self)

    def minimumSizeHint(self) -> QSize:
        return super().minimumSizeHint().expandedTo(QSize(_MIN_WIDTH, 0))

    def show_tabs(self) -> None:
        """Leave the start page."""
        self.pages.setCurrentIndex(1)

    def show_tab(self, tab: QWidget) -> None:
        """Bring a tab to the front."""
        self.show_tabs()
        self.tabs.setCurrentWidget(tab)

    def _on_drop(self, paths: Sequence[Path]) -> None:
        """Open what was dropped where its progress can be seen."""
        if self.pages.currentWidget() is self.start:
            self.start.opener.open(paths)
        else:
            self.show_tab(self.open_tab)
            self.open_tab.opener.open(paths)

    def _on_image(self) -> None:
        if self.current.layer is not None:
            self.show_tabs()
