"""Long names of layers can be told apart in a narrow panel."""

from typing import Any

from qtpy.QtWidgets import QFormLayout, QWidget

from napari_medpatch.plugin.form import add_row, combo


def test_the_end_of_a_long_name_is_seen(qtbot: Any) -> None:
    panel, form, box = QWidget(), QFormLayout(), combo()
    qtbot.addWidget(panel)
    panel.setLayout(form)
    add_row(form, "Mask", box, "Which.")
    start = "LIDC-IDRI-0001_dicom_16slices_of_a_very_long_series_name"
    box.addItems([f"{start} lungs-threshold", f"{start} lungs-ct-unet3d", "short"])
    panel.resize(300, 60)
    panel.show()
    qtbot.waitExposed(panel)
    seen = []
    for index in range(3):
        box.setCurrentIndex(index)
        seen.append(box.shown_text())
    assert seen[0].startswith("LIDC")
    assert seen[0].endswith("threshold")
    assert seen[1].endswith("unet3d")
    assert seen[2] == "short"
    assert all(box.fontMetrics().horizontalAdvance(text) < box.width() for text in seen)
    # What is seen is what is painted: two names that differ at their ends look different.
    pictures = []
    for index in range(2):
        box.setCurrentIndex(index)
        pictures.append(box.grab().toImage())
    assert pictures[0] != pictures[1]
