"""What a model cleans by itself, shown as steps, with a switch."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.errors import MedPatchError
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.infer.edges import air_edge
from napari_medpatch.infer.postprocess import rule_steps
from napari_medpatch.plugin.form import button, check, note

if TYPE_CHECKING:
    from napari_medpatch.models.card import ModelCard

_UNIT = {"mm": "mm", "um": "um"}


class ModelRules(QWidget):
    """A check box for the run and a line that lists the steps.

    Signals
    -------
    wanted (sequence of CleanStep)
        The user wants the steps in the list.
    """

    wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.use = check(
            "Model's own clean-&up", "Clean the mask of the next run by the rules of the model's card.", checked=True
        )
        self.list = note()
        self.list.setAccessibleName("The model's own clean-up")
        self.copy_button = button(
            "Copy to the steps", "Add the model's own steps to the list below.", lambda: self.wanted.emit(self._steps)
        )
        self._steps: tuple[CleanStep, ...] = ()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.use, self.list, self.copy_button):
            layout.addWidget(widget)
        self.show_model(None)

    def show_model(self, card: "ModelCard | None") -> None:
        """Say what the chosen model cleans."""
        texts: list[str] = []
        self._steps = ()
        if card is not None:
            try:
                self._steps = rule_steps(
                    card.postprocess, card.class_names[1:], _UNIT.get(card.spacing_unit or "", "px")
                )
                edge = air_edge(card.postprocess)
            except (MedPatchError, TypeError, ValueError) as error:
                texts, edge = [str(error)], None
            texts += [str(step) for step in self._steps]
            texts += [f"edge of air at {edge:g} HU"] if edge is not None else []
        self.list.setText(", ".join(texts) if texts else "This model cleans nothing by itself.")
        self.copy_button.setVisible(bool(self._steps))
        self.use.setEnabled(bool(texts))
