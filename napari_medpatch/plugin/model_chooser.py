"""Choosing a model and reading what its card says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QTextBrowser, QVBoxLayout, QWidget

from napari_medpatch.errors import MedPatchError
from napari_medpatch.plugin.form import (
    add_row,
    ask_folder,
    button,
    combo,
    in_row,
    last_folder,
    new_form,
    remember_folder,
)
from napari_medpatch.plugin.messages import tell_error
from napari_medpatch.plugin.model_export import ModelExport
from napari_medpatch.plugin.settings import keep, preference
from napari_medpatch.plugin.zoo_download import ZooDownload, describe_zoo_model

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle
    from napari_medpatch.models.zoo_list import ZooModel


class ModelChooser(QWidget):
    """A list of models of some tasks, a button for a bundle folder, and the card of the chosen one.

    Where patch classifiers are offered, those of the WSInfer zoo follow under a separator: the ones that are
    here can be used like any other, the others can be downloaded.

    Parameters
    ----------
    section, key : str
        Preference that keeps the choice.
    none : str
        Text of an entry that stands for no model; empty for none.

    Signals
    -------
    changed
        Another model is chosen.
    """

    changed = Signal()

    def __init__(self, section: str, key: str, *, none: str = "", label: str = "&Model") -> None:
        super().__init__()
        self._section, self._key, self._none = section, key, none
        self._tasks: tuple[str, ...] = ()
        self._extra: list[Bundle] = []
        self._zoo: dict[str, Bundle | None] = {}
        self.combo = combo()
        self.combo.currentIndexChanged.connect(self._on_chosen)
        self.card = QLabel()
        self.card.setWordWrap(True)
        self.card.setTextFormat(Qt.TextFormat.PlainText)
        self.card.setAccessibleName("Model card")
        self.read_button = button("Model card…", "Training data, scores, and what it is not for.", self._on_read)
        self.browse_button = button(
            "&Browse…",
            "Use a model from a folder: a bundle of ours, a network with a short config.json, or a MONAI bundle.",
            self._on_browse,
        )
        self.export_button = ModelExport()
        self.download = ZooDownload()
        self.download.downloaded.connect(self._on_downloaded)
        self.download.runner.idle.connect(self._describe)
        self._lay_out(label)

    def offer(self, tasks: Sequence[str]) -> None:
        """List the models of these tasks; keeps the choice where it fits."""
        if tuple(tasks) != self._tasks:
            self._tasks = tuple(tasks)
            self.reload()

    def reload(self) -> None:
        """Read the list of models again, for example after a training."""
        from napari_medpatch.models.registry import list_models

        wanted = self._chosen_name() or str(preference(self._section, self._key))
        known = {bundle.card.name: bundle for bundle in (*list_models(), *self._extra)}
        self.combo.blockSignals(True)
        self.combo.clear()
        if self._none:
            self.combo.addItem(self._none, None)
        for bundle in known.values():
            if bundle.card.task in self._tasks:
                self._add_item(bundle.card.name, bundle, str(bundle.path))
        if "patch-classifier" in self._tasks:
            self._add_zoo(set(known))
        self.combo.setCurrentIndex(max(0, self._index_of(wanted)))
        self.combo.blockSignals(False)
        self._describe()
        self.changed.emit()

    def bundle(self) -> "Bundle | None":
        """Return the chosen model; None also if it is one of the zoo that is not here yet."""
        chosen = self.combo.currentData()
        return self._zoo_bundle(chosen) if _is_zoo(chosen) else chosen

    def why_none(self) -> str:
        """Return what to do where :meth:`bundle` is None."""
        absent = _is_zoo(self.combo.currentData())
        return "Download this model first, or choose another." if absent else "Choose a model first."

    def choose(self, name: str) -> None:
        """Choose a model of the list by its name."""
        index = self._index_of(name)
        if index >= 0:
            self.combo.setCurrentIndex(index)

    def add_folder(self, path: str) -> None:
        """Add the bundle in a folder and choose it."""
        from napari_medpatch.models.bundle import load_bundle

        try:
            bundle = load_bundle(path)
        except MedPatchError as error:
            tell_error(error)
            return
        if bundle.card.task not in self._tasks:
            from napari_medpatch.errors import BundleError

            tell_error(
                BundleError(
                    f"{bundle.card.name} is a {bundle.card.task} model; here a model for "
                    f"{' or '.join(self._tasks)} is needed."
                )
            )
            return
        self.add(bundle)
        self.choose(bundle.card.name)

    def add(self, bundle: "Bundle") -> None:
        """Add a model to the list; one of the same name is replaced."""
        self._extra = [each for each in self._extra if each.card.name != bundle.card.name] + [bundle]
        self.reload()

    def _add_item(self, text: str, data: object, tip: str) -> None:
        self.combo.addItem(text, data)
        self.combo.setItemData(self.combo.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)

    def _add_zoo(self, known: set[str]) -> None:
        """Offer the zoo's models, those that are here first."""
        from napari_medpatch.models.zoo_list import list_zoo

        models = [(not model.cached, model) for model in list_zoo() if model.name not in known]
        if models and self.combo.count():
            self.combo.insertSeparator(self.combo.count())
        for absent, model in sorted(models, key=lambda each: each[0]):
            self._add_item(f"{model.name} (to download)" if absent else model.name, model, model.description)

    def _zoo_bundle(self, model: "ZooModel") -> "Bundle | None":
        """Return a model of the zoo that is here; one that is damaged is told once and counts as absent."""
        from napari_medpatch.models.zoo import ZOO_PREFIX, zoo_bundle

        if not model.cached:
            return None
        if model.name not in self._zoo:
            try:
                self._zoo[model.name] = zoo_bundle(ZOO_PREFIX + model.name)
            except MedPatchError as error:
                self._zoo[model.name] = None
                tell_error(error)
        return self._zoo[model.name]

    def _index_of(self, name: str) -> int:
        """Return where a model stands in the list, -1 if it is not there."""
        names = [_name_of(self.combo.itemData(index)) for index in range(self.combo.count())]
        return names.index(name) if name and name in names else -1

    def _chosen_name(self) -> str:
        return _name_of(self.combo.currentData())

    def _on_downloaded(self, bundle: "Bundle") -> None:
        self._zoo[bundle.card.name] = bundle
        chosen = self._chosen_name()
        self.reload()
        # The user may have gone on to another model meanwhile.
        if chosen == bundle.card.name:
            self.choose(chosen)

    def _lay_out(self, label: str) -> None:
        form = new_form()
        add_row(
            form,
            label,
            self.combo,
            "Shipped models, those in your model folder, those you browsed to, the WSInfer zoo's.",
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.card)
        layout.addWidget(self.download)
        layout.addLayout(in_row(self.browse_button, self.read_button, self.export_button))

    def _on_chosen(self) -> None:
        keep(self._section, self._key, self._chosen_name())
        self._describe()
        self.changed.emit()

    def _describe(self) -> None:
        bundle, chosen = self.bundle(), self.combo.currentData()
        absent = chosen if _is_zoo(chosen) and bundle is None else None
        self.card.setText(self._description(bundle, absent))
        self.card.setVisible(bool(self.card.text()))
        self.read_button.setEnabled(bundle is not None)
        self.export_button.offer(bundle)
        self.download.offer(absent)

    def _description(self, bundle: "Bundle | None", absent: "ZooModel | None") -> str:
        if bundle is not None:
            return describe_card(bundle)
        if absent is not None:
            return describe_zoo_model(absent)
        return "" if self._none else f"No model for {' or '.join(self._tasks)} is here yet; browse to a bundle folder."

    def _on_browse(self) -> None:
        folder = ask_folder(self, last_folder())
        if folder:
            remember_folder(folder)
            self.add_folder(folder)

    def _on_read(self) -> None:
        bundle = self.bundle()
        if bundle is None:
            return
        # MONAI's bundles keep theirs in docs.
        places = [bundle.path / "README.md", bundle.path / "docs" / "README.md"]
        readme = next((place for place in places if place.is_file()), None)
        text = readme.read_text(encoding="utf-8") if readme is not None else describe_card(bundle)
        show_text(self, f"Model card of {bundle.card.name}", text)


def _is_zoo(chosen: object) -> bool:
    """Return whether an entry of the list is one of the zoo."""
    return hasattr(chosen, "hub")


def _name_of(chosen: "Bundle | ZooModel | None") -> str:
    """Return a model's name, empty for none."""
    if chosen is None:
        return ""
    return chosen.name if _is_zoo(chosen) else chosen.card.name


_ORIGINS = {
    "torchscript": "\nA TorchScript program of its authors.",
    "torch.export": "\nA torch.export program of its authors.",
    "monai": "\nA MONAI bundle.",
}


def describe_card(bundle: "Bundle") -> str:
    """Return classes, working resolution and licence in two lines."""
    card = bundle.card
    names = ", ".join(card.class_names[:6]) + ("…" if len(card.class_names) > 6 else "")
    if card.patch_size_pixels:
        look = f"patches of {card.patch_size_pixels} pixels at {card.spacing_um_px:g} µm"
    elif card.spacing and card.spacing_unit in ("mm", "um"):
        unit = "mm" if card.spacing_unit == "mm" else "µm"
        look = "works at " + " × ".join(f"{v:g}" for v in card.spacing) + f" {unit}"
    else:
        look = "works on the image's own pixels" if card.spacing is None else "works relative to the field of view"
    return (
        f"Classes: {names}.\n{look[0].upper()}{look[1:]}. Licence: {card.licence}.{_ORIGINS.get(card.architecture, '')}"
    )


def show_text(parent: QWidget, title: str, markdown: str) -> QDialog:
    """Show Markdown in a dialog that takes the window's theme."""
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    dialog.resize(640, 640)
    browser = QTextBrowser()
    browser.setOpenExternalLinks(True)
    browser.setMarkdown(markdown)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout = QVBoxLayout(dialog)
    layout.addWidget(browser)
    layout.addWidget(buttons)
    dialog.show()
    return dialog
