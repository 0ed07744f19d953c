"""Compare mask files, as jobs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from napari_medpatch import __version__
from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.evaluate.backdrop import Backdrop, backdrop_of
from napari_medpatch.evaluate.class_map import ClassMap, recorded
from napari_medpatch.evaluate.evaluation import evaluate_masks
from napari_medpatch.evaluate.mask_files import GridOfMasks, MaskFile, grid_of, open_grid, read_mask
from napari_medpatch.evaluate.masks import Bools
from napari_medpatch.evaluate.outputs import REPORT, write_results
from napari_medpatch.evaluate.progress import wait_for, working
from napari_medpatch.evaluate.settings import EvaluationSettings
from napari_medpatch.evaluate.volumes import measure_mask
from napari_medpatch.events import Event, Finished, Job, Noted, passing_on
from napari_medpatch.io.atomic import check_writable
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.volume_source import as_volume
from napari_medpatch.io.wording import size_text


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What was read."""

    prediction: MaskFile
    grid: GridOfMasks
    truth: MaskFile | None
    keep: Bools | None
    names: tuple[str, ...]
    notes: tuple[str, ...]
    maps: tuple[ClassMap, ClassMap]


def evaluate_files(
    prediction: Path,
    truth: Path | None = None,
    *,
    image: Path | None = None,
    volume_index: int | None = None,
    ignore: Path | None = None,
    sparse_truth: bool = False,
    prediction_map: ClassMap | None = None,
    truth_map: ClassMap | None = None,
    settings: EvaluationSettings | None = None,
    report: Path | None = None,
) -> Job:
    """Compare a mask file with the truth, or measure it by itself.

    Parameters
    ----------
    prediction : Path
        Mask: 0 background, 1… classes. NIfTI, NRRD or MetaImage in any orientation of the grid; PNG, TIFF or BMP.
    truth : Path, optional
        Mask on the same grid. Without it volumes, objects and, with ``image``, values inside are measured.
    image, volume_index : Path, int, optional
        Image that the masks belong to: gives the pixel size of masks whose files do not say it, and the background of
        the report's pictures. Which volume of a 4D image, or series of a folder, from 0.
    ignore : Path, optional
        Sparse labels whose painted pixels (non-zero) are left out.
    sparse_truth : bool
        The truth is sparse labels: 0 unlabelled, left out; 1 background, 2… classes.
    prediction_map, truth_map : ClassMap, optional
        Other values for the classes of either mask, where they are numbered differently or one divides more finely.
    settings : EvaluationSettings, optional
        Tolerance, matching of objects, what to leave out.
    report : Path, optional
        Folder for ``report.html``, tables and ``evaluation.json``.

    Yields
    ------
    Event
        Those of :func:`~napari_medpatch.evaluate.evaluation.evaluate_masks`; ``Finished`` holds an
        ``EvaluationResult``, or a ``VolumesResult`` without a truth.

    Raises
    ------
    GeometryError, LabelsError, UnsupportedFormatError, DamagedFileError
        If the files cannot be read or do not lie on one grid.
    OutputError
        If the report cannot be written.
    """
    if report is not None:
        check_writable(report / REPORT, folder=False)
    maps = prediction_map or ClassMap(), truth_map or ClassMap()
    with _opened(image, volume_index, truth or prediction) as (source, picture):
        loaded = yield from working(wait_for(_load, prediction, truth, source, ignore, sparse_truth, maps))
        for note in loaded.notes:
            yield Noted(note, "warning")
        result = yield from passing_on(_job(loaded, picture, settings or EvaluationSettings()))
        if report is not None:
            yield from _written(report, loaded, picture, result)
    yield Finished(result)


@contextmanager
def _opened(image: Path | None, volume_index: int | None, mask: Path) -> Iterator[tuple[Source, Source | None]]:
    """Open what gives the grid; it is the picture as well if there is one."""
    with closing(open_grid(mask) if image is None else open_source(image, volume_index=volume_index)) as source:
        yield source, None if image is None else source


def _load(
    prediction: Path,
    truth: Path | None,
    source: Source,
    ignore: Path | None,
    sparse: bool,
    maps: tuple[ClassMap, ClassMap],
) -> _Loaded:
    predicted = _renumbered(read_mask(prediction, source), maps[0])
    true = None if truth is None else read_mask(truth, source)
    keep: Bools | None = None
    names, notes = predicted.class_names, list[str]()
    if true is not None:
        _same_shape(predicted, true)
        if sparse:
            true, keep = unlabelled_left_out(true)
        true = _renumbered(true, maps[1])
        names, notes = common_names(predicted.class_names, true.class_names)
    if ignore is not None:
        left_out = read_labels(ignore, source) > 0
        keep = ~left_out if keep is None else keep & ~left_out
    return _Loaded(predicted, grid_of(source, predicted.values.shape), true, keep, names, tuple(notes), maps)


def unlabelled_left_out(labels: MaskFile) -> tuple[MaskFile, Bools]:
    """Turn sparse labels into a mask and where it holds.

    Raises
    ------
    LabelsError
        If nothing is labelled.
    """
    keep: Bools = labels.values > 0
    if not keep.any():
        raise LabelsError(f"{labels.path} holds no labels to compare with; paint some, or give a full mask.")
    # The names of labels begin with that of the background.
    return MaskFile(labels.path, labels.values - keep, labels.class_names[1:], labels.provenance), keep


def _renumbered(mask: MaskFile, classes: ClassMap) -> MaskFile:
    values, names = classes.apply(mask.values, mask.class_names)
    return replace(mask, values=values, class_names=names)


def common_names(predicted: tuple[str, ...], true: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of classes and a sentence for each that two masks name differently."""
    notes = [
        f"Class {value} is called {p} in the prediction and {t} in the truth; they are compared by value."
        for value, (p, t) in enumerate(zip(predicted, true, strict=False), start=1)
        if p and t and p != t
    ]
    return tuple(t or p for p, t in zip_longest(predicted, true, fillvalue="")), notes


def _same_shape(predicted: MaskFile, true: MaskFile) -> None:
    """Two masks of a slide may each be at another downsample of it."""
    if predicted.values.shape != true.values.shape:
        raise GeometryError(
            f"{predicted.path} has the shape {size_text(predicted.values.shape)} and {true.path} "
            f"{size_text(true.values.shape)}; compare masks of one grid."
        )


def _job(loaded: _Loaded, picture: Source | None, settings: EvaluationSettings) -> Job:
    paths = {"prediction": loaded.prediction, "truth": loaded.truth}
    common: dict[str, Any] = {
        "spacing": None if loaded.grid.units.length == "px" else loaded.grid.units.spacing,
        "unit": loaded.grid.units.length,
        "affine": loaded.grid.affine,
        "class_names": loaded.names,
        "settings": settings,
        "notes": loaded.notes,
        "provenance": {key: str(each.path) for key, each in paths.items() if each is not None}
        | ({"image": str(picture.path)} if picture is not None else {})
        | {"version": __version__, "made": {key: each.provenance for key, each in paths.items() if each is not None}}
        | recorded(*loaded.maps),
    }
    if loaded.truth is not None:
        return evaluate_masks(loaded.prediction.values, loaded.truth.values, keep=loaded.keep, **common)
    image = _values(picture)
    unit = str(picture.metadata.get("value_unit", "")) if picture is not None and image is not None else ""
    return measure_mask(loaded.prediction.values, image=image, value_unit=unit if unit == "HU" else "", **common)


def _values(picture: Source | None) -> AnyArray | None:
    """Return the values of a volume; colours have no mean worth telling."""
    if picture is None or picture.kind != "volume":
        return None
    return as_volume(picture).data


def _written(folder: Path, loaded: _Loaded, picture: Source | None, result: Any) -> Iterator[Event]:
    masks = (loaded.prediction.values, None if loaded.truth is None else loaded.truth.values)
    background: Backdrop | None = None if picture is None else backdrop_of(picture, loaded.prediction.values.shape)
    yield from working(write_results(folder, result, *masks, keep=loaded.keep, backdrop=background))
