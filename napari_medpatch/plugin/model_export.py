"""The button that writes a classifier for WSInfer and QuPath."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton, QWidget

from napari_medpatch.events import Event, Finished, Working
from napari_medpatch.plugin.form import ask_folder, last_folder, remember_folder
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.messages import tell

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle


class ModelExport(QPushButton):
    """Visible for classifiers; asks for a folder and writes a sub-folder with the model's name into it.

    Parameters
    ----------
    ask : callable
        Takes this widget and a start folder, returns the chosen folder or an empty string.
    """

    def __init__(self, ask: Callable[[QWidget, str], str] = ask_folder) -> None:
        super().__init__("For QuPath…")
        self.setToolTip("Write this model as TorchScript with a configuration that WSInfer and QuPath can run.")
        self._ask = ask
        self._bundle: Bundle | None = None
        self.runner = JobRunner(self)
        self.runner.started.connect(lambda: self.setEnabled(False))
        self.runner.idle.connect(lambda: self.setEnabled(True))
        self.runner.finished.connect(lambda folder: tell(f"{folder} is ready for WSInfer and QuPath."))
        self.clicked.connect(lambda _checked=False: self.start())
        self.hide()

    def offer(self, bundle: "Bundle | None") -> None:
        """Show the button for a classifier, hide it for other models."""
        self._bundle = bundle
        self.setVisible(bundle is not None and bundle.card.task in ("patch-classifier", "slide-mil"))

    def start(self) -> None:
        """Ask where, then write."""
        bundle = self._bundle
        chosen = self._ask(self, last_folder()) if bundle is not None else ""
        if bundle is None or not chosen:
            return
        remember_folder(chosen)
        target = Path(chosen) / f"{Path(bundle.card.name.replace(':', '-')).name}-wsinfer"
        self.runner.start(lambda: _export(bundle, target))


def _export(bundle: "Bundle", target: Path) -> Iterator[Event]:
    """Export a model: a job whose result is the folder."""
    from napari_medpatch.models.wsinfer_export import export_bundle

    yield Working(0)
    yield Finished(export_bundle(bundle, target).path)
