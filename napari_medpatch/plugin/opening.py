"""Opens files in a worker and shows them: behind the Open tab and the start page."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_medpatch.errors import ChoiceNeededError
from napari_medpatch.events import Finished, Job
from napari_medpatch.plugin.form import ask_folder, last_folder, remember_folder
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.mask_file import MaskOnImage, add_mask, is_mask_file, reading_mask, volumes_of
from napari_medpatch.plugin.open import show, tile_cache
from napari_medpatch.plugin.questions import ask_which
from napari_medpatch.plugin.same_series import files_of
from napari_medpatch.plugin.samples import SAMPLES, sample_file

if TYPE_CHECKING:
    import napari

_FILTER = (
    "Images and volumes (*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.svslide *.dcm *.ima *.tif *.tiff *.png *.jpg *.jpeg "
    "*.bmp *.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd)"
    ";;All files, such as DICOM without a suffix (*)"
)


class Opener(QObject):
    """Opens one file after the other without blocking the window.

    Parameters
    ----------
    viewer : napari.Viewer
        Where layers go.

    Signals
    -------
    said (str)
        What is going on, one sentence; empty when there is nothing to say.
    opened (layer)
        A layer was added.
    """

    said = Signal(str)
    opened = Signal(object)

    def __init__(self, viewer: "napari.Viewer", parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer, self._parent = viewer, parent
        self._queue: list[tuple[Path, dict[str, Any]]] = []
        self.runner = JobRunner(self)
        self.runner.finished.connect(self._on_opened)
        self.runner.failed.connect(self.said)
        self.runner.stopped.connect(self._on_stopped)
        self.runner.idle.connect(self._next)

    def open(self, paths: Sequence[str | os.PathLike[str]], **options: Any) -> None:
        """Open files and folders; ``options`` as :func:`napari_medpatch.io.detect.open_steps`."""
        self._queue += [(Path(path), options) for path in paths]
        self._next()

    def ask_file(self) -> None:
        """Let the user choose files."""
        paths, _ = QFileDialog.getOpenFileNames(self._parent, "Open images", last_folder(), _FILTER)
        self._take(paths)

    def ask_folder(self) -> None:
        """Let the user choose a folder."""
        folder = ask_folder(self._parent, last_folder())
        self._take([folder] if folder else [])

    def open_sample(self, key: str) -> None:
        """Open a sample."""
        self._queue.append((Path(SAMPLES[key]), {"sample": key}))
        self._next()

    def _take(self, paths: Sequence[str]) -> None:
        if paths:
            remember_folder(paths[0])
            self.open(paths)

    def _next(self) -> None:
        if self._queue and not self.runner.is_running:
            path, options = self._queue.pop(0)
            self.said.emit(f"Opening {path.name}…")
            volumes = volumes_of(self._viewer)
            self.runner.start(lambda: _opening(path, options, volumes))

    def _on_stopped(self) -> None:
        self._queue.clear()
        self.said.emit("Stopped; nothing was opened.")

    def _on_opened(self, result: Any) -> None:
        if isinstance(result, _Question):
            index = ask_which(result.error, self._parent)
            if index is not None:
                self._queue.insert(0, (result.path, result.options | {"volume_index": index}))
            self.said.emit("")
            return
        self.said.emit("")
        others = files_of(result)
        self._queue = [entry for entry in self._queue if entry[0] not in others]
        is_mask = isinstance(result, MaskOnImage)
        self.opened.emit(add_mask(self._viewer, result) if is_mask else show(self._viewer, result))


@dataclass(frozen=True, slots=True)
class _Question:
    """The worker cannot ask which volume is meant, so it brings the question back."""

    path: Path
    options: dict[str, Any]
    error: ChoiceNeededError


def _opening(path: Path, options: dict[str, Any], volumes: Sequence["napari.layers.Image"]) -> Job:
    """Open a file, as a job; a segmentation on one of the volumes that are open."""
    from napari_medpatch.io.detect import open_steps

    key = options.get("sample")
    file = sample_file(key) if key else path
    wanted = {name: value for name, value in options.items() if name != "sample"}
    if is_mask_file(file):
        yield from reading_mask(file, volumes)
        return
    try:
        yield from open_steps(file, cache=tile_cache(), **wanted)
    except ChoiceNeededError as error:
        if wanted.get("volume_index") is not None or not error.choices:
            raise
        yield Finished(_Question(file, wanted, error))
