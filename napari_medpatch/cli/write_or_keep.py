"""The results of long work on disk: where they were wanted or, rather than losing them, elsewhere."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from napari_medpatch.errors import KeptElsewhereError, OutputError
from napari_medpatch.io.kept_elsewhere import keep_elsewhere, kept_sentence

T = TypeVar("T")
Output = tuple[Path, Callable[[Path], T]]
"""A wanted file and what writes it, there or in another file of its format or NIfTI."""


def one_file(output: Path) -> str:
    """Return a name for a stand-in of a file: of its format, NIfTI where that may be several files."""
    from napari_medpatch.io.class_files import split_suffix
    from napari_medpatch.io.export_format import DICOM_SEG, PLY, PNG_SERIES, STL, export_format

    if export_format(output) in (STL, PLY, PNG_SERIES, DICOM_SEG):
        return f"{split_suffix(output)[0]}.nii.gz"
    return output.name


def write_or_keep(outputs: Sequence[Output[T]], also: KeptElsewhereError | None = None) -> list[T]:
    """Write all results, those that a full disk or a lost folder refuses in another place.

    Parameters
    ----------
    outputs : sequence of (Path, callable)
        What to write.
    also : KeptElsewhereError, optional
        What went elsewhere before; is raised with the rest.

    Returns
    -------
    list
        What the callables returned.

    Raises
    ------
    KeptElsewhereError
        If any of them lies elsewhere; after all were written.
    OutputError
        If one could be written nowhere, or could be in no place at all, such as a surface of nothing.
    """
    written: list[T] = []
    kept_all, said = True, [str(also)] if also is not None else []
    for path, write in outputs:
        try:
            written.append(write(path))
        except OutputError as error:
            kept = keep_elsewhere(one_file(path), write) if isinstance(error.__cause__, OSError) else None
            kept_all = kept_all and kept is not None
            remedy = "move it where you want it"
            said.append(kept_sentence(error, "the finished result", kept[0], remedy) if kept else str(error))
    if said:
        raise (KeptElsewhereError if kept_all else OutputError)(" ".join(said))
    return written
