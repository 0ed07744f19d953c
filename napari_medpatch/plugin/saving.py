"""Writing what a layer holds, on the grid of the image it belongs to."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.errors import LabelsError, OutputError
from napari_medpatch.events import Finished, Job, Noted, run
from napari_medpatch.plugin.layer_attributes import class_colours, facts_in, live_in, provenance_in, source_in
from napari_medpatch.plugin.saving_scores import save_class_map

if TYPE_CHECKING:
    from napari_medpatch.io.export_options import ExportOptions


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
    facts = facts_in(attributes)
    values = np.asarray(data)
    if facts.get("role") == "class map":
        return at_once(lambda: save_class_map(values, attributes, path))
    names, colours = tuple(facts.get("class_names", ())), class_colours(attributes)
    if facts.get("role") == "sparse labels" and _is_of_segments(path):
        values, names, colours = np.where(values > 1, values - 1, 0).astype(values.dtype), names[1:], colours[1:]
    return exporting_mask(
        values,
        source_in(values, attributes),
        path,
        class_names=names,
        provenance=provenance_in(facts),
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

    facts = facts_in(attributes)
    if facts.get("role") not in ("probability", "uncertainty"):
        raise OutputError(
            f"{path} was not written: layer {attributes.get('name', '')} holds no probabilities of MedPatch; choose "
            f"such a layer, or export the image from the Export tab of MedPatch."
        )
    values = np.asarray(data)
    names = facts.get("class_names", ()) if facts["role"] == "probability" else ("uncertainty",)
    spatial = len(live_in(attributes).levels[0].shape) if live_in(attributes) else values.ndim
    if values.ndim == spatial:
        names = names[facts.get("class_index", 0) :][:1]
    source = source_in(values, attributes)
    return exporting_probabilities(
        values, source, path, class_names=names, provenance=provenance_in(facts), options=options
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
