"""Images of a folder, found and sized for a network."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import MedPatchError, UnsupportedFormatError
from napari_medpatch.io.photo_file import photo_format
from napari_medpatch.models.card import ModelCard

_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}


def find_images(folder: Path) -> list[str]:
    """Return the images below a folder as sorted relative paths with ``/``.

    A file counts by its suffix, or without a known one by its first bytes. Hidden files do not.

    Raises
    ------
    UnsupportedFormatError
        If there is none.
    """
    paths = (path for path in folder.rglob("*") if path.is_file())
    relative = ((path, path.relative_to(folder)) for path in paths)
    shown = ((path, name) for path, name in relative if not any(part.startswith(".") for part in name.parts))
    names = sorted(name.as_posix() for path, name in shown if path.suffix.lower() in _SUFFIXES or _sniffed(path))
    if not names:
        raise UnsupportedFormatError(f"The folder {folder} holds no images (PNG, JPEG, TIFF, BMP); choose another one.")
    return names


def network_sized(pixels: npt.NDArray[np.uint8], card: ModelCard) -> npt.NDArray[np.uint8]:
    """Resize a whole image to what the network sees, with PIL's antialiased bilinear filter.

    Parameters
    ----------
    pixels : ndarray
        ``(Y, X, 3) uint8``. Images that are not square are squeezed, as the published notebooks do.
    card : ModelCard
        The classifier.

    Returns
    -------
    ndarray
        ``(y, x, 3) uint8``.
    """
    from PIL import Image

    from napari_medpatch.models.preprocess import input_shape

    edge = card.patch_size_pixels or 224
    height, width = input_shape(card, (edge, edge))
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def _sniffed(path: Path) -> bool:
    try:
        return bool(photo_format(path))
    except MedPatchError:
        return False
