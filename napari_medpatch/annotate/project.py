"""The project folder of an image: painted labels, settings, fine-tuned models and what was done when."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_medpatch.annotate.label_store import SUFFIX, SavedLabels, read_label_file, write_label_file
from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import OutputError
from napari_medpatch.geometry import GridTransform
from napari_medpatch.io.atomic import write_json
from napari_medpatch.io.project_folder import introduce, parsed, project_folder, read_json
from napari_medpatch.io.source import Source


@dataclass(frozen=True, slots=True)
class Project:
    """Work on one image; see :meth:`for_source`.

    Nothing is written, the folder included, before the first save.

    Parameters
    ----------
    folder : Path
        Holds ``image.json``, ``labels/``, ``bundles/``, ``settings.json`` and ``history.jsonl``.
    image : mapping
        Fingerprint of the image.
    """

    folder: Path
    image: Mapping[str, Any]

    @classmethod
    def for_source(cls, source: Source, folder: str | os.PathLike[str] | None = None) -> "Project":
        """Return the project of an image.

        Parameters
        ----------
        source : Source
            The image.
        folder : path-like, optional
            Project folder; by default ``<file name>.medpatch`` beside the image, or in the user's data
            folder when the image's folder is not writable. A folder that belongs to another image is left
            alone and one with a longer name is taken.
        """
        return cls(*project_folder(source, folder))

    @property
    def bundles(self) -> Path:
        """Folder of the models that were fine-tuned on this image; it need not exist."""
        return self.folder / "bundles"

    def new_bundle(self, name: str) -> Path:
        """Return a folder for a new model, named after ``name`` and not yet taken."""
        stem = _safe(name) or "model"
        taken = {path.name for path in self.bundles.glob(f"{stem}*")}
        count = next(n for n in range(1, len(taken) + 2) if f"{stem}-{n}" not in taken)
        return self.bundles / f"{stem}-{count}"

    def save_labels(self, labels: SparseLabels, name: str = "labels", transform: GridTransform | None = None) -> Path:
        """Save labels atomically under a name; the previous ones of that name are replaced.

        Parameters
        ----------
        labels : SparseLabels
            What was painted.
        name : str
            For example the layer's.
        transform : GridTransform, optional
            Where they lie over the image, if not on its own grid.

        Raises
        ------
        OutputError
            If the folder cannot be written to or the disk is full.
        """
        self._introduce()
        path = self._label_path(name)
        write_label_file(path, labels, transform)
        return path

    def load_labels(self, name: str = "labels") -> SavedLabels:
        """Read labels that were saved under a name.

        Raises
        ------
        DamagedFileError
            If there are none or the file is damaged.
        """
        return read_label_file(self._label_path(name))

    def label_names(self) -> list[str]:
        """Return the names of the saved labels, newest first."""
        files = [path for path in (self.folder / "labels").glob(f"*{SUFFIX}") if not path.name.startswith(".")]
        files.sort(key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
        return [path.name.removesuffix(SUFFIX) for path in files]

    def has_labels(self) -> bool:
        """Whether there is something to resume."""
        return bool(self.label_names())

    def latest_labels(self) -> SavedLabels | None:
        """Return the labels saved last, None if there are none.

        Raises
        ------
        DamagedFileError
            If the file is damaged.
        """
        names = self.label_names()
        return self.load_labels(names[0]) if names else None

    def settings(self) -> dict[str, Any]:
        """Return the saved settings, empty if there are none."""
        return read_json(self.folder / "settings.json")

    def save_settings(self, settings: Mapping[str, Any]) -> None:
        """Save settings (JSON values) atomically."""
        self._introduce()
        write_json(self.folder / "settings.json", dict(settings))

    def record(self, event: str, **facts: Any) -> None:
        """Add a line to the history.

        Parameters
        ----------
        event : str
            What happened, for example ``"fine-tuned"``.
        **facts
            JSON values.
        """
        self._introduce()
        entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, **facts}
        path = self.folder / "history.jsonl"
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}); free space or choose a folder.") from error

    def history(self) -> list[dict[str, Any]]:
        """Return what :meth:`record` noted, oldest first; a line cut short by a crash is left out."""
        path = self.folder / "history.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return [entry for line in lines if (entry := parsed(line))]

    def _label_path(self, name: str) -> Path:
        return self.folder / "labels" / f"{_safe(name) or 'labels'}{SUFFIX}"

    def _introduce(self) -> None:
        introduce(self.folder, self.image)


def _safe(name: str) -> str:
    """Return a name that every file system takes."""
    return re.sub(r"[^\w\- ]+", "-", name).strip(" -")[:80]
