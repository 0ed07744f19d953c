"""A visit to each tab of the real window on sample data, with a picture of it."""

import shutil
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.plugin.demo_window import CLASSES

if TYPE_CHECKING:
    import napari

    from napari_medpatch.plugin.panel import MedPatchPanel

_PATIENCE = 900.0
_LUNGS, _TISSUE = "lungs-ct-unet3d", "tissue-patches-demo"


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
        tab.box.new_button.click()
        labels = tab.box.labels()
        strokes = read_labels(sample_path("thorax_labels_sparse"), self.panel.current.live)
        for _ in range(int(strokes.max()) - 2):
            tab.box.classes.add_button.click()
        for row, name in enumerate(CLASSES[: int(strokes.max()) - 1], start=1):
            tab.box.classes.list.item(row).setText(name)
        labels.data[...] = strokes
        labels.refresh()
        tab.box.keeper.touch()
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
        self.wait_until(lambda: not runner.is_running)
        runner.failed.disconnect(failures.append)
        if failures:
            raise RuntimeError(failures[0])

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Let the window live until something is so."""
        end = time.monotonic() + _PATIENCE
        while not is_so():
            self.spin(0.05)
            if time.monotonic() > end:
                raise TimeoutError("a job of the demonstration did not end")

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
