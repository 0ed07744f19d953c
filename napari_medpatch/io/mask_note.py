"""What a file says of the mask or labels in it, whatever its format."""

from pathlib import Path

from napari_medpatch.io.dicom_seg_reading import is_dicom_seg
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.segment_facts import seg_note


def mask_note(path: Path) -> ExportNote:
    """Return names of classes and provenance of a mask; empty ones where its file says nothing.

    Parameters
    ----------
    path : Path
        NIfTI, NRRD, MetaImage, DICOM-SEG, a folder of PNG slices, PNG or TIFF.

    Raises
    ------
    UnsupportedFormatError, DamagedFileError
        If the file cannot be read.
    """
    from napari_medpatch.io.convert_volume import is_volume
    from napari_medpatch.io.raster import read_raster
    from napari_medpatch.io.read_volume import read_note

    if is_dicom_seg(path):
        return seg_note(path)
    if is_volume(path):
        return read_note(path) or ExportNote("mask")
    raster = read_raster(path)
    note = raster.note if raster is not None else None
    return note or ExportNote("mask")
