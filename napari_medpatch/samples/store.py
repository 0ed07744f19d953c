"""The sample files: written once by the phantoms, found beside the checkout or made in the user's cache."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.errors import UnsupportedFormatError
from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.samples.fundus import make_fundus
from napari_medpatch.samples.slide import make_slide
from napari_medpatch.samples.thorax import Thorax, make_thorax

SAMPLE_FILES: Mapping[str, str] = MappingProxyType(
    {
        "slide": "slide.tiff",
        "slide_truth": "slide_truth.png",
        "fundus": "fundus.png",
        "fundus_vessels": "fundus_vessels.png",
        "thorax_ct": "thorax_ct.nii.gz",
        "thorax_truth": "thorax_truth.nii.gz",
        "thorax_labels_sparse": "thorax_labels_sparse.nii.gz",
    }
)
"""File of each sample."""
_HU_STEP = 8  # Coarser grey values than the noise, so that the file stays small.


def sample_path(name: str) -> Path:
    """Return a sample's file, making it first if need be.

    In a checkout the files lie in ``sample_data/``; an installed package writes them into the user's cache
    folder, which takes some seconds once.

    Parameters
    ----------
    name : str
        A key of :data:`SAMPLE_FILES`, or the file's name.

    Raises
    ------
    UnsupportedFormatError
        If there is no such sample.
    """
    keys = {file: key for key, file in SAMPLE_FILES.items()}
    key = keys.get(name, name)
    if key not in SAMPLE_FILES:
        raise UnsupportedFormatError(f"There is no sample {name!r}; there are {', '.join(SAMPLE_FILES)}.")
    file = SAMPLE_FILES[key]
    shipped = Path(__file__).resolve().parents[2] / "sample_data" / file
    if shipped.is_file():
        return shipped
    cached = _cache_folder() / file
    if not cached.is_file():
        _writer_of(key)(cached.parent)
    return cached


def write_samples(folder: str | os.PathLike[str]) -> list[Path]:
    """Write all sample files.

    Parameters
    ----------
    folder : path-like
        Created if it does not exist; files of these names are replaced.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    target = Path(folder)
    for write in (_write_slide, _write_fundus, _write_thorax):
        write(target)
    return [target / file for file in SAMPLE_FILES.values()]


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    from napari_medpatch import __version__

    return user_cache_path("napari-medpatch", appauthor=False) / f"samples-{__version__}"


def _writer_of(key: str) -> Callable[[Path], None]:
    writers = {"slide": _write_slide, "fundus": _write_fundus, "thorax": _write_thorax}
    return writers[key.split("_")[0]]


def _write_slide(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    truth = make_slide(folder / SAMPLE_FILES["slide"], size=(2048, 2304), mpp=0.5, seed=3)
    _write_png(folder / SAMPLE_FILES["slide_truth"], truth.labels)


def _write_fundus(folder: Path) -> None:
    eye = make_fundus((480, 512), seed=3, lesions=14, noise=0.6)
    _write_png(folder / SAMPLE_FILES["fundus"], eye.image)
    _write_png(folder / SAMPLE_FILES["fundus_vessels"], eye.vessels.astype(np.uint8) * 255)


def _write_thorax(folder: Path) -> None:
    thorax = make_thorax((60, 92, 116), spacing=(5.5, 3.5, 3.5), seed=6, noise=5.0, oblique=True)
    coarse = np.round(np.maximum(thorax.hu, -1000) / _HU_STEP).astype(np.int16) * _HU_STEP
    _write_nifti(folder / SAMPLE_FILES["thorax_ct"], coarse, thorax)
    _write_nifti(folder / SAMPLE_FILES["thorax_truth"], thorax.labels, thorax)
    _write_nifti(folder / SAMPLE_FILES["thorax_labels_sparse"], sparse_labels(thorax), thorax)


def sparse_labels(thorax: Thorax, slices: int = 3) -> NDArray[np.uint8]:
    """Return what a user might paint: some axial slices, evenly spaced through the lungs.

    Parameters
    ----------
    thorax : Thorax
        The phantom.
    slices : int
        How many.

    Returns
    -------
    (Z, Y, X) uint8
        0 unlabelled, 1 background, 2 lung, 3 heart.
    """
    heights = np.nonzero(thorax.lungs.any((1, 2)))[0]
    chosen = np.quantile(heights, (np.arange(slices) + 0.5) / slices).astype(int)
    full = np.ones_like(thorax.labels)
    full[thorax.lungs] = 2
    full[thorax.labels == 5] = 3
    painted = np.zeros_like(full)
    painted[chosen] = full[chosen]
    return painted


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    from PIL import Image

    with atomic_file(path) as temporary:
        Image.fromarray(pixels).save(temporary, optimize=True)


def _write_nifti(path: Path, data: NDArray[Any], thorax: Thorax) -> None:
    import nibabel

    # nibabel's axes are (x, y, z).
    image = nibabel.Nifti1Image(np.ascontiguousarray(data.transpose(2, 1, 0)), thorax.affine)
    image.header.set_xyzt_units("mm")
    with atomic_file(path) as temporary:
        nibabel.save(image, temporary)
