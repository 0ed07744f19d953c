"""Which slices of a volume a 2D model sees."""

from typing import TYPE_CHECKING, Literal

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.plugin.form import add_row, combo, new_form
from napari_medpatch.plugin.settings import keep, preference

if TYPE_CHECKING:
    from napari_medpatch.models.card import ModelCard

Axis = int | Literal["all"] | None
_PLANES = ("axial", "coronal", "sagittal")
_CHOICES: dict[str, tuple[str, Axis]] = {
    "model": ("As trained", None),
    "axial": ("Axial", 0),
    "coronal": ("Coronal", 1),
    "sagittal": ("Sagittal", 2),
    "all": ("All three, averaged", "all"),
}


class SliceChoice(QWidget):
    """A list of slices, there only while a 2D model is about to work on a volume."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.combo = combo()
        for key, (text, _axis) in _CHOICES.items():
            self.combo.addItem(text, key)
        self.combo.setCurrentIndex(max(0, self.combo.findData(preference("segment", "slices"))))
        self.combo.currentIndexChanged.connect(lambda _index: keep("segment", "slices", self.combo.currentData()))
        form = new_form()
        add_row(
            form,
            "Sl&ices",
            self.combo,
            "Slices of the volume that this 2D model sees, one at a time. All three axes take three times as long.",
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        self.setVisible(False)

    @property
    def axis(self) -> Axis:
        """Slice axis for the job; None leaves it to the model's card."""
        return _CHOICES[self.combo.currentData()][1]

    def show_for(self, card: "ModelCard | None", kind: str | None) -> None:
        """Show the choice if it matters for a model and an image, and name the model's own slices."""
        matters = card is not None and card.task == "segment-2d" and kind == "volume"
        if card is not None and matters:
            own = _PLANES[card.slice_axis]
            stack = f", {card.stack} at a time" if card.stack > 1 else ""
            self.combo.setItemText(0, f"As trained: {own}{stack}")
        self.setVisible(matters)
