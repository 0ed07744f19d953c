"""Tissue masks that outlive a run: found once, corrected once, used by the window, Python and command line.

They lie in ``tissue/`` of the image's project folder. A mask that was found is kept only where that folder
exists already, so that a run on somebody's archive leaves nothing beside the slides; a mask that the user
corrected is always kept, and wins over all found ones.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medpatch.errors import DamagedFileError, OutputError
from napari_medpatch.io.fingerprint import same_image
from napari_medpatch.io.project_folder import default_folder, introduce, project_folder
from napari_medpatch.io.source import Source
from napari_medpatch.patches.tissue import TissueMask
from napari_medpatch.patches.tissue_file import TissueRecord, read_tissue, write_tissue
from napari_medpatch.patches.tissue_methods import method_named, steps_of

EDITED = "edited"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundTissue:
    """A tissue mask and what to say about it.

    Parameters
    ----------
    tissue : TissueMask
        The mask.
    method : str
        How it was found.
    edited : bool
        Whether the user corrected it.
    kept : bool
        Whether it comes from the project folder.
    note : str
        One sentence for the user; empty if there is nothing to say.
    """

    tissue: TissueMask
    method: str
    edited: bool = False
    kept: bool = False
    note: str = ""


def tissue_or_kept(source: Source, method: str = "stain", *, fresh: bool = False) -> Iterator[float | FoundTissue]:
    """Yield the finished fraction after each block read and at last the mask: a kept one at once, or a new one.

    Parameters
    ----------
    source : Source
        A slide or a photograph.
    method : str
        A name in :data:`napari_medpatch.patches.tissue_methods.TISSUE_METHODS`; a mask that the user
        corrected is taken whatever the method.
    fresh : bool
        Find it anew and forget what is kept, the user's corrections too.

    Raises
    ------
    DamagedFileError
        If the image cannot be read at low resolution, or the file of a corrected mask is damaged.
    """
    known = method_named(method)
    if fresh:
        forget_tissue(source)
    found = kept_tissue(source, method)
    if found is not None:
        yield found
        return
    for step in steps_of(source, method):
        if isinstance(step, TissueMask):
            _keep_found(source, step, known.name, known.version)
            yield FoundTissue(step, method)
        else:
            yield step


def kept_tissue(source: Source, method: str = "stain") -> FoundTissue | None:
    """Return the mask that is kept for an image, None if there is none that still holds.

    A corrected mask survives a change of the slide as long as its size is the same, and says so; a found
    one holds for the same image and the same version of its method.

    Raises
    ------
    DamagedFileError
        If the file of a corrected mask is damaged.
    """
    folder, facts = project_folder(source)
    edited = _file(folder, EDITED)
    if not edited.is_file():
        edited = _file(default_folder(source), EDITED)
    if edited.is_file():
        record = read_tissue(edited)
        if list(record.image.get("shape", ())) == list(source.levels[0].shape):
            note = f"Using the tissue mask of {source.path.name} as you corrected it."
            if not same_image(record.image, facts):
                note = f"{source.path.name} has changed since you corrected its tissue mask; check the mask."
            return FoundTissue(record.tissue, record.method, edited=True, kept=True, note=note)
    record_or_none = _found_record(_file(folder, method))
    if record_or_none is None or record_or_none.version != method_named(method).version:
        return None
    known = record_or_none.image
    # Specks and holes are judged in µm², so another pixel size gives another mask.
    if not same_image(known, facts) or known.get("spacing") != _with_spacing(facts, source)["spacing"]:
        return None
    return FoundTissue(record_or_none.tissue, method, kept=True)


def keep_edited_tissue(source: Source, tissue: TissueMask, method: str = "stain") -> Path:
    """Keep a mask that the user corrected; makes the project folder.

    Parameters
    ----------
    source : Source
        The image.
    tissue : TissueMask
        As the user left it.
    method : str
        How it was found before.

    Raises
    ------
    OutputError
        If the folder cannot be written to or the disk is full.
    """
    folder, facts = project_folder(source)
    introduce(folder, facts)
    path = _file(folder, EDITED)
    version = method_named(method).version
    write_tissue(path, TissueRecord(TissueMask(tissue.mask, tissue.downsample), method, version, facts, edited=True))
    return path


def forget_tissue(source: Source) -> None:
    """Remove all masks that are kept for an image, corrected ones too."""
    for folder in {project_folder(source)[0], default_folder(source)}:
        for path in (folder / "tissue").glob("*.npz"):
            path.unlink(missing_ok=True)


def _keep_found(source: Source, tissue: TissueMask, method: str, version: int) -> None:
    """Keep a mask that was found, if the image has a project; a full disk is no reason to stop."""
    folder, facts = project_folder(source)
    if not folder.is_dir():
        return
    try:
        introduce(folder, facts)
        write_tissue(_file(folder, method), TissueRecord(tissue, method, version, _with_spacing(facts, source)))
    except OutputError as error:
        _LOG.warning("The tissue mask was not kept: %s", error)


def _found_record(path: Path) -> TissueRecord | None:
    """Return a found mask; a damaged one counts as none, since it can be found again."""
    if not path.is_file():
        return None
    try:
        return read_tissue(path)
    except DamagedFileError as error:
        _LOG.warning("%s It is found anew.", error)
        return None


def _with_spacing(facts: Mapping[str, Any], source: Source) -> dict[str, Any]:
    return dict(facts) | {"spacing": list(source.spacing.values) if source.spacing is not None else None}


def _file(folder: Path, name: str) -> Path:
    return folder / "tissue" / f"{name}.npz"
