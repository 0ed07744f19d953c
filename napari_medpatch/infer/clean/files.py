"""Clean a mask in a file; what ``napari-medpatch clean`` does."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_medpatch.errors import OutputError
from napari_medpatch.events import Event, Finished, Job, passing_on
from napari_medpatch.infer.clean.job import CleanResult, clean_up
from napari_medpatch.infer.clean.registry import parse_steps
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.io.export_options import ExportOptions
from napari_medpatch.io.mask_note import mask_note
from napari_medpatch.io.source import AnyArray, Source


@dataclass(frozen=True, slots=True)
class _MaskFile:
    """A mask, the source whose grid it has, and what its file says."""

    mask: AnyArray
    source: Source
    names: tuple[str, ...]
    provenance: dict[str, Any]


def clean_file(
    path: Path,
    output: Path,
    steps: Sequence[CleanStep | str],
    *,
    like: Path | None = None,
    class_names: Sequence[str] = (),
    volume_index: int | None = None,
    options: ExportOptions | None = None,
) -> Job:
    """Clean a mask in a file and write the result; a job.

    Parameters
    ----------
    path : Path
        A mask: NIfTI, NRRD, MetaImage, DICOM-SEG, PNG or TIFF; 0 background, 1… classes.
    output : Path
        Its suffix says the format, as of an export.
    steps : sequence of CleanStep or str
        In order; see :func:`napari_medpatch.infer.clean.registry.parse_step`.
    like : Path, optional
        The image of the mask: pixel size of pictures, and values for the step ``hu``.
    class_names : sequence of str
        Instead of those that the file says.
    volume_index : int, optional
        Which volume of a 4D image.
    options : ExportOptions, optional
        What else there is to choose about the result, by format; as of an export.

    Yields
    ------
    Started, Working, Noted
        Progress, and what each step changed.
    Finished
        With a :class:`CleanResult`.

    Raises
    ------
    SettingsError, OutputError
        If a step does not fit; if the result cannot be written, or would replace the mask itself.
    GeometryError, LabelsError, UnsupportedFormatError, DamagedFileError
        If the mask cannot be read or does not lie on the image.
    """
    from napari_medpatch.io.export import check_output
    from napari_medpatch.io.export_job import exporting_mask

    chosen = parse_steps(steps)
    if output.exists() and path.exists() and output.samefile(path):
        raise OutputError(f"{output} is the mask itself; give the cleaned one another name.")
    read = _onto(path, like, volume_index) if like is not None else _alone(path)
    with closing(read.source):
        check_output(output, read.source)
        names = tuple(class_names) or read.names
        result = yield from _cleaned(read, chosen, names, on_image=like is not None)
        provenance = read.provenance | {"clean_up": [*read.provenance.get("clean_up", []), result.provenance]}
        export = exporting_mask(
            result.mask, read.source, output, class_names=result.class_names, provenance=provenance, options=options
        )
        for event in export:
            yield Finished(replace(result, files=event.result.paths)) if isinstance(event, Finished) else event


def _cleaned(
    read: _MaskFile, steps: Sequence[CleanStep], names: Sequence[str], *, on_image: bool
) -> Generator[Event, None, CleanResult]:
    spacing = read.source.spacing
    if on_image:
        job = clean_up(read.source, read.mask, steps, class_names=names)
    else:
        # The source is the mask itself, whose values are no scan to look at.
        voxel, unit = (spacing.values, spacing.unit) if spacing is not None else ((1.0,) * read.mask.ndim, "px")
        job = clean_up(voxel, read.mask, steps, class_names=names, unit=unit)
    result: CleanResult = yield from passing_on(job)
    return result


def _onto(path: Path, like: Path, volume_index: int | None) -> _MaskFile:
    """Read a mask that lies on an image."""
    from napari_medpatch.io.detect import open_source
    from napari_medpatch.io.labels_file import read_labels

    source = open_source(like, volume_index=volume_index)
    try:
        note = mask_note(path)
        return _MaskFile(read_labels(path, source), source, note.class_names, dict(note.provenance))
    except BaseException:
        source.close()
        raise


def _alone(path: Path) -> _MaskFile:
    """Read a mask that says all that is needed."""
    from napari_medpatch.io.convert_volume import is_volume
    from napari_medpatch.io.detect import open_source
    from napari_medpatch.io.dicom_seg_reading import is_dicom_seg, seg_as_source
    from napari_medpatch.io.label_image import to_labels
    from napari_medpatch.io.labels_file import read_labels
    from napari_medpatch.io.read_volume import read_volume_file

    note = mask_note(path)
    source: Source
    if is_dicom_seg(path):
        source = seg_as_source(path)
        mask = source.array
    elif is_volume(path):
        source = read_volume_file(path)
        mask = to_labels(source.array, path)
    else:
        source = open_source(path)
        mask = read_labels(path, source)
    return _MaskFile(mask, source, note.class_names, dict(note.provenance))
