"""Tabs that can all be read in a narrow dock."""

from qtpy.QtCore import QEvent, QObject, QSize, QTimer
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QTabWidget, QWidget

_WIDEST = 460
"""With the largest fonts the tabs scroll rather than take more than this, in pixels."""
_CLOSE = "QTabBar::tab { padding: 3px 3px; }"
"""napari leaves twice as much beside the names."""


class FittingTabs(QTabWidget):
    """Shortens the names of tabs and draws them together where not all fit, and asks for the room that this needs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: list[tuple[str, str]] = []
        self._width = self._short_width = 0
        self._is_restyling = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._measure)
        self.setUsesScrollButtons(True)
        self.tabBar().installEventFilter(self)

    def add(self, page: QWidget, name: str, short: str = "") -> None:
        """Add a tab.

        Parameters
        ----------
        page : QWidget
            What it shows.
        name : str
            With its mnemonic.
        short : str
            The same in a narrow dock, with the same mnemonic; ``name`` by default.
        """
        self._names.append((name, short or name))
        index = self.addTab(page, name)
        if short:
            self.setTabToolTip(index, name.replace("&&", "\0").replace("&", "").replace("\0", "&"))
        self._measure()

    def minimumSizeHint(self) -> QSize:
        return super().minimumSizeHint().expandedTo(QSize(min(self._short_width, _WIDEST), 0))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Those of the bar: it learns of another style later than we do.
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange) and not self._is_restyling:
            self._later.start()
        return False

    def _measure(self) -> None:
        width, short_width = self._named(short=False), self._named(short=True)
        changed = (width, short_width) != (self._width, self._short_width)
        self._width, self._short_width = width, short_width
        self._fit()
        if changed:
            self.updateGeometry()

    def _fit(self) -> None:
        self._named(short=self._width > self.width())

    def _named(self, *, short: bool) -> int:
        """Give all tabs their long or short names and return the width that those take."""
        bar = self.tabBar()
        style = _CLOSE if short else ""
        if bar.styleSheet() != style:
            self._is_restyling = True
            bar.setStyleSheet(style)
            self._is_restyling = False
        for index, names in enumerate(self._names):
            if self.tabText(index) != names[short]:
                self.setTabText(index, names[short])
        # What a bar that scrolls asks for differs between Qt 5 and 6, where its tabs lie does not.
        return bar.tabRect(bar.count() - 1).right() - bar.tabRect(0).left() + 1
