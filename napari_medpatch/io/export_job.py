"""Jobs that write masks, maps and volumes; whoever iterates sees progress and may stop them.

Each file is complete or absent. Closing a job between two files of several leaves those that are done.
"""

import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import GeometryError, OutputError
from napari_medpatch.events import Event, Finished, Job, Noted, Started, Working
from napari_medpatch.io.export_format import DICOM_SEG, PLY, PNG_SERIES, STL, result_format
from napari_medpatch.io.export_options import ExportOptions
from napari_medpatch.io.export_part import Part, files_of, of_class
from napari_medpatch.io.export_steps import scaled
from napari_medpatch.io.export_values import mask_values, probability_values
from napari_medpatch.io.export_writers import WRITERS
from napari_medpatch.io.labels_file import labels_downsample
from napari_medpatch.io.png_series import check_replaceable
from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.volume_source import as_volume
from napari_medpatch.io.wording import size_text
from napari_medpatch.steps import telling

_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Parameters
    ----------
    paths : tuple of Path
        Files, or folders of slices; one, or one per class.
    """

    paths: tuple[Path, ...]

    @property
    def path(self) -> Path:
        """The file, or the first of several."""
        return self.paths[0]

    def __str__(self) -> str:
        return ", ".join(str(path) for path in self.paths)


def exporting_mask(
    mask: AnyArray,
    source: Source,
    path: str | os.PathLike[str],
    *,
    class_names: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
    colours: Sequence[str] = (),
    options: ExportOptions | None = None,
) -> Job:
    """Write a mask as a job; see :func:`napari_medpatch.io.export.write_mask`."""
    target, chosen = Path(path), options or ExportOptions()
    result_format(target, source)
    values = mask_values(mask)
    # What the user says of the making stays with the mask, whatever its format.
    said = {} if chosen.made_by is None else {"made_by": chosen.made_by, "segments": {}}
    made = dict(provenance or {}) | said
    downsample = _downsample(values.shape, source)
    part = Part("mask", values, source, target, tuple(class_names), tuple(colours), made, chosen, downsample)
    yield from as_job(part_steps(part))


def exporting_probabilities(
    probabilities: AnyArray | None,
    source: Source,
    path: str | os.PathLike[str],
    *,
    class_names: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
    colours: Sequence[str] = (),
    options: ExportOptions | None = None,
) -> Job:
    """Write probability maps as a job; see :func:`napari_medpatch.io.export.write_probabilities`."""
    target, chosen = Path(path), options or ExportOptions()
    result_format(target, source, "probabilities")
    if probabilities is None:
        raise OutputError(f"{target} was not written: the job made no probability maps; ask for them when it starts.")
    values = probability_values(probabilities, source, target)
    made, downsample = dict(provenance or {}), _downsample(values.shape[1:], source)
    part = Part("probabilities", values, source, target, tuple(class_names), tuple(colours), made, chosen, downsample)
    yield from as_job(part_steps(part))


def exporting_volume(
    source: Source,
    path: str | os.PathLike[str],
    *,
    values: AnyArray | None = None,
    options: ExportOptions | None = None,
) -> Job:
    """Write a volume as a job; see :func:`napari_medpatch.io.export.write_volume`."""
    target = Path(path)
    if source.kind != "volume":
        raise OutputError(f"{target} was not written: {source.path.name} is a {source.kind}, not a volume.")
    result_format(target, source, "image")
    data: AnyArray = as_volume(source).data if values is None else values
    yield from as_job(part_steps(Part("image", data, source, target, options=options or ExportOptions())))


def part_steps(part: Part) -> Generator[float | Noted, None, Exported]:
    """Write a part, in one file or in one per class."""
    found = result_format(part.path, part.source, part.kind)
    spare_the_image(part.path, part.source)
    if part.kind != "image" and (part.options.per_class or found == STL):
        return (yield from _per_class(part, found))
    return Exported(((yield from _one_file(part, found)),))


def as_job(steps: Generator[float | Noted, None, Exported]) -> Job:
    """Turn steps into events."""
    yield Started(_PERCENT, "%")

    def event(step: float | Noted) -> Event:
        return step if isinstance(step, Noted) else Working(_PERCENT * step)

    result = yield from telling(steps, event)
    yield Finished(result)


def spare_the_image(output: Path, source: Source) -> None:
    """Raise :class:`OutputError` rather than replace the image that a result belongs to."""
    if not output.exists():
        return
    for path in (source.path, *(file for file in getattr(source, "slice_files", ()) if file is not None)):
        if path.exists() and output.samefile(path):
            raise OutputError(f"{output} was not written: it is the image itself; give another name.")


def _one_file(part: Part, found: str) -> Generator[float | Noted, None, Path]:
    if found == PNG_SERIES:
        check_replaceable(part.path)
    return (yield from WRITERS[found](part))


def _per_class(part: Part, found: str) -> Generator[float | Noted, None, Exported]:
    """Write a file for each class; formats that cannot hold an empty one leave it out and say so."""
    files = files_of(part, always=part.options.per_class)
    written: list[Path] = []
    for index, path in enumerate(files):
        one = of_class(part, index, path)
        if found in (STL, PLY, DICOM_SEG) and not one.values.any():
            yield Noted(f"Class {one.names[0]} is empty, so {path.name} was not written.", "warning")
            continue
        written.append((yield from scaled(_one_file(one, found), index / len(files), 1 / len(files))))
    if not written:
        raise OutputError(f"{part.path} was not written: the mask is empty.")
    return Exported(tuple(written))


def _downsample(shape: tuple[int, ...], source: Source) -> tuple[float, float]:
    """Return level-0 pixels per pixel of a result along y and x, after checking that it covers the source."""
    full = source.levels[0].shape
    if shape == full:
        return 1.0, 1.0
    if source.kind == "slide" and len(shape) == 2:
        return labels_downsample(np.empty(shape, dtype=np.bool_), source)
    raise GeometryError(f"A result of {size_text(shape)} does not lie on the grid of {source.path}, {size_text(full)}.")
