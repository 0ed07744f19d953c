"""Drives the real window through the four jobs on sample data and takes its picture after each.

``python -m napari_medpatch.plugin.demo_window FOLDER`` writes the pictures into FOLDER; so do ``make demo`` and
``make screenshots``. It clicks the buttons that users click and waits for the workers.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari

    from napari_medpatch.plugin.panel import MedPatchPanel

_SIZE = (1500, 950)
_PATIENCE = 900.0
_LUNGS, _TISSUE = "lungs-ct-unet3d", "tissue-patches-demo"
_CLASSES = ("lung", "heart", "airway", "vessel", "nodule")


def take_screenshots(folder: str | os.PathLike[str], *, seconds: int = 20, theme: str = "dark") -> list[Path]:
    """Work through open, classify, segment, paint and export, and save a picture of the window after each.

    Parameters
    ----------
    folder : path-like
        Where ``start.png``, ``open.png``, ``segment.png``, ``strokes.png``, ``paint.png``, ``export.png`` and
        ``classify.png`` go.
    seconds : int
        Time budget of the retraining.
    theme : str
        ``"dark"`` or ``"light"``.

    Returns
    -------
    list of Path
        The pictures.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # Preferences, strokes and exports of the demonstration are nobody's but its own.
        os.environ["NAPARI_CONFIG"] = str(Path(scratch) / "settings.yaml")
        import napari

        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.theme = theme
        viewer.window.resize(*_SIZE)
        try:
            return Tour(viewer, Path(scratch), Path(folder)).run(seconds)
        finally:
            viewer.close()


def show_results(viewer: "napari.Viewer", folder: Path) -> None:
    """Open the sample CT with the masks that ``napari-medpatch demo`` wrote.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    folder : Path
        Of the demonstration.
    """
    from napari_medpatch.io.labels_file import read_labels
    from napari_medpatch.plugin.layers import like_source, mask_colours, provenance
    from napari_medpatch.plugin.links import belongs_to, source_of
    from napari_medpatch.plugin.open import open_paths
    from napari_medpatch.plugin.samples import sample_file

    (image,) = open_paths(viewer, [sample_file("thorax")])
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    for path in sorted(folder.glob("thorax_*.nii.gz")):
        if "probability" in path.name:
            continue
        mask = read_labels(path, source_of(image))
        layer = Labels(
            mask,
            name=path.name.removesuffix(".nii.gz"),
            colormap=DirectLabelColormap(color_dict=mask_colours(int(mask.max()))),
            metadata=provenance(image, "mask", class_names=list(_CLASSES[: int(mask.max())])),
            **like_source(image),
        )
        belongs_to(layer, image)
        viewer.add_layer(layer)


class Tour:
    """A visit to each tab, in the order people work.

    Parameters
    ----------
    viewer : napari.Viewer
        An empty one.
    scratch : Path
        For copies of the samples, the strokes beside them and exports.
    folder : Path
        For the pictures.
    """

    def __init__(self, viewer: "napari.Viewer", scratch: Path, folder: Path) -> None:
        from napari_medpatch.plugin.launch import add_panel

        scratch.mkdir(exist_ok=True)
        self.viewer, self.scratch, self.folder = viewer, scratch, folder.resolve()
        self.pictures: list[Path] = []
        self.panel: MedPatchPanel = add_panel(viewer)

    def run(self, seconds: int) -> list[Path]:
        """Work through all tabs; returns the pictures.

        Parameters
        ----------
        seconds : int
            Time budget of the retraining.
        """
        with chdir(self.scratch):
            self._visit(seconds)
        return self.pictures

    def _visit(self, seconds: int) -> None:
        self.picture("start")
        self.open("thorax")
        self.picture("open")
        self.segment()
        self.picture("segment")
        self.paint()
        self.picture("strokes")
        self.retrain(seconds)
        self.picture("paint")
        self.export()
        self.picture("export")
        self.viewer.layers.clear()
        self.open("slide")
        self.classify()
        self.picture("classify")

    def open(self, sample: str) -> None:
        """Open a copy of a sample, so that its project folder lies in the scratch folder."""
        from napari_medpatch.plugin.samples import sample_file

        original = sample_file(sample)
        copy = shutil.copy(original, self.scratch / original.name)
        tab = self.panel.open_tab
        self.wait(tab.opener.runner, lambda: tab.opener.open([copy]))
        self.panel.show_tab(tab)

    def segment(self) -> None:
        tab = self.panel.segment_tab
        self.panel.show_tab(tab)
        tab.model.choose(_LUNGS)
        self.wait(tab.runner, tab.row.run_button.click)

    def paint(self) -> None:
        """Put the sample's painted slices into new sparse labels, as if by hand."""
        import numpy as np

        from napari_medpatch.io.labels_file import read_labels
        from napari_medpatch.samples import sample_path

        for layer in list(self.viewer.layers)[1:]:
            layer.visible = False
        tab = self.panel.annotate_tab
        self.panel.show_tab(tab)
        tab.new_button.click()
        labels = tab.labels()
        strokes = read_labels(sample_path("thorax_labels_sparse"), self.panel.current.live)
        for _ in range(int(strokes.max()) - 2):
            tab.classes.add_button.click()
        for row, name in enumerate(_CLASSES[: int(strokes.max()) - 1], start=1):
            tab.classes.list.item(row).setText(name)
        labels.data[...] = strokes
        labels.refresh()
        tab.keeper.touch()
        painted = np.flatnonzero(strokes.any(axis=(1, 2)))
        self.look_at_slice(int(painted[len(painted) // 2]))
        labels.mode = "pan_zoom"
        self.spin(1.5)

    def retrain(self, seconds: int) -> None:
        """Learn from the strokes, and look at a slice on which nothing was painted."""
        tab = self.panel.annotate_tab
        tab.seconds.setValue(seconds)
        self.wait(tab.runner, tab.row.run_button.click)
        self.look_at_slice(self.viewer.dims.current_step[0] + 3)

    def export(self) -> None:
        tab = self.panel.export_tab
        self.panel.show_tab(tab)
        for layer in self.viewer.layers:
            if layer.name.endswith("strokes"):
                layer.visible = False
        self.viewer.layers.selection.active = self.panel.annotate_tab.overlay.layers[-1]
        tab.path.setText("lungs.nii.gz")
        self.wait(tab.runner, tab.row.run_button.click)

    def classify(self) -> None:
        tab = self.panel.classify_tab
        self.panel.show_tab(tab)
        tab.model.choose(_TISSUE)
        self.wait(tab.runner, tab.row.run_button.click)

    def look_at_slice(self, index: int) -> None:
        step = list(self.viewer.dims.current_step)
        step[0] = index
        self.viewer.dims.current_step = tuple(step)

    def wait(self, runner: Any, start: Callable[[], object]) -> None:
        """Start a job and let the window live until its worker is gone.

        Raises
        ------
        TimeoutError
            If it takes longer than a quarter of an hour.
        RuntimeError
            If the job failed: a picture of a failure is not what anybody asked for.
        """
        failures: list[str] = []
        runner.failed.connect(failures.append)
        start()
        if not runner.is_running:
            raise RuntimeError("a job of the demonstration did not start; is a model missing?")
        end = time.monotonic() + _PATIENCE
        while runner.is_running:
            self.spin(0.05)
            if time.monotonic() > end:
                raise TimeoutError("a job of the demonstration did not end")
        runner.failed.disconnect(failures.append)
        if failures:
            raise RuntimeError(failures[0])

    def spin(self, seconds: float) -> None:
        """Let the window live."""
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.005)

    def picture(self, name: str) -> None:
        """Save the whole window without napari's passing notices."""
        from qtpy.QtWidgets import QApplication

        self.spin(0.5)
        for widget in QApplication.allWidgets():
            if type(widget).__name__ == "NapariQtNotification":
                widget.close()
        self.spin(0.3)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.png"
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        self.pictures.append(path)


if __name__ == "__main__":
    take_screenshots(Path(sys.argv[1]), theme=sys.argv[2] if len(sys.argv) > 2 else "dark")
