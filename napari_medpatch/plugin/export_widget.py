"""The Export tab: results into files that other programs open."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_medpatch.events import Job
from napari_medpatch.plugin.cam_overlay import EXPLAINED
from napari_medpatch.plugin.export_formats import FOLDER, PATCH_ROLES, SLICES, formats_of, hint_of, what_of
from napari_medpatch.plugin.export_options import ExportOptionsBox
from napari_medpatch.plugin.focus_order import order_focus
from napari_medpatch.plugin.form import PathField, add_row, combo, new_form, note
from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.layers import LIVE
from napari_medpatch.plugin.links import image_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.probability_maps import maps_of_run, which_maps
from napari_medpatch.plugin.saving import at_once, saving_labels, saving_values
from napari_medpatch.plugin.saving_scores import save_scores
from napari_medpatch.plugin.tab import Tab

if TYPE_CHECKING:
    import napari.layers


class ExportWidget(Tab):
    """Layer, format, file."""

    title = "&Export"

    def build(self, layout: QVBoxLayout) -> None:
        self.layer_combo, self.format_combo = combo(), combo()
        self.path = PathField(self._ask_path, "choose a file")
        form = new_form()
        add_row(
            form,
            "La&yer",
            self.layer_combo,
            "What to write: a mask, probabilities, scores or sparse labels; or the volume itself.",
        )
        add_row(form, "Form&at", self.format_combo, "What fits the layer.")
        add_row(
            form, "F&ile", self.path, "Where to write; an existing file is replaced only when the new one is complete."
        )
        self.runner = JobRunner(self)
        self.row = JobRow(
            self.runner,
            "W&rite",
            "Write the layer to the file.",
            beginning="Writing…",
            if_stopped="no half-written file is left",
        )
        self.row.run_button.clicked.connect(lambda _checked=False: self.run())
        self.runner.finished.connect(lambda path: self.row.say(f"Written: {path}"))
        self.hint = note()
        self.options_box = ExportOptionsBox()
        layout.addLayout(form)
        layout.addWidget(self.options_box)
        layout.addWidget(self.hint)
        layout.addWidget(self.row)
        self.layer_combo.currentIndexChanged.connect(self._offer_formats)
        self.format_combo.currentIndexChanged.connect(self._on_format)
        events = self.viewer.layers.events
        for emitter in (events.inserted, events.removed, events.renamed):
            listen(emitter, self._on_layers)
        listen(self.viewer.layers.selection.events.active, self._on_active)
        self._layers: list[napari.layers.Layer] = []
        self._on_layers()

    def missing(self) -> str:
        if not self._layers:
            return "There is nothing to export yet: classify or segment an image, or paint labels."
        return ""

    def layer(self) -> "napari.layers.Layer | None":
        """Return the chosen layer."""
        index = self.layer_combo.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def choose(self, layer: "napari.layers.Layer") -> None:
        """Choose a layer of the list."""
        if layer in self._layers:
            self.layer_combo.setCurrentIndex(self._layers.index(layer))

    def run(self) -> None:
        """Write the chosen layer."""
        layer, path = self.layer(), self.path.text()
        if layer is None or not path:
            self.row.say("Choose a file first.")
            return
        save = self._saver(layer)
        self.runner.start(lambda: save(Path(path)))

    def _saver(self, layer: "napari.layers.Layer") -> Callable[[Path], Job]:
        """Return what writes the layer as it is now; painting may go on meanwhile."""
        attributes = {"metadata": layer.metadata, "name": layer.name, "scale": layer.scale, "units": layer.units}
        what, options = what_of(layer), self.options_box.options()
        if what in PATCH_ROLES:
            result = layer.metadata["medpatch_result"]
            return lambda path: at_once(lambda: save_scores(result, attributes, path))
        if what == "grad-cam":
            explained = layer.metadata[EXPLAINED]
            return lambda path: at_once(lambda: _save_explanation(explained, path))
        if what == "probability":
            maps = self._siblings(layer)
            return lambda path: saving_values(_stacked([m.data for m in maps]), attributes, path, options)
        if what == "image":
            source = layer.metadata[LIVE]
            return lambda path: _saving_volume(source, path, options)
        data, attributes = layer.data.copy(), attributes | {"colormap": layer.colormap}
        return lambda path: saving_labels(data, attributes, path, options)

    def _siblings(self, layer: "napari.layers.Layer") -> list["napari.layers.Layer"]:
        """Return the maps of all classes of the same run, in the order of classes; PNG holds one only."""
        is_picture = self.format_combo.currentData() == ".png"
        return (None if is_picture else maps_of_run(layer, self._layers)) or [layer]

    def _on_layers(self, _event: Any = None) -> None:
        """Follow the layer list, keeping the choice."""
        chosen = self.layer()
        known = [layer for layer in reversed(self.viewer.layers) if what_of(layer)]
        # Results first: an image is written again less often.
        self._layers = sorted(known, key=lambda layer: what_of(layer) == "image")
        self.layer_combo.blockSignals(True)
        self.layer_combo.clear()
        self.layer_combo.addItems([layer.name for layer in self._layers])
        self.layer_combo.setCurrentIndex(self._layers.index(chosen) if chosen in self._layers else 0)
        self.layer_combo.blockSignals(False)
        self.refresh()
        if self.layer() is not chosen:
            self._offer_formats()
        else:
            self._hint()

    def _on_active(self, _event: Any = None) -> None:
        active, chosen = self.viewer.layers.selection.active, self.layer()
        # Looking at the image beside its mask is no wish to export the image.
        if active is not None and (what_of(active) != "image" or chosen is None or what_of(chosen) == "image"):
            self.choose(active)

    def _offer_formats(self) -> None:
        layer = self.layer()
        formats = formats_of(layer) if layer is not None else ()
        self.format_combo.blockSignals(True)
        self.format_combo.clear()
        for one in formats:
            self.format_combo.addItem(one.text, one.suffix)
        self.format_combo.blockSignals(False)
        self.row.run_button.setEnabled(bool(formats) and not self.runner.is_running)
        self._on_format()

    def _on_format(self) -> None:
        layer, suffix = self.layer(), self.format_combo.currentData()
        names = layer.metadata.get("medpatch", {}).get("class_names", ()) if layer is not None else ()
        self.options_box.show_for(what_of(layer) if layer is not None else "", suffix or "", classes=len(names))
        self._hint()
        # The Tab key visits rows in the order of the layout, which has changed.
        order_focus(self.controls)
        self._suggest_path()

    def _hint(self) -> None:
        """Say why something is not offered, and which other maps go into the file."""
        layer = self.layer()
        hints = () if layer is None else (which_maps(layer, self._siblings(layer)), hint_of(layer))
        self.hint.setText(" ".join(filter(None, hints)))
        self.hint.setVisible(bool(self.hint.text()))

    def _suggest_path(self) -> None:
        """Put the new suffix on the path that is there, or propose a file beside the image."""
        layer, suffix = self.layer(), self.format_combo.currentData()
        if layer is None or suffix is None:
            return
        source = Path(str(layer.metadata.get("medpatch", {}).get("source", "")))
        folder = Path(self.path.text()).parent if self.path.text() else source.parent
        stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in _plain_name(layer)).strip("_")
        self.path.setText(str(folder / f"{stem}{'_slices' if suffix == SLICES else suffix}"))

    def _ask_path(self, parent: QWidget, start: str) -> str:
        if self.format_combo.currentData() == FOLDER:
            return QFileDialog.getExistingDirectory(parent, "Write into folder", start)
        if self.format_combo.currentData() == SLICES:
            return QFileDialog.getSaveFileName(parent, "Name the new folder of slices", start)[0]
        name, suffix = self.format_combo.currentText(), self.format_combo.currentData()
        return QFileDialog.getSaveFileName(parent, "Write", start, f"{name} (*{suffix})")[0]


def _plain_name(layer: "napari.layers.Layer") -> str:
    """Return a layer's name without the suffix of its image's file, which would stand in the middle of another name."""
    image = image_of(layer)
    file = image.source.path or image.metadata.get("medpatch", {}).get("source", "") if image is not None else ""
    name = Path(str(file)).name
    if not name or not layer.name.startswith(name) or not Path(str(file)).is_file():
        return layer.name
    stem = Path(name.removesuffix(".gz")).stem
    return f"{stem}{layer.name.removeprefix(name)}"


def _save_explanation(result: Any, path: Path) -> Path:
    """Write a stitched Grad-CAM; the core is imported when it is needed."""
    from napari_medpatch.infer.explain import write_explanation

    return write_explanation(result, path)


def _stacked(maps: list[Any]) -> Any:
    import numpy as np

    return np.stack(maps) if len(maps) > 1 else maps[0]


def _saving_volume(source: Any, path: Path, options: Any) -> Job:
    from napari_medpatch.io.export_job import exporting_volume

    return exporting_volume(source, path, options=options)
