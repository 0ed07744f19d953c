"""Controls that show a preference and keep what the user chooses."""

from collections.abc import Mapping

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QSpinBox

from napari_medpatch.plugin.form import check, combo
from napari_medpatch.plugin.settings import keep, preference


def kept_check(section: str, key: str, text: str, tip: str) -> QCheckBox:
    """Return a check box for a boolean preference."""
    box = check(text, tip, checked=bool(preference(section, key)))
    box.toggled.connect(lambda checked: keep(section, key, bool(checked)))
    return box


def kept_number(section: str, key: str, low: int, high: int) -> QSpinBox:
    """Return a field for a whole number."""
    number = QSpinBox()
    number.setRange(low, high)
    number.setValue(int(preference(section, key)))
    number.valueChanged.connect(lambda value: keep(section, key, int(value)))
    return number


def kept_choice(section: str, key: str, entries: Mapping[str, tuple[str, str]]) -> QComboBox:
    """Return a list.

    Parameters
    ----------
    section, key : str
        The preference.
    entries : mapping
        Text and tooltip by the value that is kept.
    """
    choice = combo()
    choice.setMinimumContentsLength(8)
    for value, (text, tip) in entries.items():
        choice.addItem(text, value)
        if tip:
            choice.setItemData(choice.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
    choice.setCurrentIndex(max(0, choice.findData(preference(section, key))))
    choice.currentIndexChanged.connect(lambda _index: keep(section, key, choice.currentData()))
    return choice
