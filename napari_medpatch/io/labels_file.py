"""Label files on the grid of their image: sparse labels that were painted, masks to compare or convert."""

import os
from pathlib import Path

from napari_medpatch.errors import GeometryError
from napari_medpatch.io.label_image import Labels, read_label_image
from napari_medpatch.io.label_volume import read_nifti_labels
from napari_medpatch.io.signature import read_head, signature
from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.wording import size_text


def read_labels(path: str | os.PathLike[str], source: Source) -> Labels:
    """Read labels that belong to a source.

    Parameters
    ----------
    path : path-like
        For a volume a NIfTI, NRRD or MetaImage file, in any orientation of the same grid, a DICOM-SEG, a folder of
        PNG slices of this package, or a TIFF stack of its slices as shown.
        For a photograph PNG, TIFF or BMP of its size. For a slide the same, of the whole slide at any
        downsample; see :func:`labels_downsample`. Values as :func:`napari_medpatch.io.label_image.read_label_image`.
    source : Source
        The image.

    Returns
    -------
    ndarray
        uint8, ``(Z, Y, X)`` or ``(Y, X)``; on the source's grid, or on a coarser one for slides.

    Raises
    ------
    GeometryError
        If the labels have another shape, spacing or position than the source.
    LabelsError
        If values are not whole numbers from 0 to 255.
    UnsupportedFormatError, DamagedFileError
        If the file cannot be read.
    """
    file = Path(path)
    if is_nifti(file):
        if source.kind != "volume":
            raise GeometryError(
                f"{file} is a NIfTI volume and {source.path} a {source.kind}; give labels as PNG or TIFF."
            )
        return read_nifti_labels(file, source)
    if source.kind == "volume":
        labels_of_volume = _read_volume_format(file, source)
        if labels_of_volume is not None:
            return labels_of_volume
    labels = read_label_image(file)
    if source.kind == "volume" and labels.ndim == 2:
        labels = labels[None]
    if source.kind == "slide":
        labels_downsample(labels, source)
    elif labels.shape != source.levels[0].shape:
        raise GeometryError(
            f"{file} has the shape {size_text(labels.shape)} and {source.path} {size_text(source.levels[0].shape)}; "
            "labels need the same."
        )
    return labels


def _read_volume_format(file: Path, source: Source) -> Labels | None:
    """Read NRRD, MetaImage, DICOM-SEG or a folder of PNG slices; None if it is none of them."""
    from napari_medpatch.io.dicom_seg_reading import is_dicom_seg, read_seg_labels
    from napari_medpatch.io.label_volume import read_other_labels
    from napari_medpatch.io.png_series import is_png_series

    if is_png_series(file):
        return read_other_labels(file, source)
    kind = "" if file.is_dir() else signature(read_head(file))
    if kind in ("nrrd", "metaimage"):
        return read_other_labels(file, source, may_be_cropped=file.name.lower().endswith(".seg.nrrd"))
    return read_seg_labels(file, source) if kind == "dicom" and is_dicom_seg(file) else None


def labels_downsample(labels: AnyArray, source: Source) -> tuple[float, float]:
    """Return how many level-0 pixels of a slide a pixel of whole-slide labels covers.

    Parameters
    ----------
    labels : ndarray
        ``(Y, X)`` raster of the whole slide.
    source : Source
        Slide or photograph.

    Returns
    -------
    tuple of float
        ``(y, x)``: those of the slide's level of that shape, else a whole number if one fits, else the ratios.

    Raises
    ------
    GeometryError
        If the raster is finer than the slide or its sides are not in the same proportion, by one pixel.
    """
    full = source.levels[0].shape
    for level in source.levels:
        if level.shape == labels.shape:
            return level.downsample[0], level.downsample[1]
    if labels.ndim == 2:
        low = max(n / (m + 1) for n, m in zip(full, labels.shape, strict=True))
        high = min(n / max(m - 1, 0.5) for n, m in zip(full, labels.shape, strict=True))
        if low <= high and high >= 1:
            whole = round(full[0] / labels.shape[0])
            if whole >= 1 and all(m in (n // whole, -(-n // whole)) for n, m in zip(full, labels.shape, strict=True)):
                return float(whole), float(whole)
            return full[0] / labels.shape[0], full[1] / labels.shape[1]
    raise GeometryError(
        f"Labels of shape {size_text(labels.shape)} do not cover {source.path} of {size_text(full)} pixels at any "
        "downsample; they must show the whole slide."
    )


def is_nifti(path: Path) -> bool:
    """Return whether a file begins as NIfTI, gzipped or not, or is the image file of a pair."""
    if path.suffix.lower() == ".img" and path.with_suffix(".hdr").exists():
        return True
    return not path.is_dir() and signature(read_head(path)) == "nifti"
