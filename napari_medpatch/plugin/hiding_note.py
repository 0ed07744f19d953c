"""A paragraph that takes no room while it is empty."""

from qtpy.QtWidgets import QLabel


class HidingNote(QLabel):
    """Shown with its first text."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.hide()

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setVisible(bool(text))

    def clear(self) -> None:
        self.setText("")
