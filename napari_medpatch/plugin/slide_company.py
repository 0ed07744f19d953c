"""What goes on beside a slide that is shown: its overview fills in, and damage is said once."""

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QApplication

from napari_medpatch.errors import MedPatchError
from napari_medpatch.plugin.messages import tell, warn

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.io.source import Source
    from napari_medpatch.io.tiled_source import TiledSource

_REFRESH_S = 0.5
_LOOK_MS = 500
_running: "set[SlideCompany]" = set()


def keep_company(source: "Source") -> None:
    """Watch a slide that is about to be shown; does nothing without a window, or for other images.

    Parameters
    ----------
    source : Source
        As opened for a layer.
    """
    from napari_medpatch.io.tiled_source import TiledSource

    if isinstance(source, TiledSource) and QApplication.instance() is not None:
        _running.add(SlideCompany(source))


class SlideCompany(QObject):
    """Fills the overview of a flat slide in a thread and tells the first damage; ends with the slide's last layer.

    Parameters
    ----------
    source : TiledSource
        Held weakly: a layer that is removed lets go of it.
    """

    _advanced = Signal(int, int)

    def __init__(self, source: "TiledSource") -> None:
        super().__init__()
        self._source = weakref.ref(source)
        self._name = source.path.name
        self._stop = threading.Event()
        self._progress: Any = None
        self._thread: threading.Thread | None = None
        self._said = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(_LOOK_MS)
        self._advanced.connect(self._show, Qt.ConnectionType.QueuedConnection)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.stop)
        if source.waits_for_overview:
            self._begin()

    @property
    def is_filling(self) -> bool:
        """Whether the overview is being computed."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Stop computing the overview; what is done stays."""
        self._stop.set()

    def _begin(self) -> None:
        from napari.utils import cancelable_progress

        self._progress = cancelable_progress(total=1, desc=f"Overview of {self._name}")
        self._thread = threading.Thread(target=self._fill, name="medpatch-overview", daemon=True)
        self._thread.start()

    def _fill(self) -> None:
        """Run in the thread; holds the slide only while one piece is computed, so that it can go."""
        last = 0.0
        with suppress(MedPatchError, RuntimeError):  # closed meanwhile; the window is gone
            for done, total in self._pieces():
                if time.monotonic() - last >= _REFRESH_S or done == total:
                    last = time.monotonic()
                    self._advanced.emit(done, total)

    def _pieces(self) -> Iterator[tuple[int, int]]:
        while not self._stop.is_set():
            source = self._source()
            step = None if source is None else next(source.fill_overview(), None)
            del source
            if step is None:
                return
            yield step

    def _show(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress.total = total
            self._progress.update(done - self._progress.n)
        for layer in self._layers():
            layer.refresh(extent=False)

    def _look(self) -> None:
        """Say what is damaged, and go when there is nothing left to watch."""
        source = self._source()
        if self._progress is not None and self._progress.is_canceled and not self._stop.is_set():
            self.stop()
            tell(f"The overview of {self._name} is left unfinished; what is not computed looks like glass.")
        if self._progress is not None and not self.is_filling:
            self._progress.close()
            self._progress = None
        if source is not None and source.damage is not None and not self._said:
            self._said = True
            warn(f"{source.damage} The rest of the slide is shown.")
        if source is None or source.is_closed:
            self._leave()

    def _leave(self) -> None:
        self.stop()
        self._timer.stop()
        if self._progress is not None:
            self._progress.close()
        _running.discard(self)

    def _layers(self) -> "list[napari.layers.Layer]":
        import napari

        viewer, source = napari.current_viewer(), self._source()
        if viewer is None or source is None:
            return []
        return [layer for layer in viewer.layers if shows(layer, source)]


def shows(layer: "napari.layers.Layer", source: "Source") -> bool:
    """Return whether a layer's pixels come from a source."""
    from napari_medpatch.io.lazy_level import LazyLevel

    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    return isinstance(data, LazyLevel) and data.source is source
