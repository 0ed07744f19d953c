"""Which file formats results can be written in, told by the suffix."""

import os
from pathlib import Path

from napari_medpatch.errors import OutputError
from napari_medpatch.io.source import Source

NIFTI, OME_TIFF, PNG, GEOJSON, CSV = "NIfTI", "OME-TIFF", "PNG", "GeoJSON", "CSV"
_SUFFIXES = {
    ".nii.gz": NIFTI,
    ".nii": NIFTI,
    ".ome.tiff": OME_TIFF,
    ".ome.tif": OME_TIFF,
    ".tiff": OME_TIFF,
    ".tif": OME_TIFF,
    ".png": PNG,
    ".geojson.gz": GEOJSON,
    ".geojson": GEOJSON,
    ".csv": CSV,
}
_ALL = "supported are .nii.gz, .nii, .ome.tiff, .tiff, .png, .geojson and .csv"
_LATER = {".dcm": "DICOM-SEG", ".nrrd": "NRRD", ".mha": "MetaImage", ".zarr": "OME-Zarr"}


def export_format(path: str | os.PathLike[str]) -> str:
    """Return the format that a file name asks for.

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
    if suffix in _LATER:
        raise OutputError(f"{path} was not written: {_LATER[suffix]} is not in this version; {_ALL}.")
    raise OutputError(f"{path} was not written: its suffix {suffix or '(none)'} names no format; {_ALL}.")


def result_format(path: str | os.PathLike[str], source: Source) -> str:
    """Return the format for a mask or map of a source.

    Parameters
    ----------
    path : path-like
        File to write.
    source : Source
        The image that the result belongs to.

    Raises
    ------
    OutputError
        If the suffix is unknown or its format cannot hold results of such an image.
    """
    found = export_format(path)
    if found == CSV:
        raise OutputError(f"{path} was not written: CSV holds scores of patches, not a mask; use .png or .ome.tiff.")
    if source.kind != "volume":
        if found == NIFTI:
            raise OutputError(f"{path} was not written: NIfTI is for volumes; use .png, .ome.tiff or .geojson.")
        return found
    if found in (PNG, GEOJSON) and source.levels[0].shape[0] != 1:
        slices = source.levels[0].shape[0]
        raise OutputError(
            f"{path} was not written: {found} holds one slice and the volume has {slices}; use .nii.gz or .ome.tiff."
        )
    return found
