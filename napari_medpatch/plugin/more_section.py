"""Rarely used settings behind a line that opens."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget


class MoreSection(QWidget):
    """A line with an arrow and, when it is open, what lies behind it.

    Parameters
    ----------
    title : str
        Of the line.
    inside : QLayout
        What opens.
    tip : str
        What is inside.
    """

    def __init__(self, title: str, inside: QLayout, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.toggle = QToolButton()
        self.toggle.setText(title)
        self.toggle.setToolTip(tip)
        self.toggle.setCheckable(True)
        self.toggle.setAutoRaise(True)
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggle.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.body = QWidget()
        self.body.setLayout(inside)
        inside.setContentsMargins(12, 0, 0, 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.toggle)
        layout.addWidget(self.body)
        self.toggle.toggled.connect(self.open)
        self.open(False)

    def open(self, opened: bool) -> None:
        """Open or close."""
        self.toggle.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.toggle.setChecked(opened)
        self.body.setVisible(opened)
