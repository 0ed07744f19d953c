"""The Export tab: results into files that other programs open."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_medpatch.events import Finished, Job, Noted
from napari_medpatch.plugin.cam_overlay import EXPLAINED
from napari_medpatch.plugin.form import PathField, add_row, combo, new_form, note
from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.layers import role_of
from napari_medpatch.plugin.links import image_of, kind_of
from napari_medpatch.plugin.listen import listen
from napari_medpatch.plugin.saving import save_labels, save_scores, save_values
from napari_medpatch.plugin.tab import Tab

if TYPE_CHECKING:
    import napari.layers

_FOLDER = ""
_NIFTI, _TIFF, _PNG, _OUTLINES = (
    ("NIfTI, exact grid of the image", ".nii.gz"),
    ("OME-TIFF, calibrated values", ".ome.tiff"),
    ("PNG, values", ".png"),
    ("GeoJSON, outlines for QuPath", ".geojson"),
)
_FORMATS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        ("labels", "volume"): (_NIFTI, _TIFF),
        ("labels", "photo"): (_PNG, _TIFF, _OUTLINES),
        ("labels", "slide"): (_OUTLINES, _TIFF, _PNG),
        ("probability", "volume"): (_NIFTI, _TIFF),
        ("probability", "photo"): (_TIFF, _PNG),
        ("probability", "slide"): (_TIFF, _PNG),
    }
)
_SCORES = (
    ("Folder: table, GeoJSON, OME-TIFF, record", _FOLDER),
    ("CSV, one row per patch", ".csv"),
    ("GeoJSON, tiles for QuPath", ".geojson"),
    ("GeoJSON, compressed", ".geojson.gz"),
)
_PATCHES = ("heat map", "patch values")
"""Roles of layers that draw scores of patches."""


class ExportWidget(Tab):
    """Layer, format, file."""

    title = "&Export"

    def build(self, layout: QVBoxLayout) -> None:
        self.layer_combo, self.format_combo = combo(), combo()
        self.path = PathField(self._ask_path, "choose a file")
        form = new_form()
        add_row(
            form, "La&yer", self.layer_combo, "The result to write: a mask, probabilities, scores or sparse labels."
        )
        add_row(form, "For&mat", self.format_combo, "What fits the layer.")
        add_row(
            form, "F&ile", self.path, "Where to write; an existing file is replaced only when the new one is complete."
        )
        self.runner = JobRunner(self)
        self.row = JobRow(self.runner, "W&rite", "Write the layer to the file.")
        self.row.run_button.clicked.connect(lambda _checked=False: self.run())
        self.runner.finished.connect(lambda path: self.row.say(f"Written: {path}"))
        self.hint = note()
        layout.addLayout(form)
        layout.addWidget(self.hint)
        layout.addWidget(self.row)
        self.layer_combo.currentIndexChanged.connect(self._offer_formats)
        self.format_combo.currentIndexChanged.connect(self._suggest_path)
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
        self.runner.start(lambda: _writing(save, Path(path)))

    def _saver(self, layer: "napari.layers.Layer") -> Callable[[Path], Path]:
        """Return what writes the layer as it is now; painting may go on meanwhile."""
        attributes = {"metadata": layer.metadata, "name": layer.name, "scale": layer.scale, "units": layer.units}
        role = role_of(layer)
        if role in _PATCHES:
            result = layer.metadata["medpatch_result"]
            return lambda path: save_scores(result, attributes, path)
        if role == "grad-cam":
            return partial(_save_explanation, layer.metadata[EXPLAINED])
        if role == "probability":
            maps = self._siblings(layer)
            return lambda path: save_values(_stacked([m.data for m in maps]), attributes, path)
        data = layer.data.copy()
        return lambda path: save_labels(data, attributes, path)

    def _siblings(self, layer: "napari.layers.Layer") -> list["napari.layers.Layer"]:
        """Return the maps of all classes of the same job, in the order of classes; PNG holds one only."""
        if self.format_combo.currentData() == ".png":
            return [layer]
        model = layer.metadata["medpatch"].get("model")
        maps = [
            other
            for other in self._layers
            if role_of(other) == "probability"
            and image_of(other) is image_of(layer)
            and other.metadata["medpatch"].get("model") == model
        ]
        complete = len(maps) == len(layer.metadata["medpatch"]["class_names"])
        return sorted(maps, key=lambda m: m.metadata["medpatch"]["class_index"]) if complete else [layer]

    def _on_layers(self, _event: Any = None) -> None:
        """Follow the layer list, keeping the choice."""
        chosen = self.layer()
        self._layers = [layer for layer in reversed(self.viewer.layers) if _is_result(layer)]
        self.layer_combo.blockSignals(True)
        self.layer_combo.clear()
        self.layer_combo.addItems([layer.name for layer in self._layers])
        self.layer_combo.setCurrentIndex(self._layers.index(chosen) if chosen in self._layers else 0)
        self.layer_combo.blockSignals(False)
        self.refresh()
        if self.layer() is not chosen:
            self._offer_formats()

    def _on_active(self, _event: Any = None) -> None:
        active = self.viewer.layers.selection.active
        if active is not None:
            self.choose(active)

    def _offer_formats(self) -> None:
        layer = self.layer()
        formats = _formats(layer) if layer is not None else ()
        self.format_combo.blockSignals(True)
        self.format_combo.clear()
        for name, suffix in formats:
            self.format_combo.addItem(name, suffix)
        self.format_combo.blockSignals(False)
        role = role_of(layer)
        self.hint.setText(
            "The run has not finished: its values can be written when it has."
            if role in ("grad-cam", *_PATCHES) and not formats
            else ""
        )
        self.hint.setVisible(bool(self.hint.text()))
        self.row.run_button.setEnabled(bool(formats) and not self.runner.is_running)
        self._suggest_path()

    def _suggest_path(self) -> None:
        """Put the new suffix on the path that is there, or propose a file beside the image."""
        layer, suffix = self.layer(), self.format_combo.currentData()
        if layer is None or suffix is None:
            return
        source = Path(str(layer.metadata.get("medpatch", {}).get("source", "")))
        folder = Path(self.path.text()).parent if self.path.text() else source.parent
        stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in layer.name).strip("_")
        self.path.setText(str(folder / f"{stem}{suffix}"))

    def _ask_path(self, parent: QWidget, start: str) -> str:
        if self.format_combo.currentData() == _FOLDER:
            return QFileDialog.getExistingDirectory(parent, "Write into folder", start)
        name, suffix = self.format_combo.currentText(), self.format_combo.currentData()
        return QFileDialog.getSaveFileName(parent, "Write", start, f"{name} (*{suffix})")[0]


def _is_result(layer: "napari.layers.Layer") -> bool:
    from napari.layers import Labels

    return isinstance(layer, Labels) or role_of(layer) in ("probability", "grad-cam", *_PATCHES)


def _formats(layer: "napari.layers.Layer") -> tuple[tuple[str, str], ...]:
    """Return names and suffixes of the formats that can hold a layer."""
    role = role_of(layer)
    if role in _PATCHES:
        return _SCORES if "medpatch_result" in layer.metadata else ()
    if role == "grad-cam":
        return (_TIFF,) if EXPLAINED in layer.metadata else ()
    kind = kind_of(image_of(layer)) or ("volume" if layer.ndim == 3 else "photo")
    return _FORMATS[("probability" if role == "probability" else "labels", kind)]


def _save_explanation(result: Any, path: Path) -> Path:
    """Write a stitched Grad-CAM; the core is imported when it is needed."""
    from napari_medpatch.infer.explain import write_explanation

    return write_explanation(result, path)


def _stacked(maps: list[Any]) -> Any:
    import numpy as np

    return np.stack(maps) if len(maps) > 1 else maps[0]


def _writing(save: Callable[[Path], Path], path: Path) -> Job:
    """Write a file, as a job."""
    yield Noted(f"Writing {path.name}…")
    yield Finished(save(path))
