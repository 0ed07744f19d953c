"""Fetching a model of the WSInfer zoo: asked for, shown, stoppable."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMessageBox, QVBoxLayout, QWidget

from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner

if TYPE_CHECKING:
    from napari_medpatch.models.zoo_list import ZooModel


class ZooDownload(QWidget):
    """A button, a bar and Stop for the model that is chosen but not here yet; hidden otherwise.

    Parameters
    ----------
    ask : callable
        Takes this widget and the model, returns whether the user agrees.

    Signals
    -------
    downloaded (object)
        The bundle that is here now.
    """

    downloaded = Signal(object)

    def __init__(self, ask: "Callable[[QWidget, ZooModel], bool] | None" = None) -> None:
        super().__init__()
        self._ask = ask or ask_to_download
        self._model: ZooModel | None = None
        self.runner = JobRunner(self)
        self.row = JobRow(self.runner, "Download…", "Fetch this model from the Hugging Face hub; asks first.")
        self.row.stop_button.setText("Stop")  # Alt+T belongs to the tab's own job
        self.row.run_button.clicked.connect(lambda _checked=False: self.start())
        self.runner.finished.connect(self.downloaded)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.row)
        self.hide()

    def offer(self, model: "ZooModel | None") -> None:
        """Show the button for a model, or hide it; a running download stays visible."""
        if self.runner.is_running:
            return
        if model != self._model:
            self.row.say("")
        self._model = model
        self.setVisible(model is not None)

    def start(self) -> None:
        """Ask, then download."""
        model = self._model
        if model is None or self.runner.is_running or not self._ask(self, model):
            return
        from napari_medpatch.models.zoo import ZOO_PREFIX, download_model

        self.runner.start(lambda: download_model(f"{ZOO_PREFIX}{model.name}"))


def ask_to_download(parent: QWidget, model: "ZooModel") -> bool:
    """Ask whether to fetch a model and run its authors' code."""
    text = (
        f"Download {model.name} from huggingface.co ({model.hub}) to this computer?\n\n"
        "The weights are some tens of megabytes or more and are kept in the hub's cache folder. "
        "They are TorchScript: a program of the model's authors that runs in PyTorch. Their licence applies."
    )
    answer = QMessageBox.question(parent, "Download a model?", text)
    return answer == QMessageBox.StandardButton.Yes


def describe_zoo_model(model: "ZooModel") -> str:
    """Return what is known of a model that is not here."""
    classes = f"Classes: {', '.join(model.class_names)}.\n" if model.class_names else ""
    look = ""
    if model.patch_size_pixels and model.spacing_um_px:
        look = f"Patches of {model.patch_size_pixels} pixels at {model.spacing_um_px:g} µm. "
    return f"{classes}{look}From the WSInfer zoo ({model.description}); not downloaded yet."
