"""Segmentation files opened as label layers on the image that they belong to: DICOM-SEG and Slicer's NRRD."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import GeometryError, MedPatchError
from napari_medpatch.events import Finished, Job, Noted
from napari_medpatch.plugin.layers import META, like_source, mask_colours, provenance
from napari_medpatch.plugin.links import belongs_to, kind_of, live_source

if TYPE_CHECKING:
    import napari
    import napari.layers
    import numpy as np

    LayerData = tuple[Any, dict[str, Any], str]


@dataclass(frozen=True, slots=True, eq=False)
class MaskOnImage:
    """What a segmentation file holds, on the grid of an image.

    Parameters
    ----------
    path : Path
        The file.
    image : Image
        Layer whose grid it lies on.
    values : ndarray
        ``(Z, Y, X) uint8``.
    names, colours : tuple of str
        Of the values 1, 2, …; colours as ``#rrggbb``, empty where the file gives none.
    made : mapping
        What the file says of its making; goes with the layer into files of other formats.
    """

    path: Path
    image: "napari.layers.Image"
    values: "np.ndarray[Any, Any]"
    names: tuple[str, ...]
    colours: tuple[str, ...]
    made: Mapping[str, Any] = field(default_factory=dict)


def is_mask_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is a segmentation by its own account; files that cannot be read are not."""
    from napari_medpatch.io.dicom_seg_reading import is_dicom_seg
    from napari_medpatch.io.read_volume import header_fields, segment_names

    file = Path(path)
    try:
        if file.name.lower().endswith(".nrrd"):
            return bool(segment_names(header_fields(file)))
        return is_dicom_seg(file)
    except MedPatchError:
        return False


def volumes_of(viewer: "napari.Viewer | None") -> list["napari.layers.Image"]:
    """Return the volumes of a viewer that a mask may belong to, the selected ones first."""
    if viewer is None:
        return []
    volumes = [layer for layer in reversed(viewer.layers) if kind_of(layer) == "volume" and live_source(layer)]
    return sorted(volumes, key=lambda layer: layer not in viewer.layers.selection)


def reading_mask(path: str | os.PathLike[str], images: Sequence["napari.layers.Image"]) -> Job:
    """Read a segmentation onto the first image whose grid it lies on, as a job.

    Parameters
    ----------
    path : path-like
        The file.
    images : sequence of Image
        Open volumes.

    Raises
    ------
    GeometryError
        If it lies on none of them.
    """
    from napari_medpatch.io.labels_file import read_labels
    from napari_medpatch.io.mask_note import mask_note
    from napari_medpatch.io.segment_facts import segment_colours, segment_labels

    file = Path(path)
    yield Noted(f"Reading {file.name}…")
    error: GeometryError | None = None
    for image in images:
        try:
            values = read_labels(file, live_source(image))
        except GeometryError as caught:
            error = error or caught
            continue
        made = mask_note(file).provenance
        yield Finished(MaskOnImage(file, image, values, segment_labels(file), segment_colours(file), made))
        return
    raise error or GeometryError(
        f"{path} is a segmentation; open the series that it belongs to first, then the segmentation."
    )


def mask_layer_data(mask: MaskOnImage) -> "LayerData":
    """Describe a mask as a napari labels layer."""
    from napari.utils.colormaps import DirectLabelColormap

    from napari_medpatch.io.class_colours import class_colour

    count = max(len(mask.names), int(mask.values.max(initial=0)))
    colours = ["#{:02x}{:02x}{:02x}".format(*class_colour(n, mask.colours)) for n in range(1, count + 1)]
    facts = provenance(mask.image, "mask", class_names=list(mask.names), file=str(mask.path))
    facts[META] = {**mask.made, **facts[META]}
    attributes = {
        "name": mask.path.name,
        "opacity": 0.6,
        "metadata": facts,
        "colormap": DirectLabelColormap(color_dict=mask_colours(count, colours)),
        **like_source(mask.image),
    }
    return mask.values, attributes, "labels"


def add_mask(viewer: "napari.Viewer", mask: MaskOnImage) -> "napari.layers.Labels":
    """Add a mask to the viewer of its image."""
    from napari.layers import Labels

    values, attributes, _ = mask_layer_data(mask)
    layer = Labels(values, **attributes)
    belongs_to(layer, mask.image)
    viewer.add_layer(layer)
    return layer
