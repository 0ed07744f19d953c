"""Writing scores of patches: tables, tiles for QuPath, class maps."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import OutputError
from napari_medpatch.geometry import derived_grid
from napari_medpatch.plugin.layer_attributes import facts_in, live_in, provenance_in

if TYPE_CHECKING:
    import numpy as np


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
    threshold = facts_in(attributes).get("deciding")
    if target.name.lower().endswith((".geojson", ".geojson.gz")):
        return write_patches_geojson(target, sorted_scores(result), threshold=threshold)
    if target.suffix.lower() == ".csv":
        return write_patch_scores(target, sorted_scores(result))
    if target.suffix:
        raise OutputError(f"{target} was not written: choose .csv, .geojson, or a folder for all files.")
    source = live_in(attributes)
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

    target, facts, source = Path(path), facts_in(attributes), live_in(attributes)
    name, names = target.name.lower(), tuple(facts.get("class_names", ()))
    step, corner = facts["stride_px"], facts["corner_px"]
    note = ExportNote("mask", names, provenance_in(facts))
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
