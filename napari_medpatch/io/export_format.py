"""Which file formats results can be written in, told by the name of the file."""

import os
from pathlib import Path
from typing import Literal

from napari_medpatch.errors import OutputError
from napari_medpatch.io.dicom_seg import check_dicom_source
from napari_medpatch.io.source import Source

ResultKind = Literal["mask", "probabilities", "image"]

NIFTI, OME_TIFF, PNG, GEOJSON, CSV = "NIfTI", "OME-TIFF", "PNG", "GeoJSON", "CSV"
NRRD, SEG_NRRD, METAIMAGE = "NRRD", "segmentation NRRD", "MetaImage"
DICOM_SEG, STL, PLY, PNG_SERIES = "DICOM-SEG", "STL", "PLY", "PNG series"
_SUFFIXES = {
    ".nii.gz": NIFTI,
    ".nii": NIFTI,
    ".seg.nrrd": SEG_NRRD,
    ".nrrd": NRRD,
    ".mha": METAIMAGE,
    ".dcm": DICOM_SEG,
    ".stl": STL,
    ".ply": PLY,
    ".ome.tiff": OME_TIFF,
    ".ome.tif": OME_TIFF,
    ".tiff": OME_TIFF,
    ".tif": OME_TIFF,
    ".png": PNG,
    ".geojson.gz": GEOJSON,
    ".geojson": GEOJSON,
    ".csv": CSV,
}
_ALL = (
    "supported are .nii.gz, .nii, .nrrd, .seg.nrrd, .mha, .dcm (DICOM-SEG), .stl, .ply, .ome.tiff, .tiff, .png, "
    ".geojson and .csv; a name without suffix is a folder of PNG slices"
)
_INSTEAD = {
    ".mhd": "MetaImage is written in one file, .mha",
    ".nhdr": "NRRD is written in one file, .nrrd",
    ".hdr": "NIfTI is written in one file, .nii or .nii.gz",
    ".img": "NIfTI is written in one file, .nii or .nii.gz",
    ".obj": "meshes are written as .stl or .ply",
    ".zarr": "OME-Zarr is not in this version",
}
_OF_VOLUMES = (NIFTI, NRRD, SEG_NRRD, METAIMAGE, DICOM_SEG, STL, PLY, PNG_SERIES)
OF_LABELS = (SEG_NRRD, DICOM_SEG, STL, PLY)
"""Formats of segments, not of values."""


def export_format(path: str | os.PathLike[str]) -> str:
    """Return the format that a file name asks for; a name without a suffix is a folder of PNG slices.

    Raises
    ------
    OutputError
        If the suffix is unknown or of a format that this version does not write.
    """
    name = Path(path).name.lower()
    for suffix, found in _SUFFIXES.items():
        if name.endswith(suffix):
            return found
    suffix = Path(name).suffix
    if suffix in _INSTEAD:
        raise OutputError(f"{path} was not written: {_INSTEAD[suffix]}; {_ALL}.")
    if suffix:
        raise OutputError(f"{path} was not written: its suffix {suffix} names no format; {_ALL}.")
    return PNG_SERIES


def result_format(path: str | os.PathLike[str], source: Source, kind: ResultKind = "mask") -> str:
    """Return the format for a mask, map or image of a source.

    Parameters
    ----------
    path : path-like
        File to write.
    source : Source
        The image that the result belongs to.
    kind : {"mask", "probabilities", "image"}
        What is written.

    Raises
    ------
    OutputError
        If the suffix is unknown or its format cannot hold results of such an image.
    """
    found = export_format(path)
    reason = _reason_against(found, source, kind)
    if reason:
        raise OutputError(f"{path} was not written: {reason}.")
    if found == DICOM_SEG:
        check_dicom_source(source, Path(path))
    return found


def _reason_against(found: str, source: Source, kind: ResultKind) -> str:
    """Return why a format does not do, empty if it does."""
    if found == CSV:
        return "CSV holds scores of patches, not a mask; use .png or .ome.tiff"
    if source.kind != "volume":
        if found == PNG_SERIES:
            return f"its suffix (none) names no format; {_ALL}"
        return f"{found} is for volumes; use .png, .ome.tiff or .geojson" if found in _OF_VOLUMES else ""
    slices = source.levels[0].shape[0]
    if found == PNG and slices != 1:
        return (
            f"PNG holds one slice and the volume has {slices}; use .nii.gz or .ome.tiff, or a name without suffix for "
            "a folder of slices"
        )
    if found == GEOJSON and slices != 1:
        return f"GeoJSON holds one slice and the volume has {slices}; use .nii.gz or .ome.tiff"
    if kind == "image" and found in OF_LABELS:
        return f"{found} holds segments, and this is an image; use .nii.gz, .nrrd or .mha"
    if kind == "probabilities" and found in (SEG_NRRD, STL, PLY, PNG_SERIES):
        return f"{found} holds masks, not probabilities; use .nii.gz, .nrrd, .ome.tiff or .dcm"
    return ""
