"""What each class of two masks counts as, where one numbers them differently or divides more finely."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_medpatch.plugin.form import add_row, button, check, combo, new_form, note
from napari_medpatch.plugin.more_section import MoreSection

if TYPE_CHECKING:
    from napari_medpatch.evaluate.class_map import ClassMap
    from napari_medpatch.plugin.measure_jobs import Measured

SIDES = ("prediction", "truth")
MOST_ROWS = 60
"""A list for each of more classes than these would be no help."""
_LONGEST = 22


@dataclass(frozen=True, slots=True)
class _Row:
    """A class of one mask, and the list of what it counts as."""

    side: str
    value: int
    list: QComboBox


class ClassPairs(QWidget):
    """A section that appears once masks were measured; it begins with what the measurement says of their numbers.

    Signals
    -------
    suggestion_taken
        The classes count as suggested now; measure again.
    """

    suggestion_taken = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[_Row] = []
        self._layers: list[Any] = []
        self._suggested: tuple[ClassMap, ClassMap] | None = None
        self.hint = note()
        self.hint.setTextFormat(Qt.TextFormat.PlainText)
        self.hint.setAccessibleName("What the measurement says of the classes")
        self.suggestion = button(
            "Measure as suggested",
            "Let classes count as the sentence above suggests, and measure again.",
            self._suggest,
        )
        self.as_one = check(
            "Treat all classes as e&qual",
            "Compare what is of any class in one mask with what is of any class in the other.",
            checked=False,
        )
        self.as_one.toggled.connect(lambda _on: self._on_as_one())
        self._pairs = QWidget()
        inside = QVBoxLayout()
        for widget in (self.hint, self.suggestion, self.as_one, self._pairs):
            inside.addWidget(widget)
        self._inside = inside
        self.section = MoreSection("Classes", inside, "What each class of the masks counts as when they are compared.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.section)
        self.hide()

    def maps(self) -> "tuple[ClassMap, ClassMap]":
        """Return what the classes of prediction and truth count as; the command line's options of that name."""
        from napari_medpatch.evaluate.class_map import EVERYTHING, ClassMap

        if self.as_one.isChecked() and self._layers:
            one = ClassMap(((EVERYTHING, 1),))
            return one, one if len(self._layers) > 1 else ClassMap()
        prediction, truth = (ClassMap(tuple(self._changed(side))) for side in SIDES)
        return prediction, truth

    def follow(self, *layers: Any) -> None:
        """Forget what was chosen for other layers than these."""
        if self._layers and self._layers != [layer for layer in layers if layer is not None]:
            self._layers, self._rows = [], []
            self.as_one.setChecked(False)
            self.section.open(False)
            self.hide()

    def offer(self, measured: "Measured", *layers: Any) -> None:
        """List the classes of what was measured; what is chosen stays.

        Parameters
        ----------
        measured : Measured
            What was found.
        *layers : Labels or None
            What it was found in.
        """
        from napari_medpatch.evaluate.class_hints import in_words, suggested

        self.follow(*layers)
        self._layers = [layer for layer in layers if layer is not None]
        notes = getattr(measured.result, "notes", ())
        self._suggested = suggested(notes)
        self._list(measured.present, measured.masks.names)
        # One at a time, as the button does; the next one is said when that was measured.
        self._say([in_words(each) for each in notes if suggested([each]) is not None][:1])
        self.setVisible(self._is_of_use(measured.present))
        if self._suggested is not None:
            self.section.open(True)

    def _is_of_use(self, present: Sequence[Sequence[int]]) -> bool:
        """Whether there is something to choose, or something chosen that must not be forgotten."""
        several = any(len(values) > 1 for values in present) or len({*map(tuple, filter(None, present))}) > 1
        return several or any(each.pairs for each in self.maps())

    def _say(self, hints: Sequence[str]) -> None:
        self.hint.setText(" ".join(hints))
        self.hint.setVisible(bool(hints))
        self.suggestion.setVisible(bool(hints and self._rows))

    def _list(self, present: Sequence[Sequence[int]], names: Sequence[Sequence[str]]) -> None:
        """Make a row for each class of either mask."""
        chosen = {(row.side, row.value): row.list.currentData() for row in self._rows}
        self._rows = []
        form = new_form()
        targets = sorted({1, *(value for values in present for value in values), *chosen.values()} - {0})
        if sum(map(len, present)) <= MOST_ROWS:
            for side, values, own in zip(SIDES, present, names, strict=True):
                if values:
                    form.addRow(QLabel(f"Classes of the {side} count as"))
                for value in values:
                    lists = _targets(targets, names)
                    lists.setCurrentIndex(lists.findData(chosen.get((side, value), value)))
                    _add_class(form, side, value, own, lists)
                    self._rows.append(_Row(side, value, lists))
        else:
            form.addRow(
                note(
                    "There are too many classes to list; the command line's --map-prediction and --map-truth take any."
                )
            )
        self._replace(form)
        self._on_as_one()

    def _replace(self, form: QFormLayout) -> None:
        old, self._pairs = self._pairs, QWidget()
        self._pairs.setLayout(form)
        self._inside.replaceWidget(old, self._pairs)
        old.hide()
        old.deleteLater()

    def _changed(self, side: str) -> Iterator[tuple[str, int]]:
        for row in self._rows:
            if row.side == side and row.list.currentData() != row.value:
                yield str(row.value), int(row.list.currentData())

    def _on_as_one(self) -> None:
        self._pairs.setEnabled(not self.as_one.isChecked())

    def _suggest(self) -> None:
        """Let the classes count as suggested; what they count as already was what the suggestion was made for."""
        for side, given in zip(SIDES, self._suggested or (), strict=False):
            becomes = {int(old): new for old, new in given.pairs}
            for row in self._rows:
                if row.side == side:
                    target = row.list.currentData()
                    row.list.setCurrentIndex(row.list.findData(becomes.get(target, target)))
        self.suggestion_taken.emit()


def _targets(values: Sequence[int], names: Sequence[Sequence[str]]) -> QComboBox:
    """Return a list of what a class may count as; the truth's names say what is meant."""
    result = combo()
    result.setMinimumContentsLength(8)
    for value in values:
        called = next((own[value - 1] for own in reversed(names) if value <= len(own) and own[value - 1]), "")
        result.addItem(f"{value} {called}".rstrip(), value)
    result.addItem("background", 0)
    return result


def _add_class(form: QFormLayout, side: str, value: int, names: Sequence[str], lists: QComboBox) -> None:
    name = f"{value} {names[value - 1] if value <= len(names) else ''}".rstrip()
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    tip = f"What class {name} of the {side} counts as; several may count as one, or as background."
    label = add_row(form, short.replace("&", "&&"), lists, tip)
    label.setTextFormat(Qt.TextFormat.PlainText)
    lists.setAccessibleName(f"Count class {name} of the {side}")
