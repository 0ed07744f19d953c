"""Writing what a layer holds, on the grid of the image it belongs to."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.errors import LabelsError, OutputError
from napari_medpatch.events import Finished, Job, Noted, run
from napari_medpatch.geometry import derived_grid
from napari_medpatch.plugin.layers import LIVE, META

if TYPE_CHECKING:
    from napari_medpatch.io.export_options import ExportOptions
    from napari_medpatch.io.source import Source

_MM = {"millimeter": 1.0, "mm": 1.0, "micrometer": 1e-3, "um": 1e-3, "meter": 1e3}


def save_labels(data: Any, attributes: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write labels and return the file, the first of several; see :func:`saving_labels`."""
    return run(saving_labels(data, attributes, path)).path


def saving_labels(
    data: Any,
    attributes: Mapping[str, Any],
    path: str | os.PathLike[str],
    options: "ExportOptions | None" = None,
) -> Job:
    """Write labels as a job: a mask, a tissue mask or sparse labels.

    Sparse labels keep their values (1 is background); in formats of segments the background is none, and the classes
    are 1, 2, ….

    Parameters
    ----------
    data : array-like
        Of the layer.
    attributes : mapping
        Of the layer, as napari gives them to writers: ``metadata``, ``scale``, ``units``, ``name``, ``colormap``.
    path : path-like
        The suffix says the format.
    options : ExportOptions, optional
        What else there is to choose.

    Returns
    -------
    iterator of events
        The result is an :class:`napari_medpatch.io.export_job.Exported`.

    Raises
    ------
    MedPatchError
        If the format cannot hold it or the file cannot be written.
    """
    from napari_medpatch.io.export_job import exporting_mask

    if isinstance(data, list | tuple):
        raise LabelsError("Labels of several resolutions cannot be written; convert the layer to a single one.")
    facts = _facts(attributes)
    values = np.asarray(data)
    if facts.get("role") == "class map":
        return at_once(lambda: save_class_map(values, attributes, path))
    names, colours = tuple(facts.get("class_names", ())), class_colours(attributes)
    if facts.get("role") == "sparse labels" and _is_of_segments(path):
        values, names, colours = np.where(values > 1, values - 1, 0).astype(values.dtype), names[1:], colours[1:]
    return exporting_mask(
        values,
        _source(values, attributes),
        path,
        class_names=names,
        provenance=_provenance(facts),
        colours=colours,
        options=options,
    )


def save_values(data: Any, attributes: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write a probability map and return the file; see :func:`saving_values`."""
    return run(saving_values(data, attributes, path)).path


def saving_values(
    data: Any,
    attributes: Mapping[str, Any],
    path: str | os.PathLike[str],
    options: "ExportOptions | None" = None,
) -> Job:
    """Write a probability map as values, as a job.

    Parameters
    ----------
    data : array-like
        ``(Y, X)`` or ``(Z, Y, X)``, uint8 (probability × 255) or floats from 0 to 1; with an axis of classes
        in front where there are several.
    attributes, path, options
        As :func:`saving_labels`.

    Raises
    ------
    MedPatchError
        Also if the layer holds an image: those are not results.
    """
    from napari_medpatch.io.export_job import exporting_probabilities

    facts = _facts(attributes)
    if facts.get("role") not in ("probability", "uncertainty"):
        raise OutputError(
            f"{path} was not written: layer {attributes.get('name', '')} holds no probabilities of MedPatch; choose "
            f"such a layer, or export the image from the Export tab of MedPatch."
        )
    values = np.asarray(data)
    names = facts.get("class_names", ()) if facts["role"] == "probability" else ("uncertainty",)
    spatial = len(_live(attributes).levels[0].shape) if _live(attributes) else values.ndim
    if values.ndim == spatial:
        names = names[facts.get("class_index", 0) :][:1]
    source = _source(values, attributes)
    return exporting_probabilities(
        values, source, path, class_names=names, provenance=_provenance(facts), options=options
    )


def class_colours(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ``#rrggbb`` of the values 1, 2, … of a labels layer; empty text where the layer gives a value none."""
    table = getattr(attributes.get("colormap"), "color_dict", None)
    if table is None:
        return tuple(_facts(attributes).get("colours", ()))
    known = {value: colour for value, colour in table.items() if isinstance(value, int) and value > 0}
    return tuple(
        "#{:02x}{:02x}{:02x}".format(*(round(float(c) * 255) for c in known[value][:3])) if value in known else ""
        for value in range(1, max(known, default=0) + 1)
    )


def at_once(write: Callable[[], Path]) -> Job:
    """Return what is written in one call as a job."""
    from napari_medpatch.io.export_job import Exported

    path = write()
    yield Noted(f"Writing {path.name}…")
    yield Finished(Exported((path,)))


def _is_of_segments(path: str | os.PathLike[str]) -> bool:
    from napari_medpatch.io.export_format import OF_LABELS, export_format

    return export_format(path) in OF_LABELS


def save_scores(result: Any, attributes: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write the patch scores of a classification.

    Parameters
    ----------
    result : ClassifyResult
        Kept by the heat map layers.
    attributes : mapping
        Of a heat map layer. A threshold that the user moved is the one of the files.
    path : path-like
        ``.csv`` (table), ``.geojson`` or ``.geojson.gz`` (QuPath tiles), or a folder, which gets all files of
        the command line.
    """
    from napari_medpatch.infer.classify_outputs import ClassifyFiles, sorted_scores
    from napari_medpatch.io.geojson import write_patches_geojson
    from napari_medpatch.io.score_csv import write_patch_scores

    target = Path(path)
    threshold = _facts(attributes).get("deciding")
    if target.name.lower().endswith((".geojson", ".geojson.gz")):
        return write_patches_geojson(target, sorted_scores(result), threshold=threshold)
    if target.suffix.lower() == ".csv":
        return write_patch_scores(target, sorted_scores(result))
    if target.suffix:
        raise OutputError(f"{target} was not written: choose .csv, .geojson, or a folder for all files.")
    source = _live(attributes)
    files = ClassifyFiles(target, source.path.stem if source else "result")
    files.write(_at_threshold(result, threshold), source.spacing if source else None, threshold)
    return target


def save_class_map(values: "np.ndarray[Any, Any]", attributes: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write the class of each patch: outlines in level-0 pixels, calibrated values, or the grid as a picture.

    Parameters
    ----------
    values : ndarray
        ``(rows, cols) uint8`` on the patch grid, 0 nothing, 1… classes.
    attributes : mapping
        Of the class map layer.
    path : path-like
        ``.geojson``, ``.ome.tiff`` or ``.png``.

    Raises
    ------
    OutputError
        If the suffix is another one or the file cannot be written.
    """
    from napari_medpatch.io.export_note import ExportNote
    from napari_medpatch.io.geojson import write_mask_geojson
    from napari_medpatch.io.ome import write_ome_tiff
    from napari_medpatch.io.png import write_png

    target, facts, source = Path(path), _facts(attributes), _live(attributes)
    name, names = target.name.lower(), tuple(facts.get("class_names", ()))
    step, corner = facts["stride_px"], facts["corner_px"]
    note = ExportNote("mask", names, _provenance(facts))
    if name.endswith((".geojson", ".geojson.gz")):
        return write_mask_geojson(values, target, class_names=names, scale=tuple(step), origin=tuple(corner))
    if name.endswith(".png"):
        return write_png(values, target, note=note)
    if not name.endswith((".tif", ".tiff")):
        raise OutputError(f"{target} was not written: a class map becomes .geojson, .ome.tiff or .png.")
    spacing = source.spacing if source is not None else None
    if spacing is None:
        return write_ome_tiff(values, target, note=note)
    place = derived_grid(step, spacing.values, corner)
    return write_ome_tiff(
        values, target, pixel_size=place.scale, unit=spacing.unit, origin=place.translate, axes="YX", note=note
    )


def _at_threshold(result: Any, threshold: float | None) -> Any:
    """Return a result whose slide score counts patches from another threshold on."""
    from dataclasses import replace

    if threshold is None or threshold == result.score["threshold"]:
        return result
    from napari_medpatch.infer.aggregate import slide_score
    from napari_medpatch.infer.attention import relative_attention

    logits = result.extras.get("attention")
    score = slide_score(
        result.probabilities,
        result.class_names,
        top_k=result.score["top_k"],
        threshold=threshold,
        attention=None if logits is None else relative_attention(logits),
    )
    return replace(result, score=score)


def _facts(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    return attributes.get("metadata", {}).get(META, {})


def _live(attributes: Mapping[str, Any]) -> "Source | None":
    return attributes.get("metadata", {}).get(LIVE)


def _provenance(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is worth keeping beside the values."""
    return {key: value for key, value in facts.items() if key not in ("class_names", "class_index")}


def _source(values: "np.ndarray[Any, Any]", attributes: Mapping[str, Any]) -> "Source":
    """Return the image of a result; labels from elsewhere get a grid of their layer's scale."""
    from napari_medpatch.io.array_source import ArraySource

    live = _live(attributes)
    if live is not None:
        return live
    name = str(attributes.get("name", "labels"))
    if values.ndim not in (2, 3):
        raise OutputError(f"Layer {name} has {values.ndim} dimensions; pictures have 2 and volumes 3.")
    kind = "volume" if values.ndim == 3 else "photo"
    # Only its grid is used; one byte repeated stands for the pixels.
    blank = np.broadcast_to(np.uint8(0), values.shape if kind == "volume" else (*values.shape, 3))
    return ArraySource(blank, kind, spacing=_scale(attributes, kind), path=Path(name))


def _scale(attributes: Mapping[str, Any], kind: str) -> tuple[float, ...] | None:
    factors = [_MM.get(str(unit)) for unit in attributes.get("units", ())]
    if not factors or None in factors:
        return None
    per = 1.0 if kind == "volume" else 1e3
    return tuple(float(s) * f * per for s, f in zip(attributes["scale"], factors, strict=True))
