"""Progress of files that take a while to open, and a way to stop."""

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner

_PATIENCE_MS = 400
"""Most files are open before anybody could read a bar."""


class OpeningRow(JobRow):
    """A bar and Stop, seen only while a file is being opened for longer than a moment.

    Parameters
    ----------
    runner : JobRunner
        Of an :class:`napari_medpatch.plugin.opening.Opener`.
    """

    def __init__(self, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(runner, "", "", parent, beginning="")
        self.run_button.hide()
        self.stop_button.setText("Stop")  # the letters of this tab are taken
        self.stop_button.setToolTip("Stop opening; nothing is changed.")
        self.bar.setAccessibleName("Progress of opening")
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self.show)
        runner.started.connect(self._patience.start)
        runner.idle.connect(self._patience.stop)
        runner.idle.connect(self.hide)
        self.hide()
