"""What there is to choose about a file, shown only for the formats that it concerns."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QLabel, QSpinBox, QWidget

from napari_medpatch.plugin.export_formats import SLICES
from napari_medpatch.plugin.form import add_row, check, combo, new_form

if TYPE_CHECKING:
    from napari_medpatch.io.export_options import ExportOptions

_MESHES = (".stl", ".ply")
_VALUES = (".nii.gz", ".seg.nrrd", ".nrrd", ".mha", ".ome.tiff", ".png", ".dcm", ".ply", SLICES)
_AXES = ("LPS, as DICOM and 3D Slicer", "RAS, as NIfTI")
_CUTS = ("Axial", "Coronal", "Sagittal")
_MAKERS: Mapping[str, str | None] = MappingProxyType(
    {
        "As the layer says": None,
        "By a model": "automatic",
        "By a model, adjusted by hand": "semiautomatic",
        "By hand": "manual",
    }
)


class ExportOptionsBox(QWidget):
    """Rows that come and go with the format."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from napari_medpatch.io.export_options import SMOOTHING_ROUNDS
        from napari_medpatch.io.hu import HU_WINDOWS

        self.per_class = check("Split &by class", "One file per class, with the class in its name.", checked=False)
        self.coloured = check("&Keep colours", "The slices are shown in the classes' colours.", checked=False)
        self.smooth = QSpinBox()
        self.smooth.setRange(0, 200)
        self.smooth.setValue(SMOOTHING_ROUNDS)
        self.space, self.cut, self.window_combo, self.maker = (_list(t) for t in (_AXES, _CUTS, (), _MAKERS))
        self.window_combo.addItem("Every value, 16 bit", None)
        for name, limits in HU_WINDOWS.items():
            self.window_combo.addItem(f"{name.capitalize()}, 8 bit", limits)
        self._form = new_form()
        self.setLayout(self._form)
        self._rows = self._add_rows()
        self.show_for("", "", classes=0)

    def show_for(self, what: str, suffix: str, *, classes: int) -> None:
        """Show the rows of a format.

        Parameters
        ----------
        what : str
            ``"labels"``, ``"probability"`` or ``"image"``.
        suffix : str
            Of the format.
        classes : int
            That the layer has.
        """
        several = classes > 1 and what in ("labels", "probability")
        wanted = {
            self.per_class: several and suffix in _VALUES,
            self.smooth: suffix in _MESHES,
            self.space: suffix in _MESHES,
            self.cut: suffix == SLICES,
            self.window_combo: suffix == SLICES and what == "image",
            self.coloured: suffix == SLICES and what == "labels",
            self.maker: suffix == ".dcm",
        }
        # Rows are taken out, for a form keeps the gaps between hidden ones.
        while self._form.rowCount():
            self._form.takeRow(0)
        for field, label in self._rows.items():
            visible = wanted[field]
            if visible and label is None:
                self._form.addRow(field)
            elif visible:
                self._form.addRow(label, field)
            for widget in (field, label):
                if widget is not None:
                    widget.setVisible(visible)
        self.setVisible(any(wanted.values()))

    def options(self) -> "ExportOptions":
        """Return what is chosen; rows that are hidden count as not chosen."""
        from napari_medpatch.io.export_options import ExportOptions

        chosen = ExportOptions()
        return ExportOptions(
            per_class=self.per_class.isVisibleTo(self) and self.per_class.isChecked(),
            mesh_space="ras" if self.space.currentIndex() else "lps",
            smooth=self.smooth.value() if self.smooth.isVisibleTo(self) else chosen.smooth,
            window=self.window_combo.currentData() if self.window_combo.isVisibleTo(self) else None,
            axis=self.cut.currentIndex(),
            coloured=self.coloured.isVisibleTo(self) and self.coloured.isChecked(),
            made_by=_MAKERS[self.maker.currentText()] if self.maker.isVisibleTo(self) else None,
        )

    def _add_rows(self) -> dict[QWidget, QLabel | None]:
        """Lay the rows out and return their labels; check boxes have none."""
        rows = (
            (
                "Smoothin&g",
                self.smooth,
                "Rounds of Taubin's smoothing, which keeps the size; 0 keeps the voxels' steps.",
            ),
            ("A&xes", self.space, "World axes of the vertices, in mm. 3D Slicer takes STL and PLY for LPS."),
            ("C&ut along", self.cut, "Which slices are written."),
            ("Win&dow", self.window_combo, "HU range that becomes black to white, or every value with an offset."),
            ("Made or ad&justed", self.maker, "How the file says the mask was made."),
        )
        labels: dict[QWidget, QLabel | None] = {}
        for text, field, tip in rows:
            labels[field] = add_row(self._form, text, field, tip)
        for box in (self.per_class, self.coloured):
            labels[box] = None
            self._form.addRow(box)
        return labels


def _list(entries: "tuple[str, ...] | Mapping[str, str | None]") -> QComboBox:
    result = combo()
    result.addItems(list(entries))
    return result
