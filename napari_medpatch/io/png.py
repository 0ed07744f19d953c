"""PNG files of values, with a note of what they mean."""

import os
from pathlib import Path

import numpy as np

from napari_medpatch.errors import OutputError
from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.io.export_note import KEY, ExportNote
from napari_medpatch.io.source import AnyArray


def write_png(array: AnyArray, path: str | os.PathLike[str], *, note: ExportNote | None = None) -> Path:
    """Write 8-bit values as they are.

    Parameters
    ----------
    array : ndarray
        ``(Y, X)`` or ``(Y, X, 3)``, uint8.
    path : path-like
        ``.png``.
    note : ExportNote, optional
        Written as a text chunk.

    Raises
    ------
    OutputError
        If the values are not 8-bit, or the file cannot be written.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    target = Path(path)
    if array.dtype != np.uint8 or array.ndim not in (2, 3):
        raise OutputError(
            f"{target} was not written: PNG holds 8-bit images, not {array.dtype} values of shape {array.shape}; "
            "use .ome.tiff."
        )
    text = PngInfo()
    if note is not None:
        text.add_itxt(KEY, note.to_json())
    with atomic_file(target) as temporary:
        Image.fromarray(np.ascontiguousarray(array)).save(temporary, format="PNG", pnginfo=text)
    return target


def read_png_note(path: str | os.PathLike[str]) -> ExportNote | None:
    """Return the note of a PNG that this package wrote, None of others."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as image:
            return ExportNote.from_json(str(image.info.get(KEY, "")))
    except (OSError, SyntaxError, ValueError):
        return None
