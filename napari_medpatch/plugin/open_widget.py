"""The Open tab: files, samples, and what a file does not say about itself."""

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDoubleSpinBox, QGroupBox, QPushButton, QSpinBox, QVBoxLayout

from napari_medpatch.errors import MedPatchError
from napari_medpatch.io.pixel_size import why_unknown
from napari_medpatch.plugin.calibrate import add_associated, associated_names, change_volume, set_pixel_size
from napari_medpatch.plugin.form import add_row, button, combo, in_row, new_form, note
from napari_medpatch.plugin.messages import tell_error
from napari_medpatch.plugin.open import tile_cache
from napari_medpatch.plugin.opening import Opener
from napari_medpatch.plugin.opening_row import OpeningRow
from napari_medpatch.plugin.samples import SAMPLES
from napari_medpatch.plugin.settings import keep, preference
from napari_medpatch.plugin.tab import Tab
from napari_medpatch.plugin.volume_box import VolumeBox

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source


class OpenWidget(Tab):
    """Opens files and samples; below, what fits the current image: pixel size, pictures, HU windows."""

    title = "&Open"

    def build(self, layout: QVBoxLayout) -> None:
        self.opener = Opener(self.viewer, self)
        self.status = note()
        self.status.setAccessibleName("Status")
        self.opener.said.connect(self._say)
        layout.addLayout(in_row(*self._file_buttons()))
        layout.addLayout(self._sample_row())
        layout.addWidget(self.status)
        self.opening_row = OpeningRow(self.opener.runner)
        layout.addWidget(self.opening_row)
        self.notes = note()
        self.notes.setAccessibleName("Notes on this image")
        layout.addWidget(self.notes)
        self.slide_box, self.volume_box = self._slide_box(), VolumeBox(self.current)
        self.volume_box.volume_chosen.connect(self._change_volume)
        layout.addWidget(self.slide_box)
        layout.addWidget(self.volume_box)
        self.status.hide()

    def on_image(self) -> None:
        kind = self.current.kind
        self._show_notes()
        self.slide_box.setVisible(kind == "slide")
        self.volume_box.setVisible(kind == "volume")
        self.volume_box.on_image()
        if kind == "slide":
            self._show_slide()

    def _show_notes(self) -> None:
        """Keep in sight what the reader noted, such as missing slices: a notification is gone in a moment."""
        live = self.current.live
        notes = list(live.metadata.get("notes", ())) if live is not None else []
        self.notes.setText("\n".join(f"Note: {sentence}" for sentence in notes))
        self.notes.setVisible(bool(notes))

    def _say(self, sentence: str) -> None:
        self.status.setText(sentence)
        self.status.setVisible(bool(sentence))

    def _file_buttons(self) -> tuple[QPushButton, QPushButton]:
        files = "Open slides, photographs and volumes: DICOM, NIfTI, NRRD, MetaImage."
        self.file_button = button("Open f&ile…", files, self.opener.ask_file)
        folders = "Open a folder with DICOM series or a DICOM slide."
        self.folder_button = button("Open fol&der…", folders, self.opener.ask_folder)
        return self.file_button, self.folder_button

    def _sample_row(self) -> QVBoxLayout:
        self.sample_combo = combo()
        for key, name in SAMPLES.items():
            self.sample_combo.addItem(name, key)
        form = new_form()
        add_row(form, "Sa&mple", self.sample_combo, "Images that come with MedPatch, for trying it out.")
        self.sample_button = button("Open s&ample", "Open the chosen sample.", self._open_sample)
        column = QVBoxLayout()
        column.addLayout(form)
        column.addWidget(self.sample_button)
        return column

    def _open_sample(self) -> None:
        self.opener.open_sample(self.sample_combo.currentData())

    def _slide_box(self) -> QGroupBox:
        box = QGroupBox("Slide")
        self.pixel_note = note()
        self.mpp_y, self.mpp_x = _mpp_field("height"), _mpp_field("width")
        form = new_form()
        add_row(form, "Pi&xel width (µm)", self.mpp_x, "Width of a pixel at full resolution, in µm.")
        add_row(form, "Pixel hei&ght (µm)", self.mpp_y, "Height of a pixel at full resolution, in µm.")
        self.apply_button = button(
            "Use &this pixel size", "Rescale the slide's layer and use this size in jobs.", self._apply_pixel_size
        )
        self.picture_combo = combo()
        add_row(form, "Pict&ures", self.picture_combo, "Label, macro and thumbnail pictures that the file holds.")
        self.picture_button = button("Show pictu&re", "Open the chosen picture as a layer.", self._show_picture)
        self.cache_field = self._cache_field()
        add_row(form, "Tile cache (MB)", self.cache_field, "Memory for decoded tiles of all slides and jobs together.")
        layout = QVBoxLayout(box)
        layout.addWidget(self.pixel_note)
        layout.addLayout(form)
        layout.addLayout(in_row(self.apply_button, self.picture_button))
        return box

    def _cache_field(self) -> QSpinBox:
        field = QSpinBox()
        field.setRange(64, 65536)
        field.setSingleStep(128)
        field.setKeyboardTracking(False)
        field.setValue(int(preference("slides", "cache_mb")))
        field.valueChanged.connect(_set_cache)
        return field

    def _show_slide(self) -> None:
        source = self.current.live
        if source is None:
            return
        self._fill_pixel_size(source)
        names = associated_names(source)
        self.picture_combo.clear()
        self.picture_combo.addItems(names or ["none in this file"])
        for widget in (self.picture_combo, self.picture_button):
            widget.setEnabled(bool(names))

    def _fill_pixel_size(self, source: "Source") -> None:
        spacing = source.spacing
        self.pixel_note.setVisible(spacing is None)
        self.pixel_note.setText(
            f"{why_unknown(source)}. Give the size before you classify: 0.25 µm is usual for a 40× scan, 0.5 µm for "
            "20×."
        )
        if spacing is not None:
            self.mpp_y.setValue(spacing.values[0])
            self.mpp_x.setValue(spacing.values[1])

    def _apply_pixel_size(self) -> None:
        y, x = self.mpp_y.value(), self.mpp_x.value()
        if self.current.layer is None or not (y and x):
            self._say("Give both sizes: a number above zero, in µm.")
            return
        try:
            set_pixel_size(self.viewer, self.current.layer, (y, x))
        except MedPatchError as error:
            tell_error(error)
            return
        self._say(f"Pixel size set to {x:g} × {y:g} µm.")
        self.current.refresh()

    def _show_picture(self) -> None:
        if self.current.layer is not None:
            add_associated(self.viewer, self.current.layer, self.picture_combo.currentText())

    def _change_volume(self, index: int) -> None:
        if self.current.layer is not None:
            change_volume(self.opener, self.current.layer, index)


def _set_cache(megabytes: int) -> None:
    """Keep the size and use it at once, for slides that are open too."""
    keep("slides", "cache_mb", megabytes)
    tile_cache()


def _mpp_field(what: str) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setDecimals(4)
    field.setRange(0.0, 1000.0)
    field.setSingleStep(0.01)
    field.setSpecialValueText("unknown")
    field.setAccessibleDescription(f"Pixel {what} in µm; 0 means unknown")
    return field
