"""Where the work on an image is kept: a folder beside it, or one of the user's."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medpatch.io.atomic import write_json
from napari_medpatch.io.fingerprint import fingerprint, same_image
from napari_medpatch.io.source import Source

_IMAGE = "image.json"
SUFFIX = ".medpatch"


def project_folder(source: Source, folder: str | os.PathLike[str] | None = None) -> tuple[Path, dict[str, Any]]:
    """Return an image's project folder, which need not exist, and the image's fingerprint.

    Parameters
    ----------
    source : Source
        The image.
    folder : path-like, optional
        By default ``<file name>.medpatch`` beside the image, or in the user's data folder when the image's
        folder is not writable. A folder that belongs to another image is left alone and one with a longer
        name is taken.
    """
    facts = fingerprint(source)
    chosen = Path(folder) if folder is not None else default_folder(source)
    if not belongs(chosen, facts):
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        chosen = chosen.with_name(f"{chosen.name.removesuffix(SUFFIX)}-{digest[:8]}{SUFFIX}")
    return chosen, facts


def default_folder(source: Source) -> Path:
    """Return the folder beside the image if something can be written there, else one of the user's."""
    path = source.path
    beside = path.parent / f"{path.name}{SUFFIX}"
    if path.exists() and os.access(beside if beside.is_dir() else path.parent, os.W_OK):
        return beside
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    return user_data_folder() / "projects" / f"{path.name}-{digest[:8]}{SUFFIX}"


def user_data_folder() -> Path:
    """Return ``$MEDPATCH_DATA`` if that is set, else the platform's place for a user's data."""
    base = os.environ.get("MEDPATCH_DATA")
    if base:
        return Path(base)
    from platformdirs import user_data_path

    return user_data_path("napari-medpatch", appauthor=False)


def belongs(folder: Path, facts: Mapping[str, Any]) -> bool:
    """Whether a folder is of the image with these facts, or of none yet."""
    recorded = read_json(folder / _IMAGE)
    return not recorded or same_image(recorded, facts)


def introduce(folder: Path, facts: Mapping[str, Any]) -> None:
    """Say which image a folder belongs to, once; makes the folder.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full.
    """
    if not (folder / _IMAGE).is_file():
        write_json(folder / _IMAGE, dict(facts))


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty if there is none or it is damaged: settings are worth less than a start."""
    return parsed(path.read_text(encoding="utf-8")) if path.is_file() else {}


def parsed(text: str) -> dict[str, Any]:
    """Return a JSON object, empty if it is damaged."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
