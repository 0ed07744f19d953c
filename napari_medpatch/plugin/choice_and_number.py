"""A choice whose entries may come with a number: overlap or step, centre rule or least share."""

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QStackedLayout, QWidget

from napari_medpatch.plugin.form import combo
from napari_medpatch.plugin.settings import keep, preference


@dataclass(frozen=True, slots=True)
class Entry:
    """One choice.

    Parameters
    ----------
    key : str
        What the preference of the choice keeps.
    text : str
        What people read.
    setting : str
        Preference of its number; empty if it has none.
    low, high, step : float
        Range of the number and step of its arrows.
    decimals : int
        Digits that are shown.
    """

    key: str
    text: str
    setting: str = ""
    low: float = 0.0
    high: float = 1.0
    step: float = 0.1
    decimals: int = 2


class ChoiceAndNumber(QWidget):
    """A list and, beside it, the number of the chosen entry; both are kept in the preferences.

    Parameters
    ----------
    setting : str
        Preference of the choice, in section ``classify``.
    entries : sequence of Entry
        What can be chosen.

    Signals
    -------
    changed
        Choice or number.
    """

    changed = Signal()

    def __init__(self, setting: str, entries: Sequence[Entry], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._setting, self._entries = setting, tuple(entries)
        self.choice = combo()
        self.choice.setMinimumContentsLength(6)
        self.numbers: dict[str, QDoubleSpinBox] = {}
        self._beside = QWidget()
        self._stack = QStackedLayout(self._beside)
        self._stack.setContentsMargins(0, 0, 0, 0)
        for entry in self._entries:
            self.choice.addItem(entry.text, entry.key)
            self._stack.addWidget(self._number(entry) if entry.setting else QWidget())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.choice, 1)
        layout.addWidget(self._beside)
        self.setFocusProxy(self.choice)
        self.choice.currentIndexChanged.connect(self._on_choice)
        self.choose(str(preference("classify", setting)))
        self._on_choice(self.choice.currentIndex())

    def choose(self, key: str) -> None:
        """Choose an entry by its key."""
        self.choice.setCurrentIndex(max(0, self.choice.findData(key)))

    def value_of(self, key: str) -> float | None:
        """Return the number of an entry if that is chosen, otherwise None."""
        return float(self.numbers[key].value()) if self.choice.currentData() == key else None

    def setToolTip(self, tip: str) -> None:
        for widget in (self.choice, *self.numbers.values()):
            widget.setToolTip(tip)
        super().setToolTip(tip)

    def setAccessibleName(self, name: str) -> None:
        self.choice.setAccessibleName(name)
        super().setAccessibleName(name)

    def _number(self, entry: Entry) -> QDoubleSpinBox:
        number = self.numbers[entry.key] = QDoubleSpinBox()
        number.setRange(entry.low, entry.high)
        number.setSingleStep(entry.step)
        number.setDecimals(entry.decimals)
        number.setAccessibleName(entry.text)
        number.setValue(float(preference("classify", entry.setting)))
        number.valueChanged.connect(lambda value: keep("classify", entry.setting, float(value)))
        number.valueChanged.connect(lambda _value: self.changed.emit())
        return number

    def _on_choice(self, index: int) -> None:
        entry = self._entries[index]
        keep("classify", self._setting, entry.key)
        self._stack.setCurrentIndex(index)
        self._beside.setVisible(bool(entry.setting))
        self.changed.emit()
