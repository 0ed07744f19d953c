"""The list of cleaning steps: on or off, a parameter, an order, and which class they treat."""

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QToolButton, QVBoxLayout, QWidget

from napari_medpatch.infer.clean.registry import STEPS, parse_step
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.plugin.form import check, combo

_ALL = "all classes"


class StepRow(QWidget):
    """One step.

    Parameters
    ----------
    step : CleanStep
        What it begins with.
    classes : sequence of str
        Of the mask.

    Signals
    -------
    edited
        Anything changed.
    """

    edited = Signal()

    def __init__(self, step: CleanStep, classes: Sequence[str], *, on: bool = True) -> None:
        super().__init__()
        self.kind = type(step)
        self.use = check(step.title, step.tip, checked=on)
        self.argument = QLineEdit(step.argument)
        self.argument.setMaximumWidth(96)
        self.argument.setToolTip(step.tip)
        self.argument.setAccessibleName(f"{step.title}: how much")
        self.argument.setVisible(bool(step.argument or step.example or step.keyword == "fill-holes"))
        self.argument.setPlaceholderText("slices" if step.keyword == "fill-holes" else step.example)
        self.up = _tool("↑", "Do this step earlier.", Qt.ArrowType.UpArrow)
        self.remove = _tool("✕", "Take this step out of the list.")
        self.of = combo()
        self.of.setToolTip("Which class the step treats.")
        self.of.setAccessibleName(f"{step.title}: of which class")
        self.show_classes(classes, step.classes)
        self._lay_out()
        self.use.toggled.connect(lambda _on: self.edited.emit())
        self.argument.editingFinished.connect(self.edited.emit)
        self.of.activated.connect(lambda _index: self.edited.emit())

    def text(self) -> str:
        """Return the step as text; it may be wrong, the user has typed it."""
        argument = self.argument.text().strip()
        scope = self.of.currentData()
        name = self.kind.keyword
        return f"{name}{':' + argument if argument else ''}{'@' + scope if scope else ''}"

    def step(self) -> CleanStep:
        """Return the step.

        Raises
        ------
        SettingsError
            If its parameter cannot be read.
        """
        return parse_step(self.text())

    def show_classes(self, classes: Sequence[str], chosen: Sequence[str] = ()) -> None:
        """Offer the classes of a mask; keeps the choice where it is there."""
        wanted = ",".join(chosen) or self.of.currentData() or ""
        self.of.clear()
        self.of.addItem(_ALL, "")
        for name in classes:
            self.of.addItem(name, name)
        if wanted and self.of.findData(wanted) < 0:
            self.of.addItem(wanted, wanted)
        self.of.setCurrentIndex(max(0, self.of.findData(wanted)))
        self.of.setVisible((len(classes) > 1 or bool(wanted)) and self.kind.keyword != "merge")

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(3)
        line.addWidget(self.use, 1)
        for widget in (self.argument, self.up, self.remove):
            line.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(line)
        layout.addWidget(self.of)


class StepList(QWidget):
    """Steps in the order in which they are done, and a list to add one from.

    Signals
    -------
    edited
        The user changed something.
    """

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[StepRow] = []
        self._classes: tuple[str, ...] = ()
        self.add_list = combo()
        self.add_list.setAccessibleName("Add a step")
        self.add_list.setToolTip("Add a step at the end of the list.")
        self.add_list.addItem("Add a step…", "")
        for kind in STEPS.values():
            self.add_list.addItem(kind.title, kind.keyword)
            self.add_list.setItemData(self.add_list.count() - 1, kind.tip, Qt.ItemDataRole.ToolTipRole)
        self.add_list.activated.connect(lambda _index: self._on_chosen(self.add_list))
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(3)
        self._layout.addWidget(self.add_list)

    def add(self, step: CleanStep, *, on: bool = True) -> None:
        """Add a step at the end."""
        row = StepRow(step, self._classes, on=on)
        row.edited.connect(self.edited)
        row.up.clicked.connect(lambda _checked=False: self._move_up(row))
        row.remove.clicked.connect(lambda _checked=False: self._remove(row))
        self._layout.insertWidget(len(self.rows), row)
        self.rows.append(row)

    def show_steps(self, steps: Sequence[CleanStep]) -> None:
        """Replace the list."""
        for row in list(self.rows):
            self._take_out(row)
        for step in steps:
            self.add(step)

    def show_classes(self, classes: Sequence[str]) -> None:
        """Offer the classes of a mask in each row."""
        self._classes = tuple(classes)
        for row in self.rows:
            row.show_classes(classes)

    def steps(self) -> tuple[CleanStep, ...]:
        """Return the steps that are on.

        Raises
        ------
        SettingsError
            If a parameter cannot be read.
        """
        return tuple(row.step() for row in self.rows if row.use.isChecked())

    def texts(self) -> list[str]:
        """Return all rows as text, for the preferences; rows that are off begin with ``#``."""
        return [row.text() if row.use.isChecked() else f"#{row.text()}" for row in self.rows]

    def _on_chosen(self, choice: QComboBox) -> None:
        keyword = choice.currentData()
        choice.setCurrentIndex(0)
        if keyword:
            self.add(parse_step(f"{keyword}:{STEPS[keyword].example}".rstrip(":")))
            self.edited.emit()

    def _move_up(self, row: StepRow) -> None:
        index = self.rows.index(row)
        if index > 0:
            self.rows.insert(index - 1, self.rows.pop(index))
            self._layout.insertWidget(index - 1, row)
            self.edited.emit()

    def _remove(self, row: StepRow) -> None:
        self._take_out(row)
        self.edited.emit()

    def _take_out(self, row: StepRow) -> None:
        self.rows.remove(row)
        self._layout.removeWidget(row)
        row.hide()
        row.deleteLater()


def _tool(text: str, tip: str, arrow: Qt.ArrowType | None = None) -> QToolButton:
    result = QToolButton()
    result.setText(text)
    if arrow is not None:
        result.setArrowType(arrow)
    result.setToolTip(tip)
    result.setAccessibleName(tip.rstrip("."))
    result.setAutoRaise(True)
    return result
