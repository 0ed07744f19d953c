"""Rows of a form: each control has a label with a mnemonic, a tooltip and a name for screen readers."""

from collections.abc import Callable

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_medpatch.plugin.eliding_combo import ElidingCombo
from napari_medpatch.plugin.settings import keep, preference


def new_form() -> QFormLayout:
    """Return a form whose rows wrap in a narrow dock."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
    return form


def add_row(form: QFormLayout, text: str, field: QWidget, tip: str) -> QLabel:
    """Add a labelled control.

    Parameters
    ----------
    form : QFormLayout
        Where.
    text : str
        Label with its mnemonic, ``"&Model"``.
    field : QWidget
        The control, or a box around it whose focus proxy is the control.
    tip : str
        What it does, in which unit.
    """
    label = QLabel(text)
    label.setBuddy(field.focusProxy() or field)
    for widget in (label, field):
        widget.setToolTip(tip)
    field.setAccessibleName(text.replace("&", ""))
    form.addRow(label, field)
    return label


def combo() -> QComboBox:
    """Return a drop-down list that does not grow with its longest entry."""
    result = ElidingCombo()
    result.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    result.setMinimumContentsLength(14)
    return result


def button(text: str, tip: str, action: Callable[[], object]) -> QPushButton:
    """Return a button that calls ``action`` without arguments."""
    result = QPushButton(text)
    result.setToolTip(tip)
    result.clicked.connect(lambda _checked=False: action())
    return result


def check(text: str, tip: str, *, checked: bool) -> QCheckBox:
    """Return a check box."""
    result = QCheckBox(text)
    result.setToolTip(tip)
    result.setChecked(checked)
    return result


def note(text: str = "") -> QLabel:
    """Return a paragraph of explanation."""
    label = QLabel(text)
    label.setWordWrap(True)
    return label


def in_row(*widgets: QWidget) -> QHBoxLayout:
    """Put controls side by side."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    return row


class PathField(QWidget):
    """A line for a path with a button that opens the file dialog.

    Parameters
    ----------
    ask : callable
        Takes the widget and a start folder, returns the chosen path or an empty string.
    placeholder : str
        Shown while the line is empty.
    """

    def __init__(self, ask: Callable[[QWidget, str], str], placeholder: str = "") -> None:
        super().__init__()
        self._ask = ask
        self.line = QLineEdit()
        self.line.setPlaceholderText(placeholder)
        self.browse = button("…", "Choose with a dialog.", self._on_browse)
        self.browse.setAccessibleName("Browse")
        self.browse.setMaximumWidth(32)
        self.setLayout(in_row(self.line, self.browse))
        self.setFocusProxy(self.line)

    def text(self) -> str:
        """Return the path, empty if none."""
        return self.line.text().strip()

    def setText(self, text: str) -> None:
        self.line.setText(text)

    def _on_browse(self) -> None:
        chosen = self._ask(self, self.text() or last_folder())
        if chosen:
            remember_folder(chosen)
            self.line.setText(chosen)


def ask_folder(parent: QWidget, start: str) -> str:
    """Ask for a folder."""
    return QFileDialog.getExistingDirectory(parent, "Choose a folder", start)


def last_folder() -> str:
    """Return where the file dialogs start."""
    return str(preference("files", "last_folder"))


def remember_folder(path: str) -> None:
    """Start the next file dialog beside this path."""
    from pathlib import Path

    keep("files", "last_folder", str(Path(path).parent))
