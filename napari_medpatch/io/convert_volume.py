"""Convert volumes: images, masks and probability maps, of any format to any other that holds them."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import numpy as np

from napari_medpatch.events import Event, Finished, Job, Noted
from napari_medpatch.io.dicom_seg_reading import seg_as_source
from napari_medpatch.io.export_format import GEOJSON, OF_LABELS, result_format
from napari_medpatch.io.export_job import exporting_mask, exporting_probabilities, exporting_volume
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.export_options import ExportOptions
from napari_medpatch.io.label_image import to_labels
from napari_medpatch.io.label_volume import LabelGrid
from napari_medpatch.io.labels_file import is_nifti
from napari_medpatch.io.memory import MemorySource
from napari_medpatch.io.read_volume import read_note, read_volume_file
from napari_medpatch.io.segment_facts import seg_note
from napari_medpatch.io.signature import read_head, signature
from napari_medpatch.io.source import AnyArray, Source


def is_volume(path: Path) -> bool:
    """Return whether a file or folder is a volume: NIfTI, NRRD, MetaImage, a DICOM series or slice, PNG slices."""
    from napari_medpatch.io.detect import detect

    if path.is_dir():
        return detect(path).kind == "volume"
    if is_nifti(path):
        return True
    return signature(read_head(path)) in ("nrrd", "metaimage", "dicom") and detect(path).kind == "volume"


def opened(path: Path, volume_index: int | None = None) -> Generator[Event, None, Source]:
    """Open an image as a part of a job: progress and what there is to note are passed on, the image returned."""
    from napari_medpatch.io.detect import open_steps

    for event in open_steps(path, volume_index=volume_index):
        if isinstance(event, Finished):
            source: Source = event.result
            if source.kind == "volume":
                yield from (Noted(f"{path.name}: {note}") for note in source.metadata.get("notes", ()))
            return source
        yield event
    raise AssertionError("a job ends with its result")


def convert_volume(
    path: Path, output: Path, wanted: str, volume_index: int | None, options: ExportOptions
) -> Generator[Event, None, None]:
    """Convert a volume, mask or probability map; the job's last event has the files.

    Raises
    ------
    OutputError
        If the format cannot hold it.
    LabelsError
        If a format of segments is asked for and the values are no labels.
    ChoiceNeededError
        If ``volume_index`` does not say which of several volumes, unless they are probability maps of ours.
    """
    note = read_note(path) or ExportNote("image")
    if note.kind == "probabilities" and volume_index is None:
        maps = read_maps(path, note)
        values = np.stack([one.array for one in maps]).astype(np.float32)
        names, provenance = note.class_names, note.provenance
        yield from exporting_probabilities(
            values, maps[0], output, class_names=names, provenance=provenance, options=options
        )
        return
    source = yield from opened(path, volume_index)
    assert isinstance(source, MemorySource)
    with closing(source):
        if note.kind == "mask" or options.per_class or wanted in (*OF_LABELS, GEOJSON):
            result_format(output, source)
            labels, names, provenance = to_labels(source.array, path), note.class_names, note.provenance
            yield from exporting_mask(labels, source, output, class_names=names, provenance=provenance, options=options)
        else:
            yield from exporting_volume(source, output, values=_as_stored(source), options=options)


def seg_labels(path: Path, output: Path, options: ExportOptions) -> Job:
    """Convert a DICOM-SEG on the grid that its frames span."""
    source, note = seg_as_source(path), seg_note(path)
    names, provenance = note.class_names, note.provenance
    return exporting_mask(source.array, source, output, class_names=names, provenance=provenance, options=options)


def maps_onto(path: Path, output: Path, source: Source, note: ExportNote, options: ExportOptions) -> Job:
    """Convert probability maps that lie on the grid of another image.

    Raises
    ------
    GeometryError
        If they do not.
    """
    volumes = []
    for one in read_maps(path, note):
        affine = one.grid.affine.copy()
        affine[:3] *= one.grid.unit_mm
        place = LabelGrid(path, affine, one.grid.shape, one.grid.known).orientation_on(source)
        volumes.append(place.to_canonical(one.to_original(one.array)).astype(np.float32))
    names, provenance = note.class_names, note.provenance
    return exporting_probabilities(
        np.stack(volumes), source, output, class_names=names, provenance=provenance, options=options
    )


def read_maps(path: Path, note: ExportNote) -> list[MemorySource]:
    """Return the map of each class of a file that this package wrote."""
    if len(note.class_names) < 2:
        return [read_volume_file(path)]
    return [read_volume_file(path, index) for index in range(len(note.class_names))]


def _as_stored(source: MemorySource) -> AnyArray:
    """Return bytes as bytes: NIfTI masks are held as int16 in memory."""
    facts = source.metadata
    plain = facts.get("stored_dtype") == "uint8" and facts.get("scl_slope", 1) == 1 and facts.get("scl_inter", 0) == 0
    return source.array.astype(np.uint8) if plain else source.array
