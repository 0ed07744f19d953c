"""DICOM-SEG: masks and probability maps that refer to the series they were made on.

A viewer that has the series shows the segments on it. Frames are the slices of the series, so oblique, coronal and
tilted series need no resampling; slices without a segment are left out.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch import __version__
from napari_medpatch.errors import OutputError
from napari_medpatch.events import Noted
from napari_medpatch.io.class_files import class_name
from napari_medpatch.io.dicom_segments import Maker, segment_descriptions
from napari_medpatch.io.dicom_source_files import SeriesSlices, SourceFiles, read_source_files
from napari_medpatch.io.export_steps import Steps, in_thread
from napari_medpatch.io.orientation import voxel_sizes
from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.volume_source import as_volume

_SERIES_NUMBER_OFFSET = 1000
_MOST = 2**31 - 1


def check_dicom_source(source: Source, path: Path) -> None:
    """Raise :class:`OutputError` if a source is no DICOM series that a segmentation could refer to."""
    if not any(getattr(source, "slice_files", ())):
        raise OutputError(
            f"{path} was not written: DICOM-SEG refers to the DICOM series that the mask lies on, and "
            f"{source.path.name} is {source.format}; export the mask with --like SERIES_FOLDER, or choose .seg.nrrd."
        )


def write_dicom_seg(
    values: AnyArray,
    source: Source,
    path: Path,
    *,
    class_names: Sequence[str],
    colours: Sequence[str],
    makers: Callable[[str], Maker],
) -> Steps:
    """Write a segmentation; one segment per class.

    Parameters
    ----------
    values : ndarray
        A mask ``(Z, Y, X) uint8``, written as BINARY, or maps ``(C, Z, Y, X)`` of bytes or floats from 0 to 1,
        written as FRACTIONAL probabilities with 255 steps.
    source : Source
        A DICOM series.
    path : Path
        ``.dcm``.
    class_names : sequence of str
        Of values 1, 2, … or of the maps.
    colours : sequence of str
        ``#rrggbb`` of the classes, as far as the user chose them.
    makers : callable
        Returns who or what made the class of a name; for the empty name, the whole.

    Raises
    ------
    OutputError
        If the source is no DICOM series, its files lack what DICOM-SEG must repeat, nothing is segmented, or the
        file cannot be written.
    GeometryError
        If the slices lie in several multi-frame files.
    """
    check_dicom_source(source, path)
    if not values.any():
        raise OutputError(f"{path} was not written: the mask is empty, and a DICOM-SEG needs a segment.")
    slices = SeriesSlices.of(source)
    frames = _frames(values, source)
    lost = [k for k in slices.missing if frames[k].any()]
    if lost:
        yield Noted(
            f"{len(lost)} of {len(frames)} slices have no file in {source.path}; what the mask shows there is not in "
            f"{path.name}.",
            "warning",
        )
    count = frames.shape[3] if frames.ndim == 4 else max(len(class_names), int(frames.max()))
    names = [class_name(value, class_names) for value in range(1, count + 1)]

    step_mm = voxel_sizes(as_volume(source).grid.affine)[2]

    def write(temporary: Path) -> None:
        files = read_source_files(slices.files, step_mm)
        pixels = slices.in_file_order(frames, files.frames)
        described = segment_descriptions(names, colours, [makers(name) for name in names])
        _segmentation(pixels, files, path, described, makers("")).save_as(temporary)

    return (yield from in_thread(path, write))


def _frames(values: AnyArray, source: Source) -> AnyArray:
    """Return ``(slice, row, column)``, or that and a last axis of classes as floats."""
    to_original = as_volume(source).to_original
    if values.ndim == 3:
        return np.ascontiguousarray(to_original(values).transpose(2, 1, 0))
    scale = np.float32(255 if values.dtype == np.uint8 else 1)
    maps = [to_original(np.nan_to_num(channel)).transpose(2, 1, 0) / scale for channel in values]
    return np.stack(maps, axis=-1).astype(np.float32, copy=False)


def _segmentation(frames: AnyArray, files: SourceFiles, path: Path, descriptions: list[Any], maker: Maker) -> Any:
    import highdicom as hd
    from highdicom.seg import Segmentation, SegmentationTypeValues

    is_map = frames.ndim == 4
    try:
        return Segmentation(
            source_images=files.datasets,
            pixel_array=frames,
            segmentation_type=SegmentationTypeValues.FRACTIONAL if is_map else SegmentationTypeValues.BINARY,
            segment_descriptions=descriptions,
            series_instance_uid=hd.UID(),
            series_number=min(files.series_number + _SERIES_NUMBER_OFFSET, _MOST),
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="napari-medpatch",
            manufacturer_model_name="napari-medpatch",
            software_versions=__version__,
            device_serial_number="0",
            content_label="PROBABILITIES" if is_map else "SEGMENTATION",
            content_description=_short("Probabilities" if is_map else "Segmentation", maker),
            series_description=_short("MedPatch probabilities" if is_map else "MedPatch", maker),
        )
    except (AttributeError, ValueError, TypeError, KeyError) as error:
        raise OutputError(
            f"{path} was not written: the series in {files.folder} does not carry what DICOM-SEG must repeat "
            f"({_one_line(error)}); choose .nii.gz or .seg.nrrd."
        ) from error


def _short(what: str, maker: Maker) -> str:
    """Return a description in the 64 letters that DICOM has for it."""
    return f"{what}: {maker.name}"[:64] if maker.name else what


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")
