"""What a first-time user sees: three buttons."""

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_medpatch.plugin.form import note
from napari_medpatch.plugin.model_chooser import show_text
from napari_medpatch.plugin.opening import Opener
from napari_medpatch.plugin.opening_row import OpeningRow
from napari_medpatch.plugin.samples import SAMPLES

if TYPE_CHECKING:
    import napari

_WELCOME = (
    "Open a whole-slide image, a photograph or a CT volume. Then classify its patches, segment it, paint a few strokes "
    "and let a model learn from them, and export the result."
)


class StartPage(QWidget):
    """Open a file, open a sample, read the guide.

    Signals
    -------
    left
        The user wants the tabs.
    """

    left = Signal()

    def __init__(self, viewer: "napari.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.opener = Opener(viewer, self)
        self.status = note()
        self.opener.said.connect(self.status.setText)
        self.opener.opened.connect(lambda _layer: self.left.emit())
        title = QLabel("<h2>MedPatch</h2>")  # napari's style sheet overrides fonts, not markup
        self.file_button = _big("Open a f&ile…", "Slides, photographs, CT volumes: DICOM, NIfTI, NRRD, MetaImage.")
        self.file_button.clicked.connect(lambda _checked=False: self.opener.ask_file())
        self.sample_button = _big("Open a s&ample", "Images that come with MedPatch.")
        self.sample_button.setMenu(self._sample_menu())
        self.guide_button = _big("Read the two-minute &guide", "What the tabs do, in the order people work.")
        self.guide_button.clicked.connect(lambda _checked=False: show_guide(self))
        self.skip_button = QPushButton("Go to the &tabs")
        self.skip_button.setFlat(True)
        self.skip_button.setToolTip("Use images that are in the viewer already.")
        self.skip_button.clicked.connect(lambda _checked=False: self.left.emit())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(10)
        layout.addWidget(title)
        layout.addWidget(note(_WELCOME))
        for button in (self.file_button, self.sample_button, self.guide_button):
            layout.addWidget(button)
        layout.addWidget(self.status)
        layout.addWidget(OpeningRow(self.opener.runner))
        layout.addWidget(self.skip_button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(1)

    def _sample_menu(self) -> QMenu:
        menu = QMenu(self)
        for key, name in SAMPLES.items():
            action = menu.addAction(name)
            action.triggered.connect(lambda _checked=False, k=key: self.opener.open_sample(k))
        return menu


def show_guide(parent: QWidget) -> QWidget:
    """Show the guide that is packaged with the plugin; it needs no network."""
    return show_text(
        parent, "MedPatch in two minutes", Path(__file__).with_name("guide.md").read_text(encoding="utf-8")
    )


def _big(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumHeight(44)
    return button
